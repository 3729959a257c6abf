"""Who leads, by how much, and who ties: the leaderboard from the records of trials on all training rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from headstart.core.contracts import Task
from headstart.core.records import Cost, Predictions, Record, Rows, Splits
from headstart.core.results import BaselineComparison, Interval, Standing
from headstart.core.tally import Metric, Tally
from headstart.metrics import calibration, stats

LEVEL = 0.05
FLOOR = "majority"


@dataclass(frozen=True)
class Claim:
    """A contender compared with the others; false for any of them in at most 5 % of comparisons.

    p_value: of being as good as the best; None for the winner.
    behind: how far the winner is ahead of it.
    above_floor: whether it is shown to be better than `majority`; True if that did not run.
    """

    p_value: float | None
    behind: Interval | None
    above_floor: bool

    @property
    def ties(self) -> bool:
        """Whether there is no evidence of a difference from the best."""
        return self.p_value is not None and self.p_value > LEVEL


def rank(records: Sequence[Record], splits: Splits, task: Task, metric: Metric) -> tuple[Standing, ...]:
    """Sort the contenders by their mean score over seeds, the winner first, with intervals and claims.

    Args:
        records: of any sizes; only those on all training rows count here.
        splits: the split of the data.
        task: of these rows.
        metric: the score that decides, one of the task's.
    """
    teams = full_size(records)
    names = order(teams, metric)
    by_name = claims(names, joint(names, teams, splits.test, task, metric)) if names else {}
    return tuple(_standing(name, teams[name], splits, task, metric, claim) for name, claim in by_name.items())


def winner(standings: Sequence[Standing]) -> Standing:
    """Return the winner, which is stored in ``best`` and named in all outputs: the first line of the leaderboard."""
    return standings[0]


def order(teams: Mapping[str, Sequence[Record]], metric: Metric) -> list[str]:
    """Sort contenders, the winner first: the highest mean score on test wins.

    Among equal scores the highest on validation comes first, then the cheapest, then the first by name.

    Args:
        teams: for each contender the records on all training rows.
        metric: the score that decides.
    """
    return sorted(
        teams,
        key=lambda name: (-metric.sign * _rounded(_mean(teams[name], metric.name)), *_preference(name, teams, metric)),
    )


def joint(
    names: Sequence[str], teams: Mapping[str, Sequence[Record]], test: Rows, task: Task, metric: Metric
) -> stats.Joint:
    """Score contenders on the test rows, and compute what is needed to compare any of them."""
    tallies = [[task.tally(record.predictions, test.targets) for record in teams[name]] for name in names]
    return stats.joint(tallies, metric, groups=stats.group_numbers(test))


def claims(names: Sequence[str], chances: stats.Joint) -> dict[str, Claim]:
    """Return for each contender whether it is behind the best and above the floor.

    Args:
        names: at least one, in leaderboard order.
        chances: of the same contenders.
    """
    standings = stats.against_best(chances)
    floor = names.index(FLOOR) if FLOOR in names else None
    by_name = {}
    for place, name in enumerate(names):
        p_value = float(standings.p_values[place]) if place else None
        behind = stats.gap(chances, standings, 0, place) if place else None
        # The winner is above the floor if the floor is behind the best, a test with more power.
        above = floor is None or bool((standings.pairs[floor, place] if place else standings.p_values[floor]) <= LEVEL)
        by_name[name] = Claim(p_value, behind, above)
    return by_name


def cheapness(cost: Cost) -> float:
    """Return the product of latency, size on disk and training time, in which each counts by its ratio."""
    # Lower limits prevent a contender that costs nothing (majority) from making every ratio infinite.
    return math.prod((max(cost.latency_p50, 0.01), max(cost.disk_bytes, 1000), max(cost.train_seconds, 0.01)))


def best_on_validation(names: Sequence[str], teams: Mapping[str, Sequence[Record]], metric: Metric) -> str:
    """Choose the contender to be compared on test; among equal scores the cheapest, then the first by name."""
    return min(names, key=lambda name: _preference(name, teams, metric))


def paired(
    pairs: Sequence[tuple[str, str]], teams: Mapping[str, Sequence[Record]], test: Rows, task: Task, metric: Metric
) -> list[stats.Comparison]:
    """Compare pairs that were not chosen by their test scores, on the same rows; p-values are corrected (Holm)."""
    names = sorted({name for pair in pairs for name in pair})
    if not names:
        return []
    chances = joint(names, teams, test, task, metric)
    comparisons = [stats.difference(chances, names.index(one), names.index(other)) for one, other in pairs]
    corrected = stats.holm([compared.p_value for compared in comparisons])
    return [
        stats.Comparison(compared.difference, p_value) for compared, p_value in zip(comparisons, corrected, strict=True)
    ]


def full_size(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Group the records of trials on all training rows by contender, seeds in order."""
    teams: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.trial.seed):
        if record.trial.size is None:
            teams.setdefault(record.trial.contender, []).append(record)
    return teams


def against_baselines(
    records: Sequence[Record], splits: Splits, task: Task, metric: Metric
) -> tuple[BaselineComparison, ...]:
    """Compare each ensemble and student with its baselines, as far as those have run.

    The baselines are its teacher, or the best of its members on validation (chosen on test, that member would have an
    advantage); the same student without a teacher; and the linear model. The p-values are corrected for the number of
    comparisons (Holm).
    """
    teams = full_size(records)
    roles: list[tuple[str, str, str]] = []
    for name, team in teams.items():
        trial = team[0].trial
        members = [member.contender for member in trial.members if member.contender in teams]
        if not trial.members:
            continue
        others: dict[str, str] = {"linear": "linear"} if "linear" in teams else {}
        for other, (first, *_) in teams.items():
            if first.trial.options == {**trial.options, "teacher": "none"}:
                others[other] = "alone"
        if members:
            best = best_on_validation(members, teams, metric)
            others[best] = "teacher" if "teacher" in trial.options else "member"
        roles += [(name, other, role) for other, role in others.items()]
    comparisons = paired([(name, other) for name, other, _ in roles], teams, splits.test, task, metric)
    return tuple(
        BaselineComparison(*who, compared.difference, compared.p_value)
        for who, compared in zip(roles, comparisons, strict=True)
    )


def reliability(records: Sequence[Record], test: Rows) -> dict[str, tuple[tuple[float, float, int], ...]]:
    """Return each contender's reliability bins over the predictions of all its seeds (Guo et al. 2017)."""
    bins = {}
    for name, team in full_size(records).items():
        given = [record.predictions for record in team if record.predictions.probabilities is not None]
        if given:
            values = tuple(value for predictions in given for value in predictions.values)
            stacked = np.concatenate([predictions.probabilities for predictions in given])
            pooled = Predictions(values, given[0].classes, stacked)
            bins[name] = calibration.reliability(pooled, test.targets * len(given))
    return bins


def _preference(name: str, teams: Mapping[str, Sequence[Record]], metric: Metric) -> tuple[float, float, str]:
    """Sort contenders without using test rows: the best on validation, then the cheapest, then by name."""
    team = teams[name]
    validation = statistics.fmean(record.validation[metric.name] for record in team)
    return -metric.sign * _rounded(validation), cheapness(_typical([record.cost for record in team])), name


def _rounded(score: float) -> float:
    """Round, so that means that differ only by the order of summation are equal."""
    return round(score, 9)


def _standing(name: str, team: Sequence[Record], splits: Splits, task: Task, metric: Metric, claim: Claim) -> Standing:
    tallies = [task.tally(record.predictions, splits.test.targets) for record in team]
    scores = [record.scores[metric.name] for record in team]
    errors = [record.calibration["ece"] for record in team if "ece" in record.calibration]
    return Standing(
        contender=name,
        score=stats.interval(tallies, metric, groups=stats.group_numbers(splits.test)),
        spread=statistics.stdev(scores) if len(scores) > 1 else 0.0,
        seeds=len(team),
        p_value=claim.p_value,
        difference=claim.behind,
        ties=claim.ties,
        clean=_clean(tallies, splits, metric),
        scores={key: _mean(team, key) for key in team[0].scores},
        calibration_error=statistics.fmean(errors) if errors else None,
        cost=_typical([record.cost for record in team]),
        above_floor=claim.above_floor,
        retried=sum(record.retried for record in team),
        collapsed=sum(record.collapsed for record in team),
    )


def _mean(team: Sequence[Record], metric: str) -> float:
    return statistics.fmean(record.scores[metric] for record in team)


def _clean(tallies: Sequence[Tally], splits: Splits, metric: Metric) -> Interval | None:
    """Score without the test rows that also occur in train or validation; None if there are none, or only such."""
    unleaked = [place for place, name in enumerate(splits.test.ids) if name not in splits.leaked]
    if not splits.leaked or not unleaked:
        return None
    groups = stats.group_numbers(splits.test.take(unleaked))
    return stats.interval([replace(tally, rows=tally.rows[unleaked]) for tally in tallies], metric, groups=groups)


def _typical(costs: Sequence[Cost]) -> Cost:
    """Return the median over seeds, field by field; counts stay integers."""
    medians = {f.name: statistics.median(getattr(cost, f.name) for cost in costs) for f in fields(Cost)}
    whole = {f.name for f in fields(Cost) if isinstance(getattr(costs[0], f.name), int)}
    return Cost(**{name: int(value) if name in whole else value for name, value in medians.items()})
