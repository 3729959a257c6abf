"""Settings of the documentation site, which `make docs` builds; its pages load nothing from other servers."""

import importlib.metadata
import os
import re
from pathlib import Path

project = "Headstart"
author = copyright = "The Headstart authors"
version = release = importlib.metadata.version("headstart")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
default_role = "code"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
add_module_names = False
html_theme = "furo"
html_title = f"Headstart {release}"
html_copy_source = html_show_sourcelink = html_show_sphinx = False

DOCS = Path(__file__).parent
PROPERTIES: dict[str, list[str]] = {}
# Page of the site -> file of the repository that is shown there; links to the file lead to the page.
SHOWN = {
    "index": "README.md",
    "chinese": "README.zh.md",
    "contributing": "CONTRIBUTING.md",
    "security": "SECURITY.md",
    "changelog": "CHANGELOG.md",
    "examples": "examples/README.md",
}
MENU = """
```{toctree}
:hidden:
:caption: Use

commands
python
examples
performance
```

```{toctree}
:hidden:
:caption: Tasks
:glob:

tasks/*
```

```{toctree}
:hidden:
:caption: Methods
:glob:

methods/README
methods/[a-z]*
```

```{toctree}
:hidden:
:caption: Background
:glob:

decisions/*
lab
contributing
security
changelog
chinese
[a-z]*
```
"""


def read(app, page, source):
    """Put the files of the repository, the commands' help and the menu into their pages; turn links to each other."""
    place = DOCS / f"{page}.md"
    if page in SHOWN:
        place = DOCS.parent / SHOWN[page]
        source[0] = place.read_text(encoding="utf-8")
    source[0] = re.sub(r"(\]\()([^)#:\s]+)([)#])", lambda found: _link(found, place, page), source[0])
    if page == "commands":
        source[0] += "".join(_help())
    if page == "index":
        source[0] += MENU


def _link(found, place, page):
    """Point a link to where the site has its target; links to files that it does not show stay downloads."""
    target = Path(os.path.normpath(place.parent / found[2]))
    pages = {DOCS.parent / file: DOCS / f"{name}.md" for name, file in SHOWN.items()}
    target = pages.get(target, target)
    return f"{found[1]}{os.path.relpath(target, (DOCS / page).parent)}{found[3]}" if target.is_file() else found[0]


def _help():
    """Write the help of each command as a section."""
    import click

    from headstart import cli

    for name, command in cli.app.commands.items():
        context = click.Context(command, info_name=f"headstart {name}", max_content_width=100)
        yield f"\n## {name}\n\n```text\n{command.get_help(context)}\n```\n"


def remember(app, what, name, object_, options, lines):
    """Remember the docstring of a property, whose words before a colon napoleon would take for its type."""
    if what == "property":
        PROPERTIES[name] = lines[:]


def attributes(app, what, name, object_, options, lines):
    """Turn the lines 'name: meaning' of a class's docstring into a list."""
    lines[:] = PROPERTIES.pop(name, lines)
    inside = False
    for number, line in enumerate(lines if what == "class" else ()):
        if match := re.match(r"([a-z]\w*(?:, \w+)*): ", line):
            lines[number] = f"* `{match[1]}`: {line[match.end() :]}"
            inside = True
        elif inside := inside and bool(line.strip()):
            lines[number] = f"  {line.strip()}"


def left_out(app, what, name, object_, skip, options):
    """Leave out scikit-learn's own methods, whose docstrings link to its site."""
    return True if re.fullmatch(r"set_\w+_request|get_metadata_routing", name) else None


def setup(app):
    from pygments.lexers.special import TextLexer

    app.connect("source-read", read)
    app.connect("autodoc-process-docstring", remember, priority=100)  # before napoleon, and the next after it
    app.connect("autodoc-process-docstring", attributes, priority=900)
    app.connect("autodoc-skip-member", left_out)
    app.add_lexer("csv", TextLexer)
    return {"parallel_read_safe": True}
