"""The commands that README shows are commands that exist, with options that exist."""

import ast
import re
import shlex
from pathlib import Path

import pytest

import headstart
from headstart import cli

ROOT = Path(__file__).parent.parent
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md")}
BLOCKS = {name: re.findall(r"```(\w*)\n(.*?)```", page, re.DOTALL) for name, page in PAGES.items()}
COMMANDS = {
    name: [line for _, block in blocks for line in block.splitlines() if line.startswith(("headstart ", "make "))]
    for name, blocks in BLOCKS.items()
}
EVERY_COMMAND = [line for lines in COMMANDS.values() for line in lines]


@pytest.mark.parametrize("name", PAGES)
def test_readme_shows_commands(name):
    assert sum(line.startswith("make ") for line in COMMANDS[name]) == 2
    assert {shlex.split(line)[1] for line in COMMANDS[name] if line.startswith("headstart")} >= {
        "compare",
        "check",
        "predict",
    }


@pytest.mark.parametrize("line", [line for line in EVERY_COMMAND if line.startswith("headstart ")])
def test_a_command_line_is_understood(line):
    _, verb, *words = shlex.split(line, comments=True)
    cli.app.commands[verb].make_context(verb, words)


def test_make_targets_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {shlex.split(line, comments=True)[1] for line in EVERY_COMMAND if line.startswith("make ")} <= set(targets)


def test_python_uses_names_that_exist():
    (code,) = [block for language, block in BLOCKS["README.md"] if language == "python"]
    used = {
        node.attr
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "headstart"
    }
    assert used
    assert used | {"TextClassifier"} <= set(headstart.__all__)


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_and_page_it_links_is_there(name):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGES[name])
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
