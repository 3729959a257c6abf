"""What a random split would have promised, beside a split by groups or by time."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy import special

from headstart import contenders
from headstart.core.contracts import Task
from headstart.core.records import Finding, Rows, Run, Splits
from headstart.core.results import Interval
from headstart.core.tally import Metric
from headstart.data.split import split
from headstart.metrics import format as form
from headstart.metrics import stats

CONTENDER = "linear"  # cheap, deterministic, and as good at remembering a person's words as any other


def gap(rows: Rows, splits: Splits, task: Task, metric: Metric, seed: int) -> Finding:
    """Train the linear contender on this split and on a random one, and compare its scores.

    Args:
        rows: all labelled rows that were split, with groups or times.
        splits: their split by groups or by time.
        task: of the rows.
        metric: the score that decides.
        seed: of the random split.
    """
    plain = split(replace(rows, groups=(), times=()), task, seed=seed)
    here, there = (_joint(part, task, metric) for part in (splits, plain))
    value = there.scores[0] - here.scores[0]
    parts = np.array([there.rows[0, 0], here.rows[0, 0]])
    # Welch's interval: the two test sets are treated as independent, which their common rows make cautious.
    freedom = parts.sum() ** 2 / (parts**2 / [there.rows_freedom, here.rows_freedom]).sum() if parts.all() else 1e6
    half = float(special.stdtrit(freedom, 0.975) * np.sqrt(parts.sum()))
    return _finding(
        Interval(float(value), float(value - half), float(value + half)), here, there, metric, bool(rows.times)
    )


def _joint(splits: Splits, task: Task, metric: Metric) -> stats.Joint:
    """Train on a split and score the test rows, with the uncertainty of the score."""
    with tempfile.TemporaryDirectory(prefix="headstart-") as folder:
        run = Run(seed=0, folder=Path(folder), metric=metric.name)
        fitted = contenders.load(CONTENDER).fit(splits.train, splits.validation, task.fitted(splits.train), run)
        tally = task.tally(fitted.judge(splits.test), splits.test.targets)
    return stats.joint([[tally]], metric, groups=stats.group_numbers(splits.test))


def _finding(difference: Interval, here: stats.Joint, there: stats.Joint, metric: Metric, by_time: bool) -> Finding:
    way = "on the newest rows" if by_time else "on rows of unseen groups"
    scores = [metric.sign * joint.scores[0] for joint in (here, there)]
    own, other = (form.score(metric, score, difference) for score in scores)
    # In `difference` a higher value is better, as in the scores of `stats.joint`; in the sentence it is the metric's.
    raw = difference if metric.higher else Interval(-difference.value, -difference.high, -difference.low)
    apart = difference.low > 0 or difference.high < 0
    sentence = (
        f"{CONTENDER} reaches {own} {metric.name} {way} and {other} with a random split: a difference of "
        f"{form.signed(metric, raw)}, "
        + ("which a random split would have hidden." if apart else "within its uncertainty.")
    )
    return Finding("split", "warning" if difference.low > 0 else "note", 0, 0.0, sentence)
