"""Show a Result as a table in the terminal, one HTML file, JSON, an SVG picture or a notebook fragment."""

from __future__ import annotations

import dataclasses
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headstart.contest.rank import winner
from headstart.core import checked
from headstart.core.errors import visible
from headstart.core.files import make_folder, write_whole
from headstart.core.records import Record
from headstart.core.results import Result, deciding
from headstart.explain.overview import Overview
from headstart.metrics import format as scores
from headstart.report import _collapse, columns, explained, stress, subsets, wording
from headstart.report import _format as form
from headstart.report._evidence import SEVERITIES, pretrained
from headstart.report._view import against_best, board, view

if TYPE_CHECKING:
    from jinja2 import Environment

WIDTH = 100
# Columns of costs, with their names in `board`, and the order in which a narrow terminal omits them.
COSTS = {"trained": "trained", "training": "training", "memory": "memory", "one text": "latency", "disk": "disk"}
LEGEND = {"trained": "trained weights", "memory": "peak memory of the training"}
OMITTED_FIRST = ("memory", "trained", "disk", "training", "one text")
# rich's default frame loads a font from the network, which a picture must not do.
FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
.{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def leaderboard(result: Result, width: int = WIDTH) -> Table:
    """Build the leaderboard for a terminal; it is readable without colour, and no cell is truncated.

    If it is too wide, backbones are put on a second line, then columns of costs are omitted (the page has them).
    The ± is half the 95 % interval of the mean over seeds. Costs are medians over seeds: trained weights, training
    time, peak memory, time for one text, and size of the saved folder. A star marks contenders of which a training
    collapsed.

    Args:
        result: the comparison.
        width: columns of the terminal.
    """
    ruler = Console(width=10_000, file=io.StringIO())
    for broken, omitted in ((False, 0), *((True, count) for count in range(len(OMITTED_FIRST) + 1))):
        table = _leaderboard(result, broken, OMITTED_FIRST[:omitted])
        if ruler.measure(table).maximum <= width:
            break
    return table


def _leaderboard(result: Result, broken: bool, omitted: Sequence[str]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim", collapse_padding=True)
    table.add_column("contender", no_wrap=not broken, overflow="fold")
    metric = deciding(result)
    table.add_column(scores.heading(metric), justify="right", no_wrap=True)
    table.add_column("against the best", no_wrap=True)
    costs = {title: name for title, name in COSTS.items() if title not in omitted}
    for title in costs:
        table.add_column(title, justify="right", no_wrap=True)
    leader = winner(result.standings)
    for line, standing in zip(board(result), result.standings, strict=True):
        style = "bold green" if standing is leader else ("green" if standing.ties else "")
        name = f"{line['contender']} {_collapse.MARK}" if line["mark"] else line["contender"]
        name = name.replace("@", "\n  @") if broken else name
        cells = (name, line["score"], against_best(standing, result.standings, metric))
        table.add_row(
            *(Text(visible(cell, unchanged="\n"), style=style) for cell in cells),
            *(Text(line[name]) for name in costs.values()),
        )
    return table


def show(result: Result, console: Console) -> None:
    """Print the findings of the audit, the leaderboard, the verdict and the path of the report."""
    splits = result.splits
    named = {"training": splits.train, "validation": splits.validation, "test": splits.test}
    sizes = ", ".join(f"{form.count(len(rows))} {name}" for name, rows in named.items())
    console.print(Text.assemble((visible(result.table.name), "bold"), f"  {sizes} rows"))
    for finding in sorted(result.audit.findings, key=lambda f: SEVERITIES.index(f.severity)):
        if finding.severity != "fine":
            console.print(_finding(finding.severity, finding.sentence))
    if result.table.rejected:
        console.print(_finding("warning", f"{form.plural(len(result.table.rejected), 'row')} could not be used."))
    console.print()
    table = leaderboard(result, console.width)
    console.print(table)
    lower = "" if deciding(result).higher else f"{scores.LOWER} lower is better; "
    note = f"{lower}± half of the 95 % interval; ties: no evidence of a difference from the best"
    console.print(Text(note, style="dim"))
    shown = {str(column.header) for column in table.columns}
    legend = "; ".join(f"{title}: {meaning}" for title, meaning in LEGEND.items() if title in shown)
    if legend:
        console.print(Text(legend, style="dim"))
    if missing := [title for title in COSTS if title not in shown]:
        console.print(Text(f"columns that do not fit here are in the report: {', '.join(missing)}", style="dim"))
    if names := pretrained(result):
        console.print(Text(f"pretrained: {visible(names)}", style="dim"))
    for line in board(result):
        if line["mark"]:
            console.print(Text(visible(f"{_collapse.MARK} {line['contender']}: {line['mark']}"), style="yellow"))
    console.print()
    parts = (columns.sentences(result), subsets.sentences(result), stress.sentences(result.stress, deciding(result)))
    for sentence in (*wording.verdict_of(result), *(each for part in parts for each in part)):
        console.print(Text(visible(sentence)))
    console.print()
    path = visible(str(result.folder / "report.html"))
    console.print(Text.assemble("Full report: ", (path, "bold")), soft_wrap=True)


def html(result: Result, overview: Overview | None = None) -> str:
    """Build the report: one HTML page that loads no other resource and escapes all text from the data.

    Args:
        result: the comparison.
        overview: the best model explained on test rows; None for no such section.
    """
    words = None if overview is None else explained.view(overview)
    return environment().get_template("page.html").render(**view(result), explained=words)


def write(result: Result, path: Path, overview: Overview | None = None) -> None:
    """Write the report to a file atomically. Args: as for :func:`html`."""
    make_folder(path.parent)
    write_whole(path, html(result, overview))


def fragment(result: Result) -> str:
    """Build the verdict and the leaderboard as an HTML fragment for a notebook."""
    return (
        environment()
        .get_template("fragment.html")
        .render(
            result=result,
            metric=scores.heading(deciding(result)),
            verdict=wording.verdict_of(result),
            board=board(result),
            pretrained=pretrained(result),
        )
    )


def as_json(result: Result) -> dict[str, Any]:
    """Turn a result into plain dictionaries, lists, strings and numbers, with keys that are stable between versions.

    Texts are left out, since they may be private; predictions are stored next to each trial's record. A number that is
    not finite becomes null, since JSON cannot represent it. The last key holds a hash of the others.
    """
    splits = {"train": result.splits.train, "validation": result.splits.validation, "test": result.splits.test}
    fields: dict[str, Any] = {
        "name": result.name,
        "task": result.task,
        "kind": result.rules.kind,
        "metric": result.metric,
        "unit": deciding(result).unit,
        "higher_is_better": deciding(result).higher,
        "best": winner(result.standings).contender,
        "verdict": wording.verdict_of(result),
        "standings": result.standings,
        "curve": result.curve,
        "equivalents": result.equivalents,
        "ladder": result.ladder,
        "receipts": result.baselines,  # the key of earlier versions
        "text_and_columns": result.columns,
        "by": result.by,
        "stress": stress.as_json(result.stress),
        "reliability": result.reliability,
        "skipped": result.skipped,
        "data": {
            "name": result.table.name,
            "columns": result.table.columns,
            "sha256": result.table.sha256,
            "rejected": result.table.rejected,
            "warnings": result.table.warnings,
        },
        "splits": {
            "sha256": result.splits.sha256,
            "rows": {name: len(rows) for name, rows in splits.items()},
            "leaked": sorted(result.splits.leaked),
        },
        "audit": result.audit,
        "trials": [_trial(record) for record in result.records],
        "report": result.folder / "report.html",
    }
    return checked.with_hash(plain(fields))


def plain(value: Any) -> Any:
    """Turn dataclasses, mappings, sequences, paths and numpy scalars into types that the json module can write.

    >>> plain({"path": Path("runs"), "scores": (0.5, float("nan"))})
    {'path': 'runs', 'scores': [0.5, None]}
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def picture(result: Result) -> str:
    """Draw the leaderboard as an SVG of a terminal for a README; equal results give equal bytes."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(leaderboard(result))
    return console.export_svg(
        title=visible(f"headstart compare {result.table.name}"), code_format=FRAME, unique_id="board"
    )


# --- parts ---------------------------------------------------------------------------------------------------


def _finding(severity: str, sentence: str) -> Table:
    """Format a finding so that a long sentence wraps next to its severity, not below it."""
    line = Table.grid(padding=(0, 1))
    line.add_column(width=8, style={"warning": "yellow", "fine": "green"}.get(severity, "dim"))
    line.add_column()
    line.add_row(severity, Text(visible(sentence)))
    return line


def environment() -> Environment:
    """Return the templates of this folder, with their filters; every text is escaped and cleaned."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("headstart.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    environment.globals["css"] = Markup(css)
    environment.finalize = _finalize
    environment.filters["shown"] = form.shorten
    environment.filters["tight"] = _tight
    environment.filters["count"] = form.count
    return environment


def _finalize(value: Any) -> Any:
    """Clean every string that enters a template, so that none can be forgotten; Markup passes unchanged."""
    return form.clean(value) if type(value) is str else value


def _tight(text: str) -> str:
    """Keep a number and its unit on one line.

    >>> _tight("it takes 3.2 ms").split(" ")[-1]
    '3.2\\xa0ms'
    """
    return re.sub(
        r"(?<=\d) (?=(?:%|ms|s|min|h|[kMG]?B|M|points?|rows?|times)(?:\W|$))|(?<=\d) (?=±)|(?<=±) ", "\u00a0", text
    )


def _trial(record: Record) -> dict[str, Any]:
    names = [field.name for field in dataclasses.fields(record) if field.name != "predictions"]
    return {name: getattr(record, name) for name in names}
