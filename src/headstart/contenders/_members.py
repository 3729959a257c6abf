"""Contenders that build on others' models: what a leaderboard name stands for, and the model of that name.

Such a contender has a property `members`: the leaderboard names that it builds on, 'all' for every contender of the
plan that builds on none.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from headstart.core import rooms
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Run

ALL = "all"


def options(name: str) -> dict[str, Any]:
    """Read the options that the second part of a leaderboard name stands for.

    After the colon stands a strategy where the contender has them, or what its static method `named` reads.

    Raises:
        UsageError: an unknown contender, or a second part where it takes none.

    >>> options("finetuned:full"), options("linear")
    ({'strategy': 'full'}, {})
    """
    kind, _, way = name.partition(":")
    plugin: Any = rooms.plugin("contenders", kind)
    if not way:
        return {}
    if any(field.name == "strategy" for field in dataclasses.fields(plugin)):
        rooms.plugin("strategies", way)
        return {"strategy": way}
    if hasattr(plugin, "named"):
        found: dict[str, Any] = plugin.named(way)
        return found
    raise UsageError(f"contender '{kind}' has no strategies; write '{kind}' instead of '{name}'.")


def build(name: str, backbone: str | None = None, more: Mapping[str, Any] | None = None) -> Any:
    """Build the contender of a leaderboard name, on a backbone where it has one and one is given.

    Args:
        more: further options of the contender, field -> value.

    Raises:
        UsageError: as :func:`options`; an unknown option, or a value of the wrong type.
    """
    kind = name.partition(":")[0]
    values = options(name)
    if backbone and any(field.name == "backbone" for field in dataclasses.fields(rooms.plugin("contenders", kind))):
        values["backbone"] = backbone
    return rooms.load("contenders", kind, {**values, **(more or {})})


def fitted(
    name: str, train: Rows, validation: Rows, task: Any, run: Run, backbone: str | None = None
) -> tuple[Any, float]:
    """Return another contender's model, and the seconds its training took at some other time.

    In a contest it is the one trained there. Outside, the contender is trained now, in a folder inside `run.folder`.

    Args:
        backbone: what it is trained from outside a contest, where it has one; None for its own.

    Raises:
        HeadstartError: it could not be trained.
    """
    if run.fitted is not None:
        return run.fitted(name)
    place = dataclasses.replace(run, folder=run.folder / name.replace(":", "-"))
    return build(name, backbone).fit(train, validation, task, place), 0.0
