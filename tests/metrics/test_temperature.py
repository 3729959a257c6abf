"""The temperature of probabilities: found where labels ask for it, and nowhere else."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from headstart.metrics import temperature


def drawn(rows: int, true: float, seed: int = 0, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities of a model, and labels drawn as if its logits had to be divided by `true`."""
    random = np.random.default_rng(seed)
    logits = 3 * random.normal(size=(rows, classes))
    numbers = (softmax(logits / true, axis=1).cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
    return softmax(logits, axis=1).astype(np.float32), np.minimum(numbers, classes - 1)


@pytest.mark.parametrize("true", [0.5, 2.0, 5.0])
def test_the_temperature_of_the_labels_is_found(true):
    probabilities, numbers = drawn(4000, true)
    found = temperature.fitted(probabilities, numbers)
    assert found == pytest.approx(true, rel=0.08)
    # It is the minimum of the loss, but for the one row more.
    near = [-log_softmax(np.log(probabilities) / t, axis=1)[np.arange(4000), numbers].sum() for t in (found, true)]
    assert near[0] < near[1] + 0.1


def test_right_probabilities_are_left_alone_in_all_but_few_cases():
    changed = [temperature.fitted(*drawn(80, 1.0, seed)) != 1 for seed in range(100)]
    assert sum(changed) <= 5


def test_a_model_without_an_error_stays_as_uncertain_as_its_rows_allow():
    probabilities = np.tile([[0.7, 0.3]], (99, 1))
    found = temperature.fitted(probabilities, np.zeros(99, dtype=int))
    # 99 right rows and one wrong one.
    assert temperature.tempered(probabilities, found)[0, 0] == pytest.approx(0.99, abs=0.001)


def test_copies_of_a_row_are_no_evidence():
    copied = np.repeat(np.arange(20), 30)
    changed = {"rows": 0, "groups": 0}
    for seed in range(40):
        probabilities, numbers = drawn(20, 1.0, seed)
        changed["rows"] += temperature.fitted(probabilities[copied], numbers[copied]) != 1
        changed["groups"] += temperature.fitted(probabilities[copied], numbers[copied], copied) != 1
    assert changed["groups"] <= 3
    assert changed["rows"] > 20


def test_too_few_rows_change_nothing():
    for rows in (0, 1, 4):
        assert temperature.fitted(*(part[:rows] for part in drawn(5, 5.0))) == 1.0


def test_a_class_that_is_never_predicted_has_no_say():
    probabilities, numbers = drawn(1000, 2.0)
    wider = np.hstack([probabilities, np.zeros((1000, 2), dtype=np.float32)])
    assert temperature.fitted(wider, numbers) == pytest.approx(temperature.fitted(probabilities, numbers), rel=1e-3)


def test_a_temperature_changes_no_order_and_is_undone_by_its_inverse():
    probabilities, _ = drawn(200, 1.0)
    changed = temperature.tempered(probabilities, 2.5)
    np.testing.assert_allclose(changed.sum(axis=1), 1)
    np.testing.assert_array_equal(np.argsort(changed, axis=1), np.argsort(probabilities, axis=1))
    np.testing.assert_allclose(temperature.tempered(changed, 0.4), probabilities, atol=1e-6)
