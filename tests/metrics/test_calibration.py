import numpy as np
import pytest
from sklearn.metrics import brier_score_loss

from headstart.core.errors import DataError
from headstart.core.records import Predictions
from headstart.metrics import calibration


def made(rows: int, classes: int, seed: int = 0) -> tuple[Predictions, list[str]]:
    random = np.random.default_rng(seed)
    names = tuple(f"c{i}" for i in range(classes))
    probabilities = random.dirichlet(np.ones(classes), rows).astype(np.float32)
    values = tuple(names[i] for i in probabilities.argmax(1))
    return Predictions(values, names, probabilities), [names[i] for i in random.integers(0, classes, rows)]


def test_expected_error_follows_its_definition():
    predictions, targets = made(400, 3)
    # Right and wrong in turn as confidence grows, so that gaps cancel where bins are too wide.
    turns = (predictions.probabilities.max(axis=1) * 30).astype(int) % 4 < 2
    targets = [value if turn else other for value, other, turn in zip(predictions.values, targets, turns, strict=True)]
    total = 0.0
    for i in range(15):
        rows = [r for r in range(400) if i / 15 < predictions.probabilities[r].max() <= (i + 1) / 15]
        if rows:
            confidence = np.mean([predictions.probabilities[r].max() for r in rows])
            accuracy = np.mean([predictions.values[r] == targets[r] for r in rows])
            total += len(rows) / 400 * abs(confidence - accuracy)
    assert calibration.expected_error(predictions, targets) == pytest.approx(total, abs=1e-6)


def test_bins_hold_every_row_and_probability_one_falls_into_the_last():
    predictions, targets = made(200, 4)
    assert sum(rows for _, _, rows in calibration.reliability(predictions, targets)) == 200
    sure = Predictions(("a",), ("a", "b"), np.array([[1.0, 0.0]]))
    assert calibration.reliability(sure, ["a"]) == ((1.0, 1.0, 1),)


def test_answers_drawn_from_the_probabilities_are_calibrated():
    random = np.random.default_rng(1)
    top = random.uniform(0.5, 1, 20_000)
    targets = np.where(random.random(20_000) < top, "a", "b")
    predictions = Predictions(("a",) * 20_000, ("a", "b"), np.column_stack([top, 1 - top]))
    assert calibration.expected_error(predictions, targets) < 0.015


@pytest.mark.parametrize("classes", [2, 5])
def test_brier_equals_scikit_learn(classes):
    predictions, targets = made(300, classes)
    exact = predictions.probabilities.astype(np.float64)
    exact /= exact.sum(1, keepdims=True)
    reference = brier_score_loss(targets, exact, labels=list(predictions.classes), scale_by_half=False)
    assert calibration.brier(predictions, targets) == pytest.approx(reference, abs=1e-6)


def test_a_class_never_seen_costs_its_whole_probability():
    predictions = Predictions(("a",), ("a", "b"), np.array([[1.0, 0.0]]))
    assert calibration.brier(predictions, ["new"]) == 2.0


@pytest.mark.parametrize("function", [calibration.reliability, calibration.expected_error, calibration.brier])
def test_no_probabilities_is_said(function):
    with pytest.raises(DataError, match="calibration needs the probabilities of at least one prediction"):
        function(Predictions(("a",)), ["a"])


def test_the_interval_of_the_error_has_the_true_one_in_it():
    """Of a model that is 70 % sure and right in 80 % of cases: 0.1, and with whole groups a wider interval."""
    inside = 0
    for seed in range(60):
        targets = np.where(np.random.default_rng(seed).random(200) < 0.8, "a", "b")
        answers = Predictions(("a",) * 200, ("a", "b"), np.tile([[0.7, 0.3]], (200, 1)))
        low, high = calibration.error_interval(answers, targets)
        inside += low <= 0.1 <= high
    assert inside >= 53
    wide = calibration.error_interval(
        Predictions(("a",) * 2000, ("a", "b"), np.tile([[0.7, 0.3]], (2000, 1))),
        np.repeat(targets, 10),
        np.repeat(np.arange(200), 10),
    )
    assert wide == pytest.approx((low, high), abs=1e-9)


def test_accuracy_by_coverage_of_confident_rows():
    confidence, right = np.array([0.6, 0.9, 0.8, 0.6]), np.array([False, True, True, True])
    coverage, accuracy = calibration.by_coverage(confidence, right)
    assert coverage.tolist() == [0.25, 0.5, 1.0]
    assert accuracy.tolist() == [1.0, 1.0, 0.75]
    assert calibration.aurc(confidence, right) == pytest.approx(0.5 * 0.25)
    assert calibration.aurc(np.zeros(4), right) == pytest.approx(0.25)
    assert calibration.aurc(-confidence, right) > 0.25
