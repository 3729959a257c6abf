"""What each level adds, from predicting the most frequent label to the most expensive way of training.

A contender, or its strategy, names its level in a class variable `level`; without one it is not on the ladder.
"""

from __future__ import annotations

from collections.abc import Sequence

from headstart import contenders, strategies
from headstart.contenders import _members
from headstart.contest import curve
from headstart.contest.rank import LEVEL, best_on_validation, full_size, paired
from headstart.core import rooms
from headstart.core.contracts import Task
from headstart.core.records import Record, Splits
from headstart.core.results import LadderLevel, Standing
from headstart.core.tally import Metric

# From the bottom up: each needs more outside knowledge or more computation than the one below.
LEVELS = (
    "floor",
    "linear",
    "scratch",
    "self-pretrained",
    "distilled",
    "frozen",
    "light tuning",
    "full tuning",
    "ensemble",
)


def ladder(
    records: Sequence[Record], standings: Sequence[Standing], splits: Splits, task: Task, metric: Metric
) -> tuple[LadderLevel, ...]:
    """Choose one contender per level and compare it with the best of the levels below, on the same test rows.

    The representative of a level and the best below are chosen on validation: chosen on test, every gain would be
    inflated. The p-values are corrected for the number of levels (Holm).

    Args:
        records: of any sizes; those on fewer rows than all show how many labels a level is worth.
        standings: the leaderboard of the same records.
        splits: the split of the data.
        task: of these rows.
        metric: the score that decides, one of the task's.
    """
    teams = full_size(records)
    levels = {name: level_of(name) for name in teams}
    climbed = [
        (level, best_on_validation([name for name in teams if levels[name] == level], teams, metric))
        for level in LEVELS
        if level in levels.values()
    ]
    names = [name for _, name in climbed]
    below = [best_on_validation(names[:place], teams, metric) for place in range(1, len(names))]
    comparisons = paired(list(zip(names[1:], below, strict=True)), teams, splits.test, task, metric)
    lines = {standing.contender: standing for standing in standings}
    steps = [LadderLevel(level, name, lines[name].score, lines[name].cost) for level, name in climbed[:1]]
    for (level, name), over, compared in zip(climbed[1:], below, comparisons, strict=True):
        steps.append(
            LadderLevel(
                level,
                name,
                lines[name].score,
                lines[name].cost,
                over,
                compared.difference,
                compared.p_value,
                compared.p_value > LEVEL,
                curve.worth(records, metric, over, name),
            )
        )
    return tuple(steps)


def level_of(contender: str) -> str:
    """Return the level of a contender; '' if it has none.

    >>> level_of("linear"), level_of("finetuned:full")
    ('linear', 'full tuning')
    """
    kind, way, _ = _members.divide(contender)
    strategy = _members.divide_way(way)[0]
    level = strategies.plugin(strategy).level if strategy in rooms.names("strategies") else ""
    if not level and kind in rooms.names("contenders"):
        level = contenders.plugin(kind).level
    return level
