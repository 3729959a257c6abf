"""What commands share: declaring one, options of several commands, and parsing lists."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from click import Argument, IntRange, Option

from headstart.core.errors import UsageError, shown

# Of several commands.
SHARED = (
    Argument(
        ["data"],
        help="CSV, TSV, TXT, JSONL, Parquet, CoNLL, SQuAD's JSON, - (standard input) or hf://datasets/owner/name.",
    ),
    Option(["--task"], metavar="NAME", help="Task, see list. Default: guessed from the columns."),
    Option(["--test"], metavar="FILE", help="Your own test rows. Default: 20 % of DATA."),
    Option(["--validation"], metavar="FILE", help="Your own validation rows. Default: 10 % of DATA."),
    Option(["--text"], metavar="COL", help="Column with the text. Default: detected."),
    Option(["--label"], metavar="COL", help="Column with the label. Default: detected."),
    Option(
        ["--column"],
        multiple=True,
        metavar="ROLE=COL",
        help="Column of another role of the task, such as question=query; may be repeated. Default: detected.",
    ),
    Option(
        ["--columns", "features"],
        metavar="COL,COL",
        help="Columns to read beside the text, such as price,country: numbers and categories. "
        "(--column names the column of a role of the task itself.)",
    ),
    Option(["--group"], metavar="COL", help="Column with a person, product or document whose rows are never split."),
    Option(["--time"], metavar="COL", help="Column with a date: train on the past, test on the future."),
    Option(["--encoding"], metavar="NAME", help="Encoding of the files, such as gb18030. Default: detected."),
    Option(
        ["--backbone"],
        default="minilm",
        metavar="MODEL[,..]",
        help="Pretrained models: folders, packaged ones (see list), or hf://owner/name[@revision].",
    ),
    Option(
        ["--set", "options"],
        multiple=True,
        metavar="NAME.OPTION=VALUE",
        help="An option of a contender or strategy; may be repeated.",
    ),
    Option(["--out"], type=Path, metavar="FOLDER", help="Output folder. Default: runs/NAME."),
    Option(["--json", "as_json"], is_flag=True, help="Print the result as JSON on standard output."),
    Option(["--device"], default="auto", metavar="NAME", help="auto, cpu or cuda."),
    Option(["--seed"], default=0, metavar="N", help="Random seed of the split and the first training."),
    Option(["--threads"], type=IntRange(1), metavar="N", help="Number of CPU threads. Default: one per core."),
    Option(["--track"], metavar="NAME,NAME", help="Also log each training to tensorboard, wandb or mlflow."),
)


def names(listed: str | None) -> list[str] | None:
    """Parse a list such as 'linear, scratch'."""
    return None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]


def assignments(listed: Sequence[str]) -> dict[str, str]:
    """Parse assignments such as 'scratch.layers=3'."""
    options = {}
    for assignment in listed:
        name, sign, value = assignment.partition("=")
        if not sign or "." not in name:
            raise UsageError(f"cannot parse --set {shown(assignment)}; write it as in --set scratch.layers=3.")
        options[name] = value
    return options


def roles(text: str | None, label: str | None, listed: Sequence[str]) -> dict[str, str]:
    """Parse assignments such as 'question=query' into role -> column, and add those of --text and --label."""
    named = {role: column for role, column in (("text", text), ("label", label)) if column is not None}
    for assignment in listed:
        role, sign, column = assignment.partition("=")
        if not (role and sign and column):
            raise UsageError(
                f"cannot parse --column {shown(assignment)}; write it as in --column question=query. Columns beside "
                "the text are named by --columns."
            )
        if named.setdefault(role, column) != column:
            raise UsageError(f"the {role} is read from {shown(named[role])} and from {shown(column)}; name one column.")
    return named


def command(*own: click.Parameter) -> Callable[[Callable[..., None]], click.Command]:
    """Make a command of a function; each of its parameters is declared by its name in `own` or in `SHARED`."""
    known = {parameter.name: parameter for parameter in (*SHARED, *own)}

    def make(function: Callable[..., None]) -> click.Command:
        parameters = [known[name] for name in inspect.signature(function).parameters]
        return click.command(function.__name__.rstrip("_"), params=parameters)(function)

    return make


def use_threads(threads: int | None) -> None:
    """Limit the threads of every library; each reads its variable once, when it is loaded."""
    if threads is not None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"):
            os.environ[name] = str(threads)
