"""Who leads, by how much, and who ties: the leaderboard from the records of trials on all training rows."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from headstart.core.records import Cost, Interval, Predictions, Receipt, Record, Rows, Splits, Standing
from headstart.metrics import calibration, stats

LEVEL = 0.05


def rank(records: Sequence[Record], splits: Splits, metric: str) -> tuple[Standing, ...]:
    """Order the contenders by their mean score over seeds, best first, with intervals and comparisons.

    Each contender is compared with the best on the same test rows, and the p-values are corrected for their number
    (Holm); above 5 % there is no evidence of a difference, and the contender ties.

    Args:
        records: of any sizes; only those on all training rows count here.
        metric: the score that decides.
    """
    teams = full_size(records)
    order = sorted(teams, key=lambda name: -_mean(teams[name], metric))
    if not order:
        return ()
    targets = splits.test.targets
    answers = {name: [record.predictions.values for record in team] for name, team in teams.items()}
    duels = [stats.compare(targets, answers[order[0]], answers[name], metric) for name in order[1:]]
    corrected = stats.holm([duel.p_value for duel in duels])
    judged = [(None, None), *((p, duel.difference) for p, duel in zip(corrected, duels, strict=True))]
    return tuple(
        _standing(name, teams[name], splits, metric, p_value, difference)
        for name, (p_value, difference) in zip(order, judged, strict=True)
    )


def full_size(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Group the records of trials on all training rows by contender, seeds in order."""
    teams: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.trial.seed):
        if record.trial.size is None:
            teams.setdefault(record.trial.contender, []).append(record)
    return teams


def receipts(records: Sequence[Record], splits: Splits, metric: str) -> tuple[Receipt, ...]:
    """Compare each contender that builds on others with what it should be measured by, as far as that has run.

    That is its teacher, or the best of its members on validation (picked on test, it would be the better for that); the
    same student without a teacher; and the linear model.
    """
    teams = full_size(records)
    found = []
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
            best = max(members, key=lambda other: validation_mean(teams[other], metric))
            others[best] = "teacher" if "teacher" in trial.options else "member"
        for other, role in others.items():
            own, theirs = ([record.predictions.values for record in side] for side in (team, teams[other]))
            duel = stats.compare(splits.test.targets, own, theirs, metric)
            found.append(Receipt(name, other, role, duel.difference, duel.p_value))
    return tuple(found)


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


def _standing(
    name: str, team: Sequence[Record], splits: Splits, metric: str, p_value: float | None, difference: Interval | None
) -> Standing:
    answers = [record.predictions.values for record in team]
    scores = [record.scores[metric] for record in team]
    return Standing(
        contender=name,
        score=stats.interval(splits.test.targets, answers, metric),
        spread=statistics.stdev(scores) if len(scores) > 1 else 0.0,
        seeds=len(team),
        p_value=p_value,
        difference=difference,
        ties=p_value is not None and p_value > LEVEL,
        clean=_clean(answers, splits, metric),
        scores={key: _mean(team, key) for key in team[0].scores},
        calibration_error=statistics.fmean(record.calibration.get("ece", 0.0) for record in team),
        cost=_typical([record.cost for record in team]),
    )


def validation_mean(team: Sequence[Record], metric: str) -> float:
    """Give the mean score on validation, by which anything is picked that is judged on test afterwards."""
    return statistics.fmean(record.validation[metric] for record in team)


def _mean(team: Sequence[Record], metric: str) -> float:
    return statistics.fmean(record.scores[metric] for record in team)


def _clean(answers: Sequence[Sequence[str]], splits: Splits, metric: str) -> Interval | None:
    """Score without the test rows that stand in train or validation too; None where there are none, or only such."""
    kept = [place for place, name in enumerate(splits.test.ids) if name not in splits.leaked]
    if not splits.leaked or not kept:
        return None
    few = [[values[place] for place in kept] for values in answers]
    return stats.interval([splits.test.targets[place] for place in kept], few, metric)


def _typical(costs: Sequence[Cost]) -> Cost:
    """Take the median over seeds, field by field; counts stay whole."""
    medians = {f.name: statistics.median(getattr(cost, f.name) for cost in costs) for f in fields(Cost)}
    whole = {f.name for f in fields(Cost) if isinstance(getattr(costs[0], f.name), int)}
    return Cost(**{name: int(value) if name in whole else value for name, value in medians.items()})
