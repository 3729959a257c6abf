"""Calibration of a model's probabilities: reliability bins, expected calibration error, Brier score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.core.errors import DataError
from headstart.core.records import Predictions

BINS = 15


def reliability(predictions: Predictions, targets: Sequence[str]) -> tuple[tuple[float, float, int], ...]:
    """Compare confidence with accuracy in equal-width bins of the top probability.

    Args:
        predictions: with probabilities.
        targets: the true labels.

    Returns:
        (mean confidence, accuracy, rows) of each non-empty bin, from the least confident to the most.

    Raises:
        DataError: there are no predictions, or they have no probabilities.

    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2.
    """
    confidence = _probabilities(predictions, targets).max(axis=1)
    right = np.asarray(predictions.values, dtype=str) == np.asarray(targets, dtype=str)
    # A bin is open below and closed above, as in the paper: 1.0 is in the last bin.
    numbers = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
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


def brier(predictions: Predictions, targets: Sequence[str]) -> float:
    """Compute the Brier score: mean squared distance between probabilities and the truth, 0 (best) to 2.

    A target outside the predictions' classes has probability 0. Raises: as for :func:`reliability`.

    Brier 1950, "Verification of Forecasts Expressed in Terms of Probability".
    """
    probabilities = _probabilities(predictions, targets)
    truth = np.asarray(targets, dtype=str)[:, None] == np.asarray(predictions.classes, dtype=str)
    unseen = ~truth.any(axis=1)
    return float((((probabilities - truth) ** 2).sum(axis=1) + unseen).mean())


def _probabilities(predictions: Predictions, targets: Sequence[str]) -> np.ndarray:
    if predictions.probabilities is None or not len(targets):
        raise DataError("calibration needs the probabilities of at least one prediction; these predictions have none.")
    return np.asarray(predictions.probabilities, dtype=np.float64)
