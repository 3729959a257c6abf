"""From predictions to the answers that are sent: what `headstart predict` writes, one object per input."""

from __future__ import annotations

import math

from headstart.core.contracts import Fitted, Value
from headstart.core.records import Predictions
from headstart.prediction import WITH_CONFIDENCE, written_values

DIGITS = 6


def answer(fitted: Fitted, inputs: list[Value]) -> list[dict[str, Value]]:
    """Predict inputs; return what is predicted, how sure the model is, and the probability of each class.

    Returns:
        one object per input: 'predicted', 'confidence' (0 to 1, for labels, entities, events and answers), and 'scores'
        (class -> probability, for labels).
    """
    return written(fitted, inputs, fitted.predict(inputs))


def written(fitted: Fitted, inputs: list[Value], predictions: Predictions) -> list[dict[str, Value]]:
    """Return predictions as answers, see :func:`answer`."""
    task = fitted.task
    answers: list[dict[str, Value]] = [
        {"predicted": number(value)} for value in written_values(task, inputs, predictions)
    ]
    if task.kind in WITH_CONFIDENCE:
        if predictions.confidence is not None:
            for one, share in zip(answers, predictions.confidence.tolist(), strict=True):
                one["confidence"] = number(share)
    elif predictions.probabilities is not None and task.kind != "number":
        for one, row in zip(answers, predictions.probabilities.astype(float).round(DIGITS).tolist(), strict=True):
            if task.kind == "label":
                one["confidence"] = number(max(row))
            one["scores"] = dict(zip(predictions.classes, map(number, row), strict=True))
    return answers


def number(value: Value) -> Value:
    """Round a number for JSON, which has none that are not finite; other values are unchanged.

    >>> number(0.12345678), number(float("nan")), number("spam")
    (0.123457, None, 'spam')
    """
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    return value
