"""What each rung adds, from answering the commonest label to the most expensive way of learning.

A contender, or the strategy by which it learns, names its rung in a class variable `rung`; without one it stands
beside the ladder.
"""

from __future__ import annotations

from collections.abc import Sequence

from headstart import contenders, strategies
from headstart.contenders import _members
from headstart.contest import curve
from headstart.contest.rank import LEVEL, best_on_validation, full_size, paired
from headstart.core import rooms
from headstart.core.records import Record, Splits
from headstart.core.results import Rung, Standing

# From the bottom up: each asks for more than the one below, in knowledge from elsewhere or in computing.
RUNGS = (
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


def ladder(records: Sequence[Record], standings: Sequence[Standing], splits: Splits, metric: str) -> tuple[Rung, ...]:
    """Stand one contender on each rung and compare it with the best of those below, on the same test rows.

    Who represents a rung, and who is the best below, is decided on validation: decided on test, every gain would be
    inflated by that choice. The p-values are corrected for the number of rungs (Holm).

    Args:
        records: of any sizes; those on fewer rows than all say what a rung is worth in labels.
        standings: the leaderboard of the same records.
    """
    teams = full_size(records)
    rungs_of = {name: rung_of(name) for name in teams}
    climbed = [
        (rung, best_on_validation([name for name in teams if rungs_of[name] == rung], teams, metric))
        for rung in RUNGS
        if rung in rungs_of.values()
    ]
    names = [name for _, name in climbed]
    below = [best_on_validation(names[:place], teams, metric) for place in range(1, len(names))]
    duels = paired(list(zip(names[1:], below, strict=True)), teams, splits.test, metric)
    lines = {standing.contender: standing for standing in standings}
    rungs = [Rung(rung, name, lines[name].score, lines[name].cost) for rung, name in climbed[:1]]
    for (rung, name), over, duel in zip(climbed[1:], below, duels, strict=True):
        rungs.append(
            Rung(
                rung,
                name,
                lines[name].score,
                lines[name].cost,
                over,
                duel.difference,
                duel.p_value,
                duel.p_value > LEVEL,
                curve.worth(records, metric, over, name),
            )
        )
    return tuple(rungs)


def rung_of(contender: str) -> str:
    """Say on which rung a contender stands; '' for none.

    >>> rung_of("linear"), rung_of("finetuned:full")
    ('linear', 'full tuning')
    """
    kind, way, _ = _members.divide(contender)
    rung = strategies.plugin(way).rung if way in rooms.names("strategies") else ""
    if not rung and kind in rooms.names("contenders"):
        rung = contenders.plugin(kind).rung
    return rung
