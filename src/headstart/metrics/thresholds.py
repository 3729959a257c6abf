"""Offsets of classes, by which the label of the largest merit plus offset has the best score on some rows.

The merit of a class is the logarithm of its probability, or its negative expected cost. Of two classes, an offset is a
threshold of the probability.

Shapes: N rows, C classes, S sums of a tally, K cuts.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from headstart.core.tally import Metric, Tally, grouped
from headstart.metrics._rows import Outcomes

PASSES = 3  # over all classes
MOST_CUTS = 200  # offsets of a class that are tried
LEAST = 1e-12  # gain that is more than rounding
RESAMPLES, LEVEL, ARTIFICIAL = 2000, 0.025, 2.0  # of the evidence, as in `metrics.stats`


def best(merits: np.ndarray, numbers: np.ndarray, sums: sparse.csr_array, metric: Metric) -> np.ndarray:
    """Return the offsets with the best score that one class after the other finds, float64 ``(C,)``, with mean 0.

    Rows change their label in the order of the offset that they need, so that one sweep scores every offset of a class
    (Fan & Lin 2007, "A Study on Threshold Selection for Multi-label Classification", for the thresholds of labels).

    Args:
        merits: float64 ``(N, C)``, at least one row.
        numbers: int64 ``(N,)``, true class of each row.
        sums: float64 ``(C * C, S)``, what a row adds to the sums of the metric, by its true class and its label.
        metric: a function of these sums.

    >>> from headstart.metrics.labels import METRICS, tally
    >>> pairs = tally(["a", "a", "b", "b"], ["a", "b", "a", "b"]).rows
    >>> merits = np.log([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])  # all are called 'a'
    >>> offsets = best(merits, np.array([0, 0, 1, 1]), pairs, METRICS[1])
    >>> (merits + offsets).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    classes = merits.shape[1]
    offsets = np.zeros(classes)
    labels = merits.argmax(axis=1)
    value = metric.sign * float(metric.of(sums[numbers * classes + labels].sum(axis=0)))
    for _ in range(PASSES):
        before = value
        for number in range(classes):
            value, offsets[number] = _swept(merits, numbers, sums, metric, offsets, number, value)
        if value - before <= LEAST:
            break
    centred: np.ndarray = offsets - offsets.mean()
    return centred


def better(first: Tally, second: Tally, metric: Metric, groups: np.ndarray | None) -> bool:
    """Return whether the first labels of rows score better than the second beyond noise, by a paired bootstrap.

    Not by a standard error: a score of a class with few rows is far from linear in them.

    Args:
        first: of some labels.
        second: of other labels of the same rows.
        metric: the score.
        groups: group numbers from 0 of rows that belong together, int64 ``(N,)``; None for single rows.
    """
    tallies = [first, second]
    outcomes = Outcomes.of(tallies, groups).with_artificial(tallies, ARTIFICIAL)
    drawn = metric.sign * outcomes.resample(metric, RESAMPLES, 0)  # (RESAMPLES, 2)
    return bool(np.quantile(drawn[:, 0] - drawn[:, 1], LEVEL) > 0)


def _swept(
    merits: np.ndarray,
    numbers: np.ndarray,
    sums: sparse.csr_array,
    metric: Metric,
    offsets: np.ndarray,
    number: int,
    value: float,
) -> tuple[float, float]:
    """Return the best score, its sign turned if lower is better, and the offset of a class that reaches it."""
    rows, classes = merits.shape
    others = merits + offsets
    others[:, number] = -np.inf
    rivals = others.argmax(axis=1)  # (N,)
    needed = others.max(axis=1) - merits[:, number]  # (N,), above which a row gets this label
    order = np.argsort(needed, kind="stable")
    ascending = needed[order]
    cuts = np.concatenate([[0], np.flatnonzero(np.diff(ascending) > 0) + 1, [rows]])  # (K,), rows with this label
    cuts = cuts[np.unique(np.linspace(0, len(cuts) - 1, MOST_CUTS).astype(int))]
    ranks = np.empty(rows, dtype=np.int64)
    ranks[order] = np.arange(rows)
    without = sums[numbers * classes + rivals]  # (N, S)
    gained = grouped(sums[numbers * classes + number] - without, np.searchsorted(cuts, ranks, side="right"))
    scores = metric.sign * metric.of(without.sum(axis=0) + gained.toarray().cumsum(axis=0))  # (K,)
    padded = np.concatenate([[ascending[0] - 2.0], ascending, [ascending[-1] + 2.0]])
    tried = (padded[cuts] + padded[cuts + 1]) / 2  # (K,), in the middle between two rows
    if scores.max() - value <= LEAST:
        return value, float(offsets[number])
    alike = np.flatnonzero(scores >= scores.max() - LEAST)
    nearest = alike[np.abs(tried[alike] - offsets[number]).argmin()]
    return float(scores[nearest]), float(tried[nearest])
