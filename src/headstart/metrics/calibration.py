"""Calibration of a model's probabilities: reliability, expected calibration error, Brier score, accuracy by coverage.

Shapes: N rows, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.core.abstain import confidence_of
from headstart.core.errors import DataError
from headstart.core.records import Predictions
from headstart.core.results import Interval

BINS = 15
RESAMPLES = 400
LEVELS = (0.025, 0.975)


def reliability(predictions: Predictions, targets: Sequence[str]) -> tuple[tuple[float, float, int], ...]:
    """Compare confidence with accuracy in equal-width bins of the predicted label's probability.

    Args:
        predictions: with probabilities.
        targets: the true labels.

    Returns:
        (mean confidence, accuracy, rows) of each non-empty bin, from the least confident to the most.

    Raises:
        DataError: there are no predictions, or they have no probabilities.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2.
    """
    confidence = _confidence(predictions, targets)
    right = _right(predictions, targets)
    numbers = _bins(confidence)
    return tuple(
        (float(confidence[numbers == i].mean()), float(right[numbers == i].mean()), int((numbers == i).sum()))
        for i in np.unique(numbers)
    )


def expected_error(predictions: Predictions, targets: Sequence[str]) -> float:
    """Compute the expected calibration error: the mean gap between confidence and accuracy, 0 to 1.

    Args and Raises: as for :func:`reliability`, whose bins it averages, weighted by their rows.

    >>> sure = Predictions(("a", "a"), ("a", "b"), np.array([[1.0, 0.0], [1.0, 0.0]]))
    >>> expected_error(sure, ["a", "a"]), expected_error(sure, ["a", "b"])
    (0.0, 0.5)
    """
    bins = reliability(predictions, targets)
    return sum(abs(confidence - accuracy) * rows for confidence, accuracy, rows in bins) / len(targets)


def error_interval(
    predictions: Predictions, targets: Sequence[str], groups: np.ndarray | None = None, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % interval of :func:`expected_error`, by bootstrap over rows.

    The error of a resample is larger than that of the rows, as theirs is larger than the true one: a mean of absolute
    values grows with the noise in them. So the quantiles are mirrored at the estimate (the basic bootstrap of Davison &
    Hinkley 1997, section 5.2), which removes that bias.

    Args:
        predictions: with probabilities.
        targets: the true labels.
        groups: int64 ``(N,)``, the number of each row's group, which are resampled whole; None for single rows.
        seed: of the resamples.

    Raises:
        DataError: as for :func:`reliability`.
    """
    confidence = _confidence(predictions, targets)
    gaps = np.zeros((len(targets), BINS))  # (N, BINS), each row in its bin
    gaps[np.arange(len(targets)), _bins(confidence)] = confidence - _right(predictions, targets)
    if groups is not None:
        summed = np.zeros((groups.max() + 1, BINS))
        np.add.at(summed, groups, gaps)
        gaps = summed
    sizes = np.ones(len(targets)) if groups is None else np.bincount(groups)
    random, shares = np.random.default_rng(seed), np.full(len(gaps), 1 / len(gaps))
    drawn = (random.multinomial(len(gaps), shares) for _ in range(RESAMPLES))  # how often each row or group
    errors = [np.abs(counts @ gaps).sum() / (counts @ sizes) for counts in drawn]
    own = float(np.abs(gaps.sum(axis=0)).sum()) / len(targets)
    low, high = 2 * own - np.quantile(errors, LEVELS[::-1])
    return max(float(low), 0.0), max(float(high), own)


def by_coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the accuracy on the most confident rows, for every number of them that a threshold can choose.

    Rows of equal confidence are answered or left out together.

    Args:
        confidence: float ``(N,)``.
        right: bool ``(N,)``, whether each row's prediction is right.

    Returns:
        coverage, the share of rows answered (0 to 1, ascending, ending with 1), and the accuracy on them.

    >>> coverage, accuracy = by_coverage(np.array([0.9, 0.5, 0.5]), np.array([True, False, True]))
    >>> coverage.round(2).tolist(), accuracy.round(2).tolist()
    ([0.33, 1.0], [1.0, 0.67])
    """
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    last = np.append(np.diff(confidence[order]) != 0, True)  # of rows with equal confidence
    return counts[last] / len(order), (np.cumsum(right[order]) / counts)[last]


def aurc(confidence: np.ndarray, right: np.ndarray) -> float:
    """Return the area under the curve of risk by coverage, 0 (best) to 1: the mean error rate over all coverages.

    Args: as for :func:`by_coverage`, of whose curve it is the area; a random order of rows has their error rate.

    Geifman, Uziel & El-Yaniv 2019, "Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers", section 3.

    >>> aurc(np.array([0.9, 0.5]), np.array([True, False]))
    0.25
    """
    coverage, accuracy = by_coverage(confidence, right)
    return float(((1 - accuracy) * np.diff(coverage, prepend=0.0)).sum())


def auroc(first: np.ndarray, second: np.ndarray) -> Interval:
    """Return the probability that a value of the first is above one of the second, equal ones counted half.

    The 95 % interval is that of DeLong, DeLong & Clarke-Pearson 1988, "Comparing the Areas under Two or More Correlated
    Receiver Operating Characteristic Curves".

    Args:
        first: float ``(N,)``, at least two.
        second: float ``(M,)``, at least two.

    >>> auroc(np.array([0.9, 0.8, 0.4]), np.array([0.4, 0.1])).value
    0.9166666666666666
    """
    below, above = np.sort(second), np.sort(first)
    wins = (np.searchsorted(below, first, "left") + np.searchsorted(below, first, "right")) / (2 * len(second))  # (N,)
    losses = 1 - (np.searchsorted(above, second, "left") + np.searchsorted(above, second, "right")) / (2 * len(first))
    value = float(wins.mean())
    half = 1.96 * float(np.sqrt(wins.var(ddof=1) / len(first) + losses.var(ddof=1) / len(second)))
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0))


def brier(predictions: Predictions, targets: Sequence[str]) -> float:
    """Compute the Brier score: mean squared distance between probabilities and the truth, 0 (best) to 2.

    A target outside the predictions' classes has probability 0. Raises: as for :func:`reliability`.

    Brier 1950, "Verification of Forecasts Expressed in Terms of Probability".
    """
    probabilities = _probabilities(predictions, targets)
    truth = np.asarray(targets, dtype=str)[:, None] == np.asarray(predictions.classes, dtype=str)
    unseen = ~truth.any(axis=1)
    return float((((probabilities - truth) ** 2).sum(axis=1) + unseen).mean())


def _bins(confidence: np.ndarray) -> np.ndarray:
    """Return the bin of each row: open below and closed above, as in the paper, so that 1.0 is in the last one."""
    numbers: np.ndarray = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return numbers


def _right(predictions: Predictions, targets: Sequence[str]) -> np.ndarray:
    right: np.ndarray = np.asarray(predictions.values, dtype=str) == np.asarray(targets, dtype=str)
    return right


def _confidence(predictions: Predictions, targets: Sequence[str]) -> np.ndarray:
    """Return the probability of each predicted label, which is not the largest one where errors have costs."""
    _probabilities(predictions, targets)
    return confidence_of(predictions)


def _probabilities(predictions: Predictions, targets: Sequence[str]) -> np.ndarray:
    if predictions.probabilities is None or not len(targets):
        raise DataError("calibration needs the probabilities of at least one prediction; these predictions have none.")
    return np.asarray(predictions.probabilities, dtype=np.float64)
