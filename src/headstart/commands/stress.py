"""headstart stress."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from click import Argument, IntRange, Option

from headstart.commands import _output
from headstart.commands._options import command, names, roles, use_threads
from headstart.core.errors import visible

OPTIONS = (
    Argument(["model"], help="A model folder, such as runs/NAME/best."),
    Argument(["file"], type=Path, help="CSV, TSV, JSONL or Parquet with texts and labels."),
    Option(["--only"], metavar="A,B", help="Transformations, see list. Default: all that suit the texts."),
    Option(["--rows"], type=IntRange(1), metavar="N", default=500, help="Number of rows, chosen at random."),
    Option(["--metric"], metavar="M", help="accuracy (default), macro-F1, MCC, ..."),
    Option(["--seed"], default=0, metavar="N", help="Random seed of the rows and the transformations."),
)


@command(*OPTIONS)
def stress(
    model: str,
    file: Path,
    only: str | None,
    rows: int,
    metric: str | None,
    text: str | None,
    label: str | None,
    column: tuple[str, ...],
    encoding: str | None,
    backbone: str,
    as_json: bool,
    seed: int,
    threads: int | None,
) -> None:
    """Measure what typos, capitals, missing punctuation and the like do to a model, on labelled rows.

    Each row is predicted as it is and after each transformation. The losses have 95 % intervals that are paired by
    rows, and p-values corrected for the number of transformations.
    """
    use_threads(threads)
    columns = roles(text, label, column)
    from headstart import usage

    usage.check_stress(model, file, names(only))
    from headstart import prediction

    found, deciding = prediction.stress_file(
        model,
        file,
        columns=columns,
        encoding=encoding,
        only=names(only),
        rows=rows,
        metric=metric,
        seed=seed,
        backbone=backbone,
        report=_output.row_printer(file),
    )
    from rich.console import Console

    from headstart.report import build
    from headstart.report import stress as report

    if as_json:
        _output.print_json(report.as_json(found))
        return
    Console(width=None if sys.stdout.isatty() else build.WIDTH).print(report.table(found, deciding))
    lines = (*report.sentences(found, deciding), report.note(found), *report.caution(found))
    for line in (*lines, *report.broken_lines(found)):
        click.echo(visible(line))
