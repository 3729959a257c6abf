"""Abstaining: which predictions are too uncertain to be given, and what is given instead of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from headstart.core.errors import UsageError, shown
from headstart.core.records import Predictions

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Abstain:
    """When a model abstains.

    by: 'confidence': below this confidence; 'coverage': below the confidence that this share of the validation rows
        reached.
    value: above 0, at most 1.
    """

    by: Literal["coverage", "confidence"]
    value: float

    def __str__(self) -> str:
        return f"{self.by}={self.value:g}"


def parse(given: str) -> Abstain:
    """Parse 'coverage=0.9' or 'confidence=0.8'.

    Raises:
        UsageError: anything else.

    >>> parse("coverage=0.9")
    Abstain(by='coverage', value=0.9)
    """
    by, _, number = given.partition("=")
    try:
        value = float(number)
    except ValueError:
        value = 0.0
    if by == "coverage" and 0 < value <= 1:
        return Abstain("coverage", value)
    if by == "confidence" and 0 < value <= 1:
        return Abstain("confidence", value)
    raise UsageError(
        f"cannot parse --abstain {shown(given)}; write coverage=0.9 to answer about nine rows in ten, or "
        "confidence=0.8 to answer those of at least this confidence, with a number above 0 and at most 1."
    )


def confidence_of(predictions: Predictions) -> np.ndarray:
    """Return the probability of each predicted value as a whole, float64 ``(rows,)``.

    Raises:
        UsageError: the model gives none: numbers have no probability, and several labels one each.
    """
    import numpy as np

    if predictions.confidence is not None:
        return predictions.confidence
    numbers = {label: number for number, label in enumerate(predictions.classes)}
    if not predictions.values:
        return np.zeros(0)
    if predictions.probabilities is None or any(value not in numbers for value in predictions.values):
        raise UsageError(
            "abstaining needs the confidence of each answer as a whole, and this model gives none: numbers have no "
            "probability, and several labels a probability each; leave out --abstain."
        )
    chosen = np.array([numbers[value] for value in predictions.values], dtype=np.int64)
    confidence: np.ndarray = predictions.probabilities[np.arange(len(chosen)), chosen].astype(np.float64)
    return confidence


def abstained(predictions: Predictions, threshold: float) -> Predictions:
    """Return predictions with `confidence`, and None for each value whose confidence is below a threshold.

    Args:
        predictions: of a model, with a confidence.
        threshold: 0 to 1; see `contest.confidence.threshold`.

    Raises:
        UsageError: as for :func:`confidence_of`.
    """
    confidence = confidence_of(predictions)
    values = (value if sure else None for value, sure in zip(predictions.values, confidence >= threshold, strict=True))
    return replace(predictions, values=tuple(values), confidence=confidence)
