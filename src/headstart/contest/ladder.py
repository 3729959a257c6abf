"""What each rung adds, from answering the commonest label to the dearest way of learning.

A contender, or the strategy by which it learns, names its rung in a class variable `rung`; without one it stands
beside the ladder.
"""

from __future__ import annotations

from collections.abc import Sequence

from headstart.contenders import _members
from headstart.contest import curve
from headstart.contest.rank import LEVEL, full_size, validation_mean
from headstart.core import rooms
from headstart.core.records import Record, Rung, Splits, Standing
from headstart.metrics import stats

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

    Who stands for a rung, and who is the best below, is decided on validation: were it on test, every gain would be
    the larger for having been picked. The p-values are corrected for the number of rungs (Holm).

    Args:
        records: of any sizes; those on fewer rows than all say what a rung is worth in labels.
        standings: the leaderboard of the same records.
    """
    teams = full_size(records)
    means = {name: validation_mean(team, metric) for name, team in teams.items()}
    holders: dict[str, str] = {}
    for name in sorted(means, key=lambda name: -means[name]):
        holders.setdefault(rung_of(name), name)
    climbed = [(rung, holders[rung]) for rung in RUNGS if rung in holders]
    below = [max((name for _, name in climbed[:place]), key=means.__getitem__) for place in range(1, len(climbed))]
    answers = {name: [record.predictions.values for record in team] for name, team in teams.items()}
    duels = [
        stats.compare(splits.test.targets, answers[name], answers[over], metric)
        for (_, name), over in zip(climbed[1:], below, strict=True)
    ]
    corrected = stats.holm([duel.p_value for duel in duels])
    lines = {standing.contender: standing for standing in standings}
    rungs = [Rung(rung, name, lines[name].score, lines[name].cost) for rung, name in climbed[:1]]
    for (rung, name), over, duel, p_value in zip(climbed[1:], below, duels, corrected, strict=True):
        rungs.append(
            Rung(
                rung,
                name,
                lines[name].score,
                lines[name].cost,
                over,
                duel.difference,
                p_value,
                p_value > LEVEL,
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
    for room, name in (("strategies", way), ("contenders", kind)):
        if name in rooms.names(room):
            rung: str = getattr(rooms.plugin(room, name), "rung", "")
            if rung:
                return rung
    return ""
