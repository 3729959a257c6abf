"""A contender's score on some of the test rows compared with its score on the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg, sparse

from headstart.core.tally import Metric, Tally
from headstart.metrics import stats


def contrast(
    seeds: Sequence[Tally], metric: Metric, here: np.ndarray, *, groups: np.ndarray | None = None
) -> stats.Comparison:
    """Compare the mean score over seeds on some rows with that on all others, by the same trained models.

    The difference is itself a function of sums over rows: those of the rows `here`, and those of the others. So the
    difference has the uncertainty that `stats.joint` computes for any score, from rows, groups and trainings: what a
    training adds to the scores of both sides cancels, and so does a group that is in both.

    Args:
        seeds: one tally per seed, of the same rows.
        metric: the score.
        here: which rows are compared with the others, bool ``(rows,)``; some, but not all.
        groups: see `stats.interval`.

    Returns:
        a positive difference where the rows `here` have the better score, lower or higher.

    Raises: as for `stats.interval`.

    >>> from headstart.metrics import labels
    >>> half = labels.tally(["a", "b"] * 50, ["a", "b"] * 25 + ["b", "a"] * 25)
    >>> contrast([half], labels.METRICS[0], np.arange(100) < 50).difference.value
    1.0
    """
    halves = Metric(metric.name, lambda sums: _difference(metric, sums), metric.higher, metric.unit)
    own = stats.joint([[_divided(tally, here) for tally in seeds]], halves, groups=groups)
    # The second of the two that are compared is the constant 0.
    with_zero = stats.Joint(
        np.append(own.scores, 0.0),
        np.pad(own.rows, (0, 1)),
        np.append(own.training_variance, 0.0),
        own.freedom,
        own.rows_freedom,
    )
    return stats.difference(with_zero, 0, 1)


def _difference(metric: Metric, sums: np.ndarray) -> np.ndarray:
    here, others = np.split(sums, 2, axis=-1)
    difference: np.ndarray = metric.of(here) - metric.of(others)
    return difference


def _divided(tally: Tally, here: np.ndarray) -> Tally:
    """Add each row to the first half of twice as many sums if it is `here`, else to the second half."""
    sides = [sparse.diags_array(side.astype(np.float64)) @ tally.rows for side in (here, ~here)]
    rows = sparse.csr_array(sparse.hstack(sides))  # (rows, 2 * sums)
    if not len(tally.weights):
        return Tally(rows)
    # Each half has its own artificial rows.
    right, wrong = (linalg.block_diag(part, part) for part in (tally.right, tally.wrong))
    return Tally(rows, right, wrong, np.tile(tally.weights, 2))
