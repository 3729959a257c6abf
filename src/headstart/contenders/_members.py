"""Contenders that build on others' models: what a leaderboard name means, and the model of that name.

Such a contender has a property `members`: the leaderboard names that it builds on, 'all' for every contender of the
plan that builds on none.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from headstart import contenders, strategies
from headstart.core import rooms
from headstart.core.contracts import Contender, Fitted, Task, Value
from headstart.core.errors import UsageError, shown
from headstart.core.records import Rows, Run
from headstart.core.text_tasks import by_likelihood

ALL = "all"


def divide(name: str) -> tuple[str, str, str]:
    """Split a leaderboard name into the contender, its variant and its backbone, the last two '' if not named.

    >>> divide("finetuned:full@e5-small"), divide("linear"), divide("distilled@hf://owner/name")
    (('finetuned', 'full', 'e5-small'), ('linear', '', ''), ('distilled', '', 'hf://owner/name'))
    """
    front, _, backbone = name.partition("@")
    kind, _, way = front.partition(":")
    return kind, way, backbone


def divide_way(way: str) -> tuple[str, str]:
    """Split a variant into a strategy and what follows it, '' for nothing.

    >>> divide_way("full-text"), divide_way("full")
    (('full', 'text'), ('full', ''))
    """
    if way in rooms.names("strategies"):
        return way, ""
    strategy, _, rest = way.partition("-")
    return strategy, rest


def options(name: str) -> dict[str, Value]:
    """Return the options of a leaderboard name.

    After a colon follows a strategy if the contender has them, or what its `named` parses, which may also follow a
    strategy and a hyphen; after an @ a backbone if it uses one.

    Raises:
        UsageError: an unknown contender, or a second part if it has none.

    >>> options("finetuned:full"), options("linear")
    ({'strategy': 'full'}, {})
    >>> options("finetuned:full@minilm")
    {'strategy': 'full', 'backbone': 'minilm'}
    >>> options("finetuned:full-text")
    {'strategy': 'full', 'columns': 'none'}
    """
    kind, way, backbone = divide(name)
    parsed: dict[str, Value] = {}
    if way and has_field(kind, "strategy"):
        strategy, rest = divide_way(way)
        strategies.plugin(strategy)
        parsed = {"strategy": strategy, **(contenders.plugin(kind).named(rest) if rest else {})}
    elif way not in ("", *rooms.names("strategies")):
        parsed = contenders.plugin(kind).named(way)
    if way and not parsed:
        raise UsageError(f"contender '{kind}' has no strategies; write '{kind}' instead of {shown(name)}.")
    if backbone and not has_field(kind, "backbone"):
        raise UsageError(f"contender '{kind}' builds on no backbone; leave '@{backbone}' out.")
    return {**parsed, **({"backbone": backbone} if backbone else {})}


def has_field(kind: str, name: str) -> bool:
    """Return whether a contender has an option of that name."""
    return any(field.name == name for field in dataclasses.fields(contenders.plugin(kind)))


def build(name: str, backbone: str | None = None, more: Mapping[str, Value] | None = None) -> Contender:
    """Build the contender of a leaderboard name, on a backbone if it uses one and one is given.

    Args:
        name: the leaderboard name.
        backbone: source of the backbone; None for the contender's own.
        more: further options of the contender, field -> value.

    Raises:
        UsageError: as for :func:`options`; an unknown option, or a value of the wrong type.
    """
    kind = divide(name)[0]
    values = options(name)
    if backbone and has_field(kind, "backbone"):
        values.setdefault("backbone", backbone)
    return contenders.load(kind, {**values, **(more or {})})


def unsupported(contender: type[Contender] | Contender, task: type[Task] | Task) -> str:
    """Say why a contender cannot learn a task; '' if it can.

    >>> unsupported(contenders.plugin("linear"), rooms.plugin("tasks", "qa"))
    "it cannot learn tasks whose answers are of the kind 'text', only of the kinds facts, label, labels, number"
    """
    if task.kind in contender.kinds:
        if task.generates and contender.generates == "never":
            return "it cannot write texts of its own"
        if by_likelihood(task) and not contender.has_likelihoods:
            return "it does not say how likely a text is, by which this task is judged"
        if not task.generates and contender.generates == "only":
            return "it writes texts of its own, and answers of this task are parts of its inputs"
        return ""
    return (
        f"it cannot learn tasks whose answers are of the kind '{task.kind}', only of the kinds "
        f"{', '.join(sorted(contender.kinds))}"
    )


def fitted(
    name: str, train: Rows, validation: Rows, task: Task, run: Run, backbone: str | None = None
) -> tuple[Fitted, float]:
    """Return another contender's model, and the seconds of its training if it was trained before.

    In a contest it is the model trained there. Outside, the contender is trained now, in a folder inside `run.folder`.

    Args:
        name: its leaderboard name.
        train: training rows.
        validation: validation rows.
        task: the task, fitted.
        run: the context of the training.
        backbone: its backbone outside a contest; None for its own.

    Raises:
        UsageError: it cannot learn tasks of this kind.
        HeadstartError: it could not be trained.
    """
    if run.fitted is not None:
        return run.fitted(name)
    contender = build(name, backbone)
    if reason := unsupported(contender, task):
        raise UsageError(f"contender {shown(name)}: {reason}.")
    place = dataclasses.replace(run, folder=run.folder / re.sub(r"[^\w.-]+", "-", name))
    return contender.fit(train, validation, task, place), 0.0
