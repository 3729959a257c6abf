"""headstart explain."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click
from click import Argument, IntRange, Option

from headstart.commands import _output
from headstart.commands._options import command, roles, use_threads

OPTIONS = (
    Argument(["model"], help="A model folder, such as runs/NAME/best."),
    Argument(["file"], required=False, type=Path, help="Rows to explain: CSV, TSV, TXT, JSONL, Parquet, ..."),
    Option(
        ["--text", "texts"],
        multiple=True,
        metavar="TEXT",
        help="A text to explain; may be repeated. For pairs and questions both texts, one after the other.",
    ),
    Option(
        ["--method"],
        metavar="NAME",
        help="contributions, integrated-gradients, gradient-x-input or occlusion. "
        "Default: the most comprehensive one that was measured, otherwise the model's first.",
    ),
    Option(["--class", "name"], metavar="NAME", help="The class to explain. Default: what the model predicts."),
    Option(["--rows"], type=IntRange(1), default=100, metavar="N", help="Number of rows of FILE, drawn at random."),
    Option(["--html"], type=Path, metavar="OUT", help="Write a page with words in colour, and a picture of attention."),
)


@command(*OPTIONS)
def explain(
    model: str,
    file: Path | None,
    texts: tuple[str, ...],
    method: str | None,
    name: str | None,
    rows: int,
    column: tuple[str, ...],
    encoding: str | None,
    html: Path | None,
    as_json: bool,
    seed: int,
    threads: int | None,
) -> None:
    """Show which words of a text speak for what a model predicts, and which against it.

    With a FILE it also measures how well each method finds the words that the model needs, and shows the words that
    speak for each class and those that mistakes share.
    """
    use_threads(threads)
    columns = roles(None, None, column)
    from headstart import usage

    usage.check_explain(model, file, texts, method, columns)
    from rich.console import Console

    from headstart import explain as methods
    from headstart import explaining
    from headstart.core.records import Rows
    from headstart.explain import chosen
    from headstart.explain.chosen import Choice
    from headstart.explain.overview import overview
    from headstart.explain.show import show, show_words
    from headstart.prediction import open_model
    from headstart.report import build, explained

    fitted = open_model(model)
    if file is None:
        inputs = explaining.inputs_of(fitted.task, texts)
        choice = chosen.read(Path(model), fitted) if method is None else Choice(method)
        found = methods.explain(fitted, inputs, method=choice.method, name=name)
        typed = Rows(texts[: len(inputs)], inputs)
        view = overview(fitted, typed, choice=choice, name=name, attention=html is not None)
    else:
        view = explaining.overview_of(
            fitted,
            Path(model),
            file,
            columns=columns,
            encoding=encoding,
            method=method,
            name=name,
            rows=rows,
            seed=seed,
            attention=html is not None,
            report=_output.row_printer(file),
        )
        found = tuple(example.explanation for example in view.examples)
    if html is not None:
        explained.write(view, f"Why {Path(model)} answers as it does", html)
    if as_json:
        _output.print_json(build.plain(found if file is None else replace(view, attention=None)))
        return
    console = Console(width=None if sys.stdout.isatty() else build.WIDTH)
    show(found, console)
    click.echo(f"Method: {view.choice.sentence}.")
    if file is not None:
        show_words(view, console)
        for line in explained.lines(view.measured):
            click.echo(line)
