"""Options and arguments that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headstart.core.errors import UsageError, shown

Task = Annotated[str | None, typer.Option(metavar="NAME", help="Task, see list. Default: guessed from the columns.")]
Text = Annotated[str | None, typer.Option(metavar="COL", help="Column with the text. Default: detected.")]
Label = Annotated[str | None, typer.Option(metavar="COL", help="Column with the label. Default: detected.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="ROLE=COL",
        help="Column of another role of the task, such as question=query; may be repeated. Default: detected.",
    ),
]
Group = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Column with a person, product or document whose rows are never split."),
]
Time = Annotated[
    str | None, typer.Option(metavar="COL", help="Column with a date: train on the past, test on the future.")
]
By = Annotated[
    str | None,
    typer.Option(metavar="COL", help="Column of the test rows, such as a language: scores for each of its values too."),
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Encoding of the files, such as gb18030. Default: detected.")
]
Test = Annotated[str | None, typer.Option(metavar="FILE", help="Your own test rows. Default: 20 % of DATA.")]
Validation = Annotated[
    str | None, typer.Option(metavar="FILE", help="Your own validation rows. Default: 10 % of DATA.")
]
Unlabelled = Annotated[
    str | None, typer.Option(metavar="FILE", help="More texts, without labels, for contenders that use them.")
]
Contenders = Annotated[
    str | None,
    typer.Option(metavar="A,B", help="Contenders to train, or all. Default: majority,linear,scratch,finetuned."),
]
Strategies = Annotated[
    str | None, typer.Option(metavar="X,Y", help="Fine-tuning strategies, or all. Default: frozen,partial,full.")
]
Sizes = Annotated[
    str | None,
    typer.Option(
        metavar="N,..,all",
        help="Numbers of training rows of the learning curve, which shows how many labels pretraining is worth. "
        "Default: a tenth, a third and all of them, which takes about 50 % longer than --sizes all.",
    ),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME.OPTION=VALUE", help="An option of a contender or strategy; may be repeated."),
]
Backbone = Annotated[
    str,
    typer.Option(
        metavar="MODEL[,..]",
        help="Pretrained models: folders, packaged ones (see list), or hf://owner/name[@revision].",
    ),
]
Out = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Output folder. Default: runs/NAME.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Threads = Annotated[int | None, typer.Option(min=1, help="Number of CPU threads. Default: one per core.")]
Track = Annotated[
    str | None,
    typer.Option(metavar="NAME,NAME", help="Also log each training to tensorboard, wandb or mlflow."),
]
Seed = Annotated[int, typer.Option(help="Random seed of the split and the first training.")]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="CSV, TSV, TXT, JSONL, Parquet, - (standard input) or hf://datasets/owner/name."
    ),
]


def names(listed: str | None) -> list[str] | None:
    """Parse a list such as 'linear, scratch'."""
    return None if listed is None else [name.strip() for name in listed.split(",") if name.strip()]


def assignments(listed: list[str]) -> dict[str, str]:
    """Parse assignments such as 'scratch.layers=3'."""
    options = {}
    for assignment in listed:
        name, sign, value = assignment.partition("=")
        if not sign or "." not in name:
            raise UsageError(f"cannot parse --set {shown(assignment)}; write it as in --set scratch.layers=3.")
        options[name] = value
    return options


def roles(text: str | None, label: str | None, listed: list[str] | None) -> dict[str, str]:
    """Parse assignments such as 'question=query' into role -> column, and add those of --text and --label."""
    named = {role: column for role, column in (("text", text), ("label", label)) if column is not None}
    for assignment in listed or []:
        role, sign, column = assignment.partition("=")
        if not (role and sign and column):
            raise UsageError(f"cannot parse --column {shown(assignment)}; write it as in --column question=query.")
        if named.setdefault(role, column) != column:
            raise UsageError(f"the {role} is read from {shown(named[role])} and from {shown(column)}; name one column.")
    return named
