import numpy as np
import pytest

from headstart import tasks
from headstart.core.contracts import metric_values
from headstart.core.errors import DataError
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.data.read import read
from headstart.metrics import multilabel
from headstart.tasks.multilabel import Multilabel

TASK = Multilabel(("a", "b"))


def decode(task, probabilities):
    logits = np.log(probabilities) - np.log1p(-np.array(probabilities))
    return task.decode(Ragged.single(logits), Encoded.without_tokens(len(logits)), ["x"] * len(logits))


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        ("b; a;a", ("a", "b")),
        (["b", "a"], ("a", "b")),
        ('["a"]', ("a",)),
        ("", ()),
        ([], ()),
        ([3], ("3",)),
        ({"a": 0, "b": "true"}, ("b",)),
        ({"a": False, "b": "0"}, ()),
    ],
)
def test_labels_are_lists_separated_texts_or_a_column_each(cell, labels):
    assert TASK.read({"text": "x", "labels": cell}) == ("x", labels)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "^has no labels$"),
        ({"a": 2}, "^has '2' in column 'a', where 0 or 1 is expected$"),
        ({"a": None}, "^has '' in column 'a', where 0 or 1 is expected$"),
        ([""], "^has no label$"),
    ],
)
def test_a_row_without_usable_labels_is_listed_with_its_reason(cell, reason):
    with pytest.raises(DataError, match=reason):
        TASK.read({"text": "x", "labels": cell})


def test_a_column_per_label_is_read_from_a_file(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("text,loud,big\nvery noisy indeed,1,0\nhuge and loud,true,1\nneither of them,0,no\nodd,2,0\n")
    table = read(file, TASK, columns={"labels": "loud,big"})
    assert table.rows.targets == (("loud",), ("big", "loud"), ())
    assert [(row.line, row.reason) for row in table.rejected] == [
        (5, "has '2' in column 'loud', where 0 or 1 is expected")
    ]


def test_rows_without_any_label_are_refused():
    with pytest.raises(DataError, match="none of the 2 training rows has a label; at least one is needed"):
        Multilabel().fitted(Rows(("1", "2"), ("x", "y"), ((), ())))


def test_each_label_is_predicted_above_its_threshold():
    assert decode(TASK, [[0.6, 0.4]]).values == (("a",),)
    predictions = decode(tasks.load("multilabel", {"classes": ["a", "b"], "thresholds": [0.7, 0.3]}), [[0.6, 0.4]])
    assert predictions.values == (("b",),)
    assert predictions.probabilities[0] == pytest.approx([0.6, 0.4])


def test_settled_thresholds_lie_between_what_has_a_label_and_what_has_not(monkeypatch):
    monkeypatch.setattr(multilabel, "FEW", 1)
    predictions = decode(TASK, [[0.4, 0.9], [0.2, 0.8], [0.1, 0.7]])
    settled = TASK.settled(predictions, (("a", "b"), (), ()))
    assert decode(settled, [[0.35, 0.8], [0.25, 0.9]]).values == (("a",), ("b",))
    assert settled.fitted(Rows(("1",), ("x",), (("c",),))) == Multilabel(("c",))


def test_a_label_that_training_has_not_shown_counts_as_an_error():
    rows = Rows(("1", "2"), ("x", "y"), (("a",), ("new",)))
    assert TASK.targets(rows, Encoded.without_tokens(2)).values.tolist() == [[1, 0], [0, 0]]
    scores = metric_values(TASK, Predictions((("a",), ()), TASK.classes, np.array([[0.9, 0.1]] * 2)), rows)
    assert scores["micro-F1"] == pytest.approx(2 / 3)
    assert scores["subset-accuracy"] == 0.5
