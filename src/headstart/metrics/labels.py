"""Scores of predicted labels, from class counts; equal to scikit-learn's.

Every metric here depends on the confusion matrix only through three counts per class: the correct predictions of the
class (hits), all predictions of the class, and all rows of the class. Thousands of resamples are thousands of such
count vectors, so no resample needs a pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from headstart.core.errors import DataError, UsageError, did_you_mean, shown


def check(name: str) -> str:
    """Return the metric's name if it is known.

    Raises:
        UsageError: no such metric.
    """
    if name not in METRICS:
        raise UsageError(f"no metric {shown(name)}; {did_you_mean(name, METRICS)}")
    return name


def score(targets: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Compute every metric on one set of rows.

    Macro-F1 is the mean over the classes that occur among targets or predictions; balanced accuracy is the mean over
    those among the targets. A target that the model has never seen counts as an error, and as a class with F1 0.

    Args:
        targets: the true labels.
        predicted: the predicted labels.

    Returns:
        metric name -> value: 0 to 1, MCC -1 to 1.

    Raises:
        DataError: no rows, or targets and predictions differ in number.

    >>> score(["a", "a", "b", "b"], ["a", "a", "a", "b"])["accuracy"]
    0.75
    """
    if not targets or len(targets) != len(predicted):
        raise DataError(
            f"{len(predicted)} predictions for {len(targets)} targets; scores need as many, and at least one."
        )
    numbers = {label: number for number, label in enumerate(sorted({*targets, *predicted}))}
    truth, answer = (np.fromiter(map(numbers.__getitem__, row), np.int64, len(row)) for row in (targets, predicted))
    counts = [np.bincount(row, minlength=len(numbers)) for row in (truth[truth == answer], answer, truth)]
    return {name: float(from_counts(name, *counts)) for name in METRICS}


def from_counts(name: str, hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Compute one metric from class counts, for any number of resamples at once.

    Args:
        name: name of the metric.
        hits: int ``(..., classes)``, correct predictions per class.
        predicted: int ``(..., classes)``, predictions per class.
        actual: int ``(..., classes)``, rows per class.

    Returns:
        ``(...)``, equal to :func:`score` of rows with these counts.

    Raises:
        UsageError: no such metric.

    >>> from_counts("accuracy", np.array([2, 1]), np.array([3, 1]), np.array([2, 2])).item()
    0.75
    """
    return METRICS[check(name)](*(np.asarray(counts, dtype=np.float64) for counts in (hits, predicted, actual)))


def _accuracy(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    shares: np.ndarray = hits.sum(-1) / actual.sum(-1)
    return shares


def _f1(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return _ratio(2 * hits, predicted + actual)


def _macro_f1(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return _ratio(_f1(hits, predicted, actual).sum(-1), ((predicted + actual) > 0).sum(-1))


def _weighted_f1(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    means: np.ndarray = (_f1(hits, predicted, actual) * actual).sum(-1) / actual.sum(-1)
    return means


def _balanced_accuracy(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return _ratio(_ratio(hits, actual).sum(-1), (actual > 0).sum(-1))


def _mcc(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    # The multiclass coefficient R_K (Gorodkin 2004), from marginal counts.
    rows = actual.sum(-1)
    covariance = hits.sum(-1) * rows - (predicted * actual).sum(-1)
    spread = (rows**2 - (predicted**2).sum(-1)) * (rows**2 - (actual**2).sum(-1))
    return _ratio(covariance, np.sqrt(np.maximum(spread, 0)))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0."""
    quotients: np.ndarray = np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)
    return quotients


METRICS: Mapping[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "macro-F1": _macro_f1,
    "weighted-F1": _weighted_f1,
    "balanced-accuracy": _balanced_accuracy,
    "MCC": _mcc,
}
