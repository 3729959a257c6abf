import numpy as np
import pytest

from headstart.core import rooms
from headstart.core.contracts import metric_values
from headstart.core.errors import DataError
from headstart.core.records import Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.tasks.regression import Regression

ROWS = Rows(("1", "2", "3"), ("x", "y", "z"), (-3.0, -5.0, -10.0))
NONE = Encoded.without_tokens(3)


def test_targets_are_standardised_by_the_training_rows_alone():
    task = Regression().fitted(ROWS)
    assert (task.mean, task.scale) == (-6.0, pytest.approx(np.std(ROWS.targets)))
    targets = task.targets(ROWS, NONE).values
    assert targets.shape == (3, 1)
    assert (targets.mean(), targets.std()) == (pytest.approx(0.0, abs=1e-6), pytest.approx(1.0))
    predictions = task.decode(Ragged.single(np.array([[0.0], [1.0], [-1.0]])), NONE, ROWS.inputs)
    assert predictions.values == pytest.approx((-6.0, -6.0 + task.scale, -6.0 - task.scale))
    assert metric_values(task, predictions, ROWS)["MAE"] == pytest.approx((3 + (task.scale - 1) + (4 - task.scale)) / 3)


def test_a_negative_mean_is_read_back():
    assert rooms.load("tasks", "regression", {"mean": -6.0, "scale": 2.0}).mean == -6.0
    thresholds = [rooms.load("tasks", "qa", {"threshold": value}).threshold for value in (None, -0.5)]
    assert thresholds == [None, -0.5]


@pytest.mark.parametrize("mean", [float("nan"), "x", True, None])
def test_a_mean_that_is_no_number_is_refused(mean):
    with pytest.raises(rooms.UsageError, match="option 'mean' of task 'regression' must be Signed"):
        rooms.load("tasks", "regression", {"mean": mean})


def test_numbers_that_are_all_equal_are_refused():
    with pytest.raises(DataError, match=r"all 2 training rows have the number 2.5; different ones are needed"):
        Regression().fitted(Rows(("1", "2"), ("x", "y"), (2.5, 2.5)))


@pytest.mark.parametrize(("cell", "reason"), [("", "has no number"), ("4/10", "has '4/10' where a number is expected")])
def test_a_row_without_a_number_is_listed_with_its_reason(cell, reason):
    assert Regression().read({"text": "x", "number": " 3.5 "}) == ("x", 3.5)
    with pytest.raises(DataError, match=f"^{reason}$"):
        Regression().read({"text": "x", "number": cell})
