"""What will be run: every contender at every size with every seed, the cheapest first."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headstart.core import rooms
from headstart.core.errors import UsageError, did_you_mean
from headstart.core.records import Trial

CONTENDERS = ("majority", "linear", "scratch", "finetuned")
STRATEGIES = ("frozen", "partial", "full")


@dataclass(frozen=True)
class Plan:
    """The trials in the order they will run, and the contenders that cannot take part with the reason."""

    trials: tuple[Trial, ...]
    skipped: Mapping[str, str]


def plan(
    *,
    task: Any,
    train_rows: int,
    contenders: Sequence[str] = CONTENDERS,
    strategies: Sequence[str] = STRATEGIES,
    backbone: str = "minilm",
    options: Mapping[str, Any] | None = None,
    sizes: Sequence[int | str] = ("all",),
    seeds: Sequence[int] = (0, 1, 2),
) -> Plan:
    """Multiply contenders, sizes and seeds into trials.

    A contender with a field `strategy` competes once per strategy, unless it is written 'finetuned:full'; its field
    `options` takes that strategy's. One with a field `backbone` is given the backbone. A contender that says it is
    `deterministic` runs once, not once a seed, when it sees all rows; its subsets differ by seed.

    Args:
        contenders, strategies: file names in their rooms; 'all' for every one.
        options: 'contender.field' or 'strategy.field' -> value, as in ``--set scratch.layers=4``.
        sizes: numbers of training rows, and 'all'; a size of all rows or more means all.

    Raises:
        UsageError: an unknown contender, strategy, option or size.
    """
    chosen = rooms.names("contenders") if "all" in contenders else list(contenders)
    ways = rooms.names("strategies") if "all" in strategies else list(strategies)
    for way in ways:
        rooms.plugin("strategies", way)
    given = _options(options or {})
    part: set[str] = set()
    entries: list[Any] = []
    skipped: dict[str, str] = {}
    for name in chosen:
        kind, _, way = name.partition(":")
        fields = {field.name for field in dataclasses.fields(rooms.plugin("contenders", kind))}
        if way and "strategy" not in fields:
            raise UsageError(f"contender '{kind}' has no strategies; write '{kind}' instead of '{name}'.")
        values: dict[str, Any] = {"backbone": backbone} if "backbone" in fields else {}
        values |= given.get(kind, {})
        turns = [values]
        if "strategy" in fields and "strategy" not in given.get(kind, {}):
            turns = [{**values, "strategy": turn} for turn in ([way] if way else ways)]
        for turn in turns:
            part.add(kind)
            if "strategy" in fields:
                part.add(turn["strategy"])
                own = _spelt(turn["strategy"], given.get(turn["strategy"], {}))
                turn = {**turn, "options": own} if own else turn
            entry = rooms.load("contenders", kind, turn)
            reason = entry.supports(task)
            if reason:
                skipped[entry.name] = reason
            elif entry not in entries:
                entries.append(entry)
    for owner in given:
        if owner not in part:
            key = f"{owner}.{next(iter(given[owner]))}"
            raise UsageError(
                f"option '{key}' is for a contender or strategy that does not take part; {did_you_mean(owner, part)}"
            )
    return Plan(
        tuple(
            Trial(entry.name, dataclasses.asdict(entry), size, seed)
            for size in _sizes(sizes, train_rows)
            for entry in entries
            for seed in (seeds[:1] if size is None and getattr(entry, "deterministic", False) else seeds)
        ),
        skipped,
    )


def _options(options: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sort 'contender.field' options by contender, and 'strategy.field' options by strategy."""
    given: dict[str, dict[str, Any]] = {}
    for key, value in options.items():
        kind, dot, name = key.partition(".")
        if not dot:
            raise UsageError(f"option '{key}' does not say whose it is; write it as contender.{key}=VALUE.")
        given.setdefault(kind, {})[name] = value
    return given


def _spelt(strategy: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Check a strategy's options and write each as one text, equal values alike.

    >>> _spelt("lora", {"rank": "04", "targets": ("query", "value")})
    ('rank=4', 'targets=query+value')
    """
    made = rooms.load("strategies", strategy, dict(options))
    values = {name: getattr(made, name) for name in options}
    return tuple(
        f"{name}={'+'.join(value) if isinstance(value, tuple) else value}" for name, value in sorted(values.items())
    )


def _sizes(sizes: Sequence[int | str], train_rows: int) -> list[int | None]:
    """Read sizes: ascending, each once, None for all rows."""
    numbers: set[int] = set()
    for size in sizes:
        try:
            number = train_rows if size == "all" else int(size)
        except ValueError:
            raise UsageError(f"size '{size}' is no number of training rows; give numbers and 'all'.") from None
        if number < 1:
            raise UsageError(f"a size of {number} training rows makes no sense; give numbers from 1 and 'all'.")
        numbers.add(min(number, train_rows))
    return [None if number == train_rows else number for number in sorted(numbers)]
