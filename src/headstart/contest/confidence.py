"""The temperature of a model's probabilities, and the confidences that it reaches on validation rows.

models/KEY/confidence.json, best/confidence.json    quantiles of the confidences, next to the weights

Only answers of one label have a temperature. Of several labels, each has a threshold of its own, chosen on its
probabilities. Numbers have no probability. The confidence of facts and of texts is that of a sequence, or of an answer
among candidates, whose parts one temperature would not calibrate.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from headstart.checkpoints import manifest
from headstart.core import sealed
from headstart.core.abstain import Abstain, confidence_of
from headstart.core.contracts import Fitted, Task, class_numbers
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Predictions, Rows
from headstart.metrics import calibration, stats, temperature
from headstart.tasks.classification import Classification

FILE = "confidence.json"
MOST_QUANTILES = 1000


def calibrated(fitted: Fitted, validation: Rows) -> tuple[Fitted, float]:
    """Return a model with the temperature that validation rows ask for, and the temperature: 1 for the model itself.

    Args:
        fitted: a model that was not trained on these rows, though its settings may have been chosen on them.
        validation: labelled rows; those of unknown classes are left out.
    """
    if fitted.task.kind != "label" or not fitted.has_temperature or not len(validation):
        return fitted, 1.0
    numbers = class_numbers(fitted.task.classes, validation.targets)
    known = np.flatnonzero(numbers >= 0)
    probabilities = fitted.predict(validation.inputs).probabilities
    assert probabilities is not None  # as all models give them for labels
    groups = stats.group_numbers(validation)
    found = temperature.fitted(probabilities[known], numbers[known], None if groups is None else groups[known])
    return (fitted, 1.0) if found == 1 else (fitted.with_temperature(found), found)


def measured(task: Task, predictions: Predictions, rows: Rows, applied: float) -> dict[str, float]:
    """Return :func:`scores` of labels, with 'thresholds' (1) if the task has one for each class; {} for other kinds."""
    if predictions.probabilities is None or task.kind != "label":
        return {}
    some = isinstance(task, Classification) and bool(task.offsets)
    return {**scores(predictions, rows, applied), **({"thresholds": 1.0} if some else {})}


def scores(predictions: Predictions, rows: Rows, applied: float) -> dict[str, float]:
    """Score the probabilities of labels: name -> value.

    Names: 'ece' and 'brier' with the temperature; 'ece_before' without it; both errors with '_low' and '_high', a 95 %
    interval; 'aurc', see `metrics.calibration`; 'temperature'.

    Args:
        predictions: of these rows, with probabilities.
        rows: labelled.
        applied: the temperature that the probabilities have been divided by.
    """
    assert predictions.probabilities is not None
    before = Predictions(
        predictions.values, predictions.classes, temperature.tempered(predictions.probabilities, 1 / applied)
    )
    named = {"ece": predictions, "ece_before": predictions if applied == 1 else before}
    groups = stats.group_numbers(rows)
    values = {"temperature": applied, "brier": calibration.brier(predictions, rows.targets)}
    for name, given in named.items():
        values[name] = calibration.expected_error(given, rows.targets)
        values[f"{name}_low"], values[f"{name}_high"] = calibration.error_interval(given, rows.targets, groups)
    values["aurc"] = calibration.aurc(confidence_of(predictions), right(predictions.values, rows.targets))
    return values


def right(values: Sequence[str], targets: Sequence[str]) -> np.ndarray:
    """Return whether each label is right, bool ``(rows,)``."""
    return np.array([value == target for value, target in zip(values, targets, strict=True)], dtype=bool)


def store(folder: Path, validation: Predictions) -> None:
    """Add the confidences of a saved model's validation predictions to its folder, if it gives any."""
    try:
        confidence = confidence_of(validation)
    except UsageError:
        return
    if len(confidence):
        count = min(len(confidence), MOST_QUANTILES)
        quantiles = np.sort(confidence)[np.arange(count) * len(confidence) // count]
        sealed.write_note(folder / FILE, {"rows": len(confidence), "quantiles": quantiles.tolist()})
        manifest.add(folder, FILE)


def threshold(folder: Path, rule: Abstain) -> float:
    """Return the confidence below which a saved model abstains, 0 to 1.

    Args:
        folder: the model folder.
        rule: of a coverage, the threshold is the highest that at least this share of the validation rows reached.

    Raises:
        CheckpointError: a coverage, and the folder holds no confidences of validation rows, or damaged ones.
    """
    if rule.by == "confidence":
        return rule.value
    if not manifest.lists(folder, FILE):
        raise CheckpointError(
            f"'{folder}' holds no {FILE}, so the confidence that a share of rows reaches is unknown: no comparison of "
            "this version made the model, or it gives no confidence of whole answers; use --abstain confidence=0.8."
        )
    note = sealed.read_note(folder / FILE)
    if note is None:
        raise CheckpointError(f"'{folder / FILE}' is damaged; copy the folder again, or run headstart compare again.")
    return at_coverage(note["quantiles"], rule.value)


def at_coverage(quantiles: Sequence[float] | np.ndarray, coverage: float) -> float:
    """Return the highest confidence that at least a share of rows reached.

    Args:
        quantiles: of their confidences, ascending, at least one.
        coverage: the share, above 0 and at most 1.
    """
    # 1 - 0.9 is a little less than a tenth in binary.
    return float(quantiles[min(int(round(len(quantiles) * (1 - coverage), 9)), len(quantiles) - 1)])
