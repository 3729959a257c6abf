"""How sure a score and a difference are: bootstrap intervals, a paired comparison, and Holm's correction.

Resampling rows is drawing multinomial counts over the distinct joint outcomes (truth, answer of model 1, answer of
model 2, ...), of which there are far fewer than rows; a metric then needs only counts per class. Ten thousand
resamples of 25,000 rows take seconds.

Three choices, and why.

* Percentile intervals. The metrics are bounded means or smooth functions of them, and a percentile interval never
  leaves their range. BCa would add a jackknife over rows and be undefined where every prediction is right.
* A few made-up rows. On a small test set the plain bootstrap is too sure of itself: when all of 20 predictions are
  right, each resample says 100 % and the interval has no width. So the rows resampled from are joined by four rows
  (two right, two wrong) for a score, and by two for a pair of contenders (a half of each way the two can be right
  or wrong), spread over the classes as the test rows are. This is the adjustment of Agresti & Coull 1998 for one
  proportion and of Agresti & Min 2005 for matched pairs, carried over to any metric. The estimate itself is
  untouched, and from about 1,000 rows on the effect cannot be seen.
* Seeds count in a comparison. A contender with one lucky training must not win by it, so the difference of two
  contenders carries the variance of their trainings beside that of the rows. Three seeds are too few to resample:
  that would understate it by a third. Instead the spread over seeds, as far as it exceeds what the choice of test
  rows explains, is added as a t-distributed error with Welch's degrees of freedom. A contender with one seed adds
  none: the answer is then about that one trained model, which is exact for contenders without randomness.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from headstart.core.errors import DataError
from headstart.core.records import Interval
from headstart.metrics import labels

RESAMPLES = 10_000
LEVEL = 0.95
_CHUNK = 4_000_000  # counts held at once, 32 MB


@dataclass(frozen=True)
class Comparison:
    """How much better the first contender is than the second, and how easily chance would say so.

    p_value: two-sided, of no difference; not corrected for other comparisons.
    """

    difference: Interval
    p_value: float


def interval(
    targets: Sequence[str],
    seeds: Sequence[Sequence[str]],
    metric: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Estimate a contender's mean score over its seeds with a 95 % interval over test rows.

    Args:
        targets: the truth, one label per test row.
        seeds: one list of predicted labels per trained model, each in the order of `targets`.

    Raises:
        DataError: no rows, no models, or lists of different lengths.
        UsageError: no such metric.

    >>> few, many = (interval(["a"] * n, [["a"] * n], "accuracy") for n in (10, 1000))
    >>> few.value == few.high == many.high == 1.0 and few.low < many.low
    True
    """
    outcomes = _Outcomes.of(targets, [*seeds])
    value = outcomes.observed(metric).mean()
    every = range(len(seeds))
    drawn = outcomes.with_rows([(every, 2.0), ((), 2.0)]).resample(metric, resamples, seed).mean(axis=1)
    return _percentiles(value, drawn)


def compare(
    targets: Sequence[str],
    first: Sequence[Sequence[str]],
    second: Sequence[Sequence[str]],
    metric: str,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Comparison:
    """Compare two contenders on the same test rows, each by its mean score over seeds.

    Rows are resampled for both together, so what makes a row hard for both cancels; the spread over seeds is added
    as the module says. The p-value is twice the share of resampled differences on the far side of zero: below 5 %
    exactly where the 95 % interval leaves zero out.

    Args:
        targets: the truth, one label per test row.
        first, second: per contender one list of predicted labels per seed. Their numbers of seeds may differ.

    Raises: as :func:`interval`.

    >>> truth = ["a", "b"] * 50
    >>> compare(truth, [truth], [["a"] * 100], "accuracy").p_value < 0.001
    True
    >>> compare(truth, [truth], [truth], "accuracy").p_value
    1.0
    """
    outcomes = _Outcomes.of(targets, [*first, *second])
    split = len(first)
    one, two = range(split), range(split, split + len(second))
    scores = outcomes.observed(metric)
    value = scores[:split].mean() - scores[split:].mean()
    smoothed = outcomes.with_rows([((*one, *two), 0.5), (one, 0.5), (two, 0.5), ((), 0.5)])
    drawn = smoothed.resample(metric, resamples, seed)
    difference = drawn[:, :split].mean(axis=1) - drawn[:, split:].mean(axis=1)
    random = np.random.default_rng([seed, 1])
    difference += _seed_error([(scores[:split], drawn[:, :split]), (scores[split:], drawn[:, split:])], random)
    below, above = (difference <= 0).sum(), (difference >= 0).sum()
    p_value = min(1.0, 2 * (1 + min(below, above)) / (1 + resamples))
    return Comparison(_percentiles(value, difference), float(p_value))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Correct the p-values of several tests so that all of them together err at the level of one.

    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure".

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    corrected, running = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = running
    return tuple(corrected)


@dataclass(frozen=True)
class _Outcomes:
    """The distinct joint outcomes of some models on one set of rows, and how many rows had each.

    codes: int ``(1 + models, outcomes)``, class numbers: the truth, then each model's answer.
    weights: float ``(outcomes,)``, rows with this outcome.
    rows: the number of real rows, which is the size of a resample.
    """

    codes: np.ndarray
    weights: np.ndarray
    rows: int
    classes: int

    @classmethod
    def of(cls, targets: Sequence[str], models: Sequence[Sequence[str]]) -> _Outcomes:
        if not models or not len(targets) or any(len(answers) != len(targets) for answers in models):
            sizes = sorted({len(answers) for answers in models})
            raise DataError(f"{len(targets)} targets and predictions of {sizes} rows; resampling needs equal numbers.")
        names, codes = np.unique(np.asarray([targets, *models], dtype=str), return_inverse=True)
        codes = codes.reshape(1 + len(models), len(targets))
        outcomes, weights = np.unique(codes, axis=1, return_counts=True)
        return cls(outcomes, weights.astype(np.float64), len(targets), len(names))

    def with_rows(self, extra: Sequence[tuple[Sequence[int], float]]) -> _Outcomes:
        """Add made-up rows: for each (models that are right, weight), spread over classes as the truth is.

        The models that are wrong answer the commonest other class. With one class nobody can be wrong otherwise
        than by a class of its own.
        """
        shares = np.bincount(self.codes[0], self.weights, self.classes) / self.rows
        classes = max(self.classes, 2)
        columns, weights = [], []
        for truth in np.flatnonzero(shares):
            others = np.append(shares, [-1.0] * (classes - self.classes))
            others[truth] = -2.0
            for right, weight in extra:
                column = np.full(len(self.codes), others.argmax())
                column[[0, *(1 + model for model in right)]] = truth
                columns.append(column)
                weights.append(weight * shares[truth])
        return _Outcomes(np.column_stack([self.codes, *columns]), np.append(self.weights, weights), self.rows, classes)

    def observed(self, metric: str) -> np.ndarray:
        """Score each model on the rows as they are: ``(models,)``."""
        return self._scores(metric, self.weights[None])[0]

    def resample(self, metric: str, resamples: int, seed: int) -> np.ndarray:
        """Score each model on resampled rows: ``(resamples, models)``."""
        random = np.random.default_rng(seed)
        shares = self.weights / self.weights.sum()
        step = max(1, _CHUNK // len(shares))
        chunks = [
            self._scores(metric, random.multinomial(self.rows, shares, size=min(step, resamples - start)))
            for start in range(0, resamples, step)
        ]
        return np.concatenate(chunks)

    def _scores(self, metric: str, counts: np.ndarray) -> np.ndarray:
        """Score each model under row counts ``(resamples, outcomes)``."""
        truth, counts = self.codes[0], counts.astype(np.float64)
        actual = counts @ self._one_hot(truth)
        columns = []
        for answer in self.codes[1:]:
            hits = counts @ self._one_hot(truth, answer == truth)
            columns.append(labels.from_counts(metric, hits, counts @ self._one_hot(answer), actual))
        return np.stack(columns, axis=1)

    def _one_hot(self, codes: np.ndarray, kept: np.ndarray | None = None) -> sparse.csr_array:
        """Make the 0/1 matrix ``(outcomes, classes)`` that sums counts by class."""
        ones = np.ones(len(codes)) if kept is None else kept.astype(np.float64)
        return sparse.csr_array((ones, (np.arange(len(codes)), codes)), shape=(len(codes), self.classes))


def _seed_error(groups: Sequence[tuple[np.ndarray, np.ndarray]], random: np.random.Generator) -> np.ndarray | float:
    """Draw the error that means over few seeds carry, for (scores ``(seeds,)``, resampled ``(resamples, seeds)``)."""
    variance = freedom = 0.0
    for scores, drawn in groups:
        seeds = len(scores)
        if seeds > 1:
            by_rows = (drawn - drawn.mean(axis=1, keepdims=True)).var(axis=0).sum() / (seeds - 1)
            share = max(0.0, scores.var(ddof=1) - by_rows) / seeds
            variance += share
            freedom += share**2 / (seeds - 1)
    if variance == 0.0:
        return 0.0
    return np.sqrt(variance) * random.standard_t(variance**2 / freedom, len(groups[0][1]))


def _percentiles(value: float, drawn: np.ndarray) -> Interval:
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))
