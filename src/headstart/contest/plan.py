"""What will be run: every contender at every size with every seed, the cheapest first."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from headstart.contenders import _members
from headstart.contenders import load as load_contender
from headstart.contenders import plugin as contender_class
from headstart.contest import backbones
from headstart.core import rooms
from headstart.core.contracts import Contender, Task, Value
from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.core.records import Trial
from headstart.core.tabular import NO_COLUMNS
from headstart.core.text_tasks import by_likelihood
from headstart.strategies import load as load_strategy
from headstart.strategies import plugin as strategy_class

CONTENDERS = ("majority", "linear", "scratch", "finetuned")
WRITERS = ("majority", "nearest", "seq2seq", "finetuned")  # where answers are generated
BY_LIKELIHOOD = ("majority", "decoder", "finetuned")  # where these are judged by how likely they are
STRATEGIES = ("frozen", "partial", "full")
LEAST_ROWS = 20  # of a point on the learning curve
USUAL_WAY = NO_COLUMNS.way


@dataclass(frozen=True)
class Plan:
    """The trials in the order they will run, and the contenders that cannot be run with the reason."""

    trials: tuple[Trial, ...]
    skipped: Mapping[str, str]


def default_contenders(task: Task) -> tuple[str, ...]:
    """Return the contenders that compete unless others are named."""
    if by_likelihood(task):
        return BY_LIKELIHOOD
    return WRITERS if task.generates else CONTENDERS


def plan(
    *,
    task: Task,
    train_rows: int,
    contenders: Sequence[str] = CONTENDERS,
    strategies: Sequence[str] = STRATEGIES,
    backbone: str | Sequence[str] = "minilm",
    options: Mapping[str, Value] | None = None,
    sizes: Sequence[int | str] = ("all",),
    seeds: Sequence[int] = (0, 1, 2),
    augment: str = "none",
) -> Plan:
    """Combine contenders, sizes and seeds into trials.

    A contender with a field `strategy` is run once per strategy, unless it is written 'finetuned:full'; its field
    `options` is set to that strategy's. A contender with a field `backbone` gets the backbone; with several it is run
    once on each, as in 'finetuned:full@e5-small', and another contender that builds on it without naming a backbone
    uses the first, or its own. A `deterministic` contender is run once, not once per seed, on all rows; its subsets
    differ by seed. A contender that builds on others comes after them.

    Args:
        task: the task, not fitted.
        train_rows: number of training rows.
        contenders: file names in the package; 'all' for every one.
        strategies: file names in the package; 'all' for every one.
        backbone: one or several, see `contest.backbones`.
        options: 'contender.field' or 'strategy.field' -> value, as in ``--set scratch.layers=4``.
        sizes: numbers of training rows, and 'all'; a size of all rows or more means all.
        seeds: the random seeds.
        augment: 'typos' for each contender with an option `augment` to be run a second time with that value.

    Raises:
        UsageError: an unknown contender, strategy, option or size; or no contender that can augment its texts.
    """
    chosen = _cheapest_first("contenders", default_contenders(task)) if "all" in contenders else list(contenders)
    strategy_names = _cheapest_first("strategies", STRATEGIES) if "all" in strategies else list(strategies)
    for strategy in strategy_names:
        strategy_class(strategy)
    given = by_owner(options or {})
    named = backbones.named(backbones.read(backbone))
    for owner in given:
        if len(named) > 1 and "backbone" in given[owner]:
            raise UsageError(f"several backbones compete, so {owner}.backbone is ambiguous; leave it out.")
    build = functools.partial(_build, named=named, given=given)
    contestants: dict[str, _Contestant] = {}
    skipped: dict[str, str] = {}
    if task.tabular.names:
        chosen = [way for name in chosen for way in (*_ways_with_columns(name), name)]
    built = [contestant for name in chosen for contestant in build(name, strategy_names)]
    for contestant in built if augment == "none" else _with_augmented(built, augment):
        _check_columns(contestant, task)
        if reason := _members.unsupported(contestant.plugin, task):
            skipped[contestant.name] = reason
        elif task.tabular.names and not contestant.plugin.reads_columns:
            skipped[contestant.name] = "it cannot read columns beside the text (--columns)"
        else:
            contestants[contestant.name] = contestant
    alone = tuple(name for name, contestant in contestants.items() if not contestant.members)
    entries = [_entry(contestant, task, alone, build) for contestant in contestants.values()]
    taking_part = (*skipped, *(name for entry in entries for name in entry.names))
    part = {word for name in taking_part for word in _members.divide(name)[:2] if word}
    part |= {_members.divide_way(word)[0] for word in part}
    for owner, values in given.items():
        if owner not in part and owner in rooms.names("tasks"):
            raise UsageError(
                f"option '{owner}.{next(iter(values))}': a task has no options, only what it learns from the rows; set "
                "those of a contender or strategy, such as scratch.layers=3."
            )
        if owner not in part:
            raise UsageError(
                f"option '{owner}.{next(iter(values))}' is for a contender or strategy that is not in the comparison; "
                f"{did_you_mean(owner, part)}"
            )
    return Plan(
        tuple(
            entry.trial(size, seed, seeds[0])
            for size in _sizes(sizes, train_rows)
            for entry in sorted(entries, key=lambda entry: entry.depth)
            for seed in (seeds[:1] if entry.runs_once(size) else seeds)
        ),
        skipped,
    )


@dataclass(frozen=True)
class _Contestant:
    """A contender with its options, and the name of its backbone; '' if there is only one."""

    plugin: Contender
    backbone: str = ""

    @property
    def name(self) -> str:
        return f"{self.plugin.name}@{self.backbone}" if self.backbone else self.plugin.name

    @property
    def members(self) -> tuple[str, ...]:
        return self.plugin.members


@dataclass(frozen=True)
class _Entry:
    """A contender with those it builds on."""

    contestant: _Contestant
    members: tuple[_Entry, ...]

    @property
    def depth(self) -> int:
        """The number of contenders that have to run, one after another, before this one."""
        return 1 + max((member.depth for member in self.members), default=-1)

    @property
    def names(self) -> set[str]:
        return {self.contestant.name}.union(*(member.names for member in self.members))

    def runs_once(self, size: int | None) -> bool:
        return size is None and self.contestant.plugin.deterministic

    def trial(self, size: int | None, seed: int, first: int) -> Trial:
        own = first if self.runs_once(size) else seed
        members = tuple(member.trial(size, seed, first) for member in self.members)
        plugin = self.contestant.plugin
        return Trial(self.contestant.name, dataclasses.asdict(plugin), size, own, members, plugin.tuning)


def _ways_with_columns(name: str) -> tuple[str, ...]:
    """Return what competes besides a contender of which no way is named, if there are columns beside the text.

    >>> _ways_with_columns("linear"), _ways_with_columns("linear:text")
    (('linear:columns', 'linear:text'), ())
    """
    kind, way, backbone = _members.divide(name)
    return () if way or backbone else tuple(f"{kind}:{way}" for way in contender_class(kind).ways_with_columns)


def _with_augmented(contestants: Sequence[_Contestant], augment: str) -> Iterator[_Contestant]:
    """Yield each contender and, if it can augment the texts it is trained on, the same with augmentation.

    Raises:
        UsageError: none of them can.
    """
    options = [dataclasses.asdict(contestant.plugin) for contestant in contestants]
    able = [own.get("augment") == "none" and own.get("columns") != "alone" for own in options]
    if not any(able) and not any(own.get("augment") == augment for own in options):
        raise UsageError(f"no contender can train on texts with {augment} (--augment); add linear or another that can.")
    for contestant, also in zip(contestants, able, strict=True):
        yield contestant
        if also:
            kind = rooms.name_of(type(contestant.plugin))
            values = {**vars(contestant.plugin), "augment": augment}
            yield _Contestant(load_contender(kind, values), contestant.backbone)


def _check_columns(contestant: _Contestant, task: Task) -> None:
    """Check that no contender is asked to read columns in a way of its own where there are none.

    Raises:
        UsageError: one is.
    """
    way = dataclasses.asdict(contestant.plugin).get("columns", USUAL_WAY)
    if way != USUAL_WAY and not task.tabular.names:
        raise UsageError(
            f"{shown(contestant.name)} reads columns beside the text in a way of its own ('{way}'), and there are "
            "none; name some with --columns."
        )


def learning_sizes(train_rows: int) -> tuple[int, ...]:
    """Return the smaller points of a learning curve: a tenth and a third of the training rows, rounded.

    >>> learning_sizes(14_237)
    (1400, 4700)
    """
    return tuple(max(LEAST_ROWS, int(float(f"{train_rows / part:.2g}"))) for part in (10, 3))


def check_reads_unlabelled(trials: Sequence[Trial]) -> None:
    """Raise an error if unlabelled texts were given but no contender uses them.

    Raises:
        UsageError: no contender of the trials reads them.
    """
    kinds = {_members.divide(trial.contender)[0] for trial in trials}
    readers = [name for name in rooms.names("contenders") if contender_class(name).reads_unlabelled]
    if kinds.isdisjoint(readers):
        raise UsageError(
            f"unlabelled texts were given, but no contender reads them; add {' or '.join(readers)} to the contenders."
        )


def _entry(
    contestant: _Contestant,
    task: Task,
    alone: tuple[str, ...],
    build: Callable[..., list[_Contestant]],
    above: tuple[str, ...] = (),
) -> _Entry:
    """Resolve what a contender builds on, which need not be part of the plan.

    Args:
        contestant: the contender.
        task: the task.
        alone: the contenders of the plan that build on no others, which the member 'all' means.
        build: builds the contender of a leaderboard name.
        above: what builds on this one.
    """
    name = contestant.name
    if name in above:
        raise UsageError(f"{' builds on '.join((*above, name))}, itself; name other members or another teacher.")
    if reason := _members.unsupported(contestant.plugin, task):
        raise UsageError(f"{' builds on '.join((*above, name))}, but {reason}; name other members or another teacher.")
    members = contestant.members
    if _members.ALL in members:
        if not alone:
            raise UsageError(
                f"contender {shown(name)} finds no others to build on; add some, "
                f"or name them, as in {_members.divide(name)[0]}.members=linear+scratch."
            )
        contestant = dataclasses.replace(contestant, plugin=dataclasses.replace(contestant.plugin, members=alone))
        members = alone
    built = [build(member, near=contestant.backbone)[0] for member in members]
    return _Entry(contestant, tuple(_entry(member, task, alone, build, (*above, name)) for member in built))


def _build(
    name: str,
    strategy_names: Sequence[str] = (),
    *,
    near: str = "",
    named: Mapping[str, str],
    given: Mapping[str, dict[str, Value]],
) -> list[_Contestant]:
    """Build the contender of a leaderboard name; several if it names no strategy or no backbone.

    Args:
        name: the leaderboard name.
        strategy_names: the strategies of the plan.
        near: the backbone of what builds on it, which comes first if it names none.
        named: the competing backbones, see `backbones.named`.
        given: options by contender or strategy.
    """
    kind, _, own = _members.divide(name)
    given_options = _members.options(name)
    if not _members.has_field(kind, "backbone"):
        chosen: dict[str, dict[str, Value]] = {"": {}}
    elif own:
        label = own if own in named else backbones.name_of(own)
        chosen = {label: {"backbone": named.get(own, own)}}
        del given_options["backbone"]
    else:
        first = [near] if near in named else []
        chosen = {label: {"backbone": named[label]} for label in dict.fromkeys([*first, *named])}
    built = []
    for label, values in chosen.items():
        values = {**values, **given.get(kind, {}), **given_options}
        if not _members.has_field(kind, "strategy"):
            built.append(_Contestant(load_contender(kind, values), label))
            continue
        known = not strategy_names or "strategy" in values
        for strategy in [dataclasses.asdict(load_contender(kind, values))["strategy"]] if known else strategy_names:
            spelt = _spelt(strategy, given.get(strategy, {}))
            options = {"options": spelt} if spelt else {}
            built.append(_Contestant(load_contender(kind, {**values, "strategy": strategy, **options}), label))
    return built


def _cheapest_first(room: str, known: Sequence[str]) -> list[str]:
    """Return the plugins of a package, those of known cost before the others."""
    return sorted(rooms.names(room), key=lambda name: known.index(name) if name in known else len(known))


def by_owner(options: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Group 'contender.field' options by contender, and 'strategy.field' options by strategy."""
    given: dict[str, dict[str, Value]] = {}
    for key, value in options.items():
        kind, dot, name = key.partition(".")
        if not dot:
            raise UsageError(f"option {shown(key)} does not say whose it is; write it as contender.{key}=VALUE.")
        given.setdefault(kind, {})[name] = value
    return given


def _spelt(strategy: str, options: Mapping[str, Value]) -> tuple[str, ...]:
    """Check a strategy's options and write each as text, equal values alike.

    >>> _spelt("lora", {"rank": "04", "targets": ("query", "value")})
    ('rank=4', 'targets=query+value')
    """
    values = dataclasses.asdict(load_strategy(strategy, options))
    return tuple(
        f"{name}={'+'.join(value) if isinstance(value, tuple) else value}"
        for name, value in sorted(values.items())
        if name in options
    )


def _sizes(sizes: Sequence[int | str], train_rows: int) -> list[int | None]:
    """Parse sizes: ascending, each once, None for all rows."""
    numbers: set[int] = set()
    for size in sizes:
        try:
            number = train_rows if size == "all" else int(size)
        except ValueError:
            raise UsageError(f"size {shown(size)} is not a number of training rows; give numbers and 'all'.") from None
        if number < 1:
            raise UsageError(f"a size of {number} training rows makes no sense; give numbers from 1 and 'all'.")
        numbers.add(min(number, train_rows))
    return [None if number == train_rows else number for number in sorted(numbers)]
