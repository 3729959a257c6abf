"""From predictions to the answers that are sent: what `headstart predict` writes, one object per input."""

from __future__ import annotations

import math

from headstart.core.abstain import abstained, confidence_of
from headstart.core.contracts import Fitted, Value
from headstart.prediction import WITH_CONFIDENCE, written_values

DIGITS = 6


def answer(fitted: Fitted, threshold: float | None, inputs: list[Value]) -> list[dict[str, Value]]:
    """Predict inputs; return what is predicted, how sure the model is, and the probability of each class.

    Args:
        fitted: the model.
        threshold: confidence below which nothing is predicted, 0 to 1; None to answer all.
        inputs: of its task.

    Returns:
        one object per input: 'predicted', 'confidence' (0 to 1, for labels, entities, events and answers), and 'scores'
        (class -> probability, for labels).

    Raises:
        UsageError: a threshold, and the model gives no confidence.
    """
    task = fitted.task
    predictions = fitted.predict(inputs)
    if threshold is not None:
        predictions = abstained(predictions, threshold)
    answers: list[dict[str, Value]] = [
        {"predicted": number(value)} for value in written_values(task, inputs, predictions)
    ]
    if task.kind in WITH_CONFIDENCE:
        if predictions.confidence is not None:
            for one, share in zip(answers, predictions.confidence.tolist(), strict=True):
                one["confidence"] = number(share)
    elif predictions.probabilities is not None and task.kind != "number":
        sure = confidence_of(predictions).tolist() if task.kind == "label" else None
        for place, row in enumerate(predictions.probabilities.astype(float).round(DIGITS).tolist()):
            one = answers[place]
            if sure is not None:
                one["confidence"] = number(sure[place])
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
