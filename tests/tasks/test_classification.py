import numpy as np

from headstart.core.contracts import metric_values
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.tasks.classification import Classification


def test_classes_come_from_training_rows_alone():
    train = Rows(("1", "2", "3"), ("a", "b", "c"), ("spam", "ham", "spam"))
    task = Classification().fitted(train)
    assert task.classes == ("ham", "spam")
    assert Classification().classes == ()


def test_a_label_that_training_has_not_shown_counts_as_an_error():
    task = Classification(("ham", "spam"))
    rows = Rows(("1", "2"), ("x", "y"), ("ham", "eggs"))
    scores = metric_values(task, Predictions(("ham", "ham"), task.classes), rows)
    assert scores["accuracy"] == 0.5


def test_probabilities_of_huge_logits_stay_finite():
    outputs = Ragged.single(np.array([[1e4, -1e4], [0.0, 0.0]], dtype=np.float32))
    predictions = Classification(("a", "b")).decode(
        outputs, Encoded(np.zeros(2, dtype=np.int32), np.arange(3)), ("x", "y")
    )
    assert predictions.probabilities.tolist() == [[1.0, 0.0], [0.5, 0.5]]
    assert predictions.values == ("a", "a")
