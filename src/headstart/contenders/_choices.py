"""Allowed values of contenders' options, in a module without torch so that options are checked quickly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from headstart.core.contracts import HeadPlan, Kind, Task, Value
from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.core.tabular import NAMES, Way

ClassWeights = Literal["none", "balanced"]
# Of a model to pretrain; see `job.SIZES`.
Size = Literal["tiny", "mini", "small", "base"]
# How columns beside the text are read, see `core.tabular`.
Columns = Literal["beside", "words", "none"]
COLUMNS: tuple[Columns, ...] = get_args(Columns)
# What training texts are augmented by, see `stress._augment`.
Augment = Literal["none", "typos"]
# Those that the heads of a Transformer answer.
KINDS: frozenset[Kind] = frozenset({"label", "labels", "number", "facts", "text"})


def head_plan(task: Task, crf: bool) -> HeadPlan:
    """Return the plan of a task's head, with scores of pairs of labels if wanted.

    Raises:
        UsageError: they are wanted, and the task has no labels of words.
    """
    plan = task.head()
    if crf and plan.suffix != "ForTokenClassification":
        raise UsageError("crf=true is for tasks that label words, such as ner, and this one does not; leave it out.")
    return replace(plan, crf=crf)


def way_name(way: Way, augment: Augment = "none") -> str:
    """Return what a leaderboard name says of how columns are read and texts are augmented; '' for the usual way.

    >>> way_name("none"), way_name("beside"), way_name("none", "typos")
    ('text', '', 'text-typos')
    """
    columns = next((name for name, named in NAMES.items() if named == way), "")
    return "-".join(filter(None, (columns, "" if augment == "none" else augment)))


def way_named(kind: str, name: str, ways: Sequence[str], augments: Sequence[str] = ("none",)) -> dict[str, Value]:
    """Parse what :func:`way_name` returned.

    Args:
        kind: file name of the contender.
        name: what its leaderboard name says.
        ways: how it can read columns.
        augments: how it can augment texts.

    Raises:
        UsageError: no such way.

    >>> way_named("linear", "text-typos", COLUMNS, get_args(Augment))
    {'columns': 'none', 'augment': 'typos'}
    """
    known: dict[str, dict[str, Value]] = {each: {"columns": way} for each, way in NAMES.items() if way in ways}
    for augment in augments:
        if augment != "none":
            texts = {each: options for each, options in known.items() if options["columns"] != "alone"}
            known |= {f"{each}-{augment}": {**options, "augment": augment} for each, options in texts.items()}
            known[augment] = {"augment": augment}
    if name not in known:
        raise UsageError(f"contender '{kind}' has no way {shown(name)}; {did_you_mean(name, known)}")
    return known[name]
