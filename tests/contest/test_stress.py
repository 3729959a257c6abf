"""Scores before and after a transformation: on all rows and on the changed ones, paired, and corrected together."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from headstart.contest import stress
from headstart.core.contracts import Fitted
from headstart.core.records import Predictions, Rows
from headstart.metrics import stats
from headstart.stress import _copies, load
from headstart.tasks.classification import Classification

LOWER, UPPER = load("case")
TASK = Classification(("bad", "good"))
METRIC = TASK.metrics[0]
ROWS = Rows(
    tuple(f"r:{place}" for place in range(100)),
    tuple(f"{'Fine' if place % 2 else 'poor'} {place}" for place in range(100)),
    tuple("good" if place % 2 else "bad" for place in range(100)),
)


@dataclass
class CaseSensitive(Fitted):
    """Reads 'Fine' and 'fine', but not 'FINE'; is the less sure the higher the number in the text."""

    task = TASK

    def predict(self, inputs):
        good = np.array([0.95 - int(text.split()[1]) / 1000 if "ine" in text else 0.1 for text in inputs])
        values = tuple("good" if share > 0.5 else "bad" for share in good)
        return Predictions(values, TASK.classes, np.column_stack([1 - good, good]).astype(np.float32))


def stressed_by(*transformations, rows=ROWS):
    made, left_out = _copies.copies(TASK, rows, transformations, 0)
    return stress.Stressed(tuple(range(len(rows))), len(rows), rows, made, left_out)


def result_of(stressed, names=("model",)):
    fitted = CaseSensitive()
    before, after = fitted.predict(stressed.rows.inputs), stress.answers(fitted, stressed)
    return stress.result(dict.fromkeys(names, (before, after)), stressed, TASK, METRIC)


def test_a_loss_is_that_of_the_paired_scores():
    lower, upper = result_of(stressed_by(LOWER, UPPER)).scores
    assert (lower.transformation, lower.changed, lower.altered) == ("case:lower", 50, 0.0)
    assert (lower.before, lower.after, lower.loss.value, lower.p_value) == (1.0, 1.0, 0.0, 1.0)
    assert (upper.changed, upper.altered, upper.after) == (100, 0.5, 0.5)
    truth, answers = list(ROWS.targets), ["bad"] * 100
    compared = stats.compare([TASK.tally(Predictions(tuple(truth)), truth)], [_tally(answers, truth)], METRIC)
    assert upper.loss == compared.difference
    assert upper.loss.low > 0.3
    assert upper.p_value == pytest.approx(2 * compared.p_value)  # of two tests
    assert upper.calibration_before == pytest.approx(0.1, abs=0.02)
    assert upper.calibration_after == pytest.approx(0.4, abs=0.02)


def _tally(answers, truth):
    return TASK.tally(Predictions(tuple(answers)), truth)


def test_the_loss_of_the_changed_rows_needs_enough_of_them():
    few = replace(ROWS, inputs=tuple(text if place < 19 else text.lower() for place, text in enumerate(ROWS.inputs)))
    (score,) = result_of(stressed_by(LOWER, rows=few)).scores
    assert (score.changed, score.loss_of_changed) == (9, None)
    (score,) = result_of(stressed_by(LOWER)).scores
    assert score.changed == 50
    assert score.loss_of_changed.value == 0.0


def test_rows_of_a_group_are_not_independent():
    grouped = replace(ROWS, groups=tuple(str(place // 10) for place in range(100)))
    (alone,), (together,) = (result_of(stressed_by(UPPER, rows=rows)).scores for rows in (ROWS, grouped))
    assert together.loss.value == alone.loss.value
    assert together.loss.high != alone.loss.high


@dataclass(frozen=True)
class Reversal(type(UPPER)):
    """Capitals, of which a person would say that they change the answer."""

    expected = "other"
    to: str = "upper"


def test_what_should_change_an_answer_has_no_score_but_a_share_of_altered_predictions():
    found = result_of(stressed_by(Reversal()))
    (score,) = found.scores
    assert (score.after, score.loss, score.loss_of_changed, score.p_value) == (None,) * 4
    assert (score.altered, score.calibration_after, found.broken) == (0.5, None, ())


def test_the_rows_that_break_are_those_that_were_right():
    found = result_of(stressed_by(LOWER, UPPER), ("one", "other"))
    assert [(row.contender, row.transformation) for row in found.broken] == [
        ("one", "case:upper"),
        ("other", "case:upper"),
    ]
    row = found.broken[0]
    assert (row.id, row.target, row.predicted) == ("r:1", "good", "bad")
    assert (row.text, row.changed_text, row.confidence) == ("Fine 1", "FINE 1", pytest.approx(0.9))


def test_equal_inputs_are_predicted_once_and_nothing_is_predicted_if_nothing_changes(monkeypatch):
    asked = []
    predict = CaseSensitive.predict
    monkeypatch.setattr(CaseSensitive, "predict", lambda self, inputs: asked.append(inputs) or predict(self, inputs))
    same = replace(ROWS, inputs=("Fine 1",) * 100)
    found = result_of(stressed_by(UPPER, rows=same))
    assert [len(inputs) for inputs in asked] == [100, 1]
    assert found.scores[0].changed == 100
    unchanged = result_of(stressed_by(LOWER, rows=replace(ROWS, inputs=("fine 1",) * 100)))
    assert len(asked) == 3
    (score,) = unchanged.scores
    assert (score.changed, score.altered, score.loss.value, score.p_value) == (0, None, 0.0, None)


def test_rows_are_chosen_before_anything_is_predicted_and_named_by_a_hash():
    one, same, other = (stress.prepare(ROWS, TASK, names=["case"], most=30, seed=seed) for seed in (0, 0, 1))
    assert one == same
    assert one.sha256 == same.sha256 != other.sha256
    assert (len(one.rows), one.all_rows, one.rows.ids[0]) == (30, 100, f"r:{one.places[0]}")
    assert one.changed == len(one.copies[0].changed) + len(one.copies[1].changed)
