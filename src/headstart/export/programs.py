"""The text of run.py: a template of `export.templates` with the sections that a model needs.

A section is what is between ``# <name>`` and ``# </name>``. One of a part, which is another file there, replaces that
of the same name in the template.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from importlib import resources

SECTION = re.compile(r"^ *# <(\w+)>\n(.*?)^ *# </\1>\n", re.MULTILINE | re.DOTALL)
LINE, NEEDS = "A line is a text.", "Needs onnxruntime, tokenizers and numpy."  # in the docstrings of templates


def program(
    template: str, parts: Sequence[str], sections: Collection[str], *, line: str = LINE, needs: str = NEEDS
) -> str:
    """Return the text of run.py.

    Args:
        template: its name.
        parts: names of files whose sections replace those of the template.
        sections: those that the model needs.
        line: sentence that says what a line of the program's input is.
        needs: sentence that says which packages it needs.
    """
    own = {match[1]: match[0] for part in parts for match in SECTION.finditer(_file(part))}
    text = SECTION.sub(lambda match: own.get(match[1], match[0]), _file(template))
    return _without_unused_imports(chosen(text.replace(LINE, line).replace(NEEDS, needs), sections))


def chosen(text: str, sections: Collection[str]) -> str:
    """Remove the marks of some sections and the whole of all others.

    >>> chosen("a\\n# <x>\\nb\\n# </x>\\n# <y>\\nc\\n# </y>\\n", ["y"])
    'a\\nc\\n'
    """
    return SECTION.sub(lambda match: chosen(match[2], sections) if match[1] in sections else "", text)


def _without_unused_imports(text: str) -> str:
    """Leave out the imports, each a line, that only removed sections use."""
    tree = ast.parse(text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    unused = set()
    for node in tree.body:
        if (
            isinstance(node, ast.Import | ast.ImportFrom)
            and not {each.asname or each.name for each in node.names} & used
        ):
            unused.add(node.lineno)
    return "".join(line for number, line in enumerate(text.splitlines(True), start=1) if number not in unused)


def _file(name: str) -> str:
    return (resources.files("headstart.export.templates") / f"{name}.py").read_text("utf-8")
