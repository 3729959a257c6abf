"""Which member of a cascade answers: chosen on validation rows, the same in one batch or alone, saved and opened."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from headstart.checkpoints import manifest
from headstart.contenders import cascade
from headstart.contenders.cascade import NEVER, Cascade, FittedCascade, chosen
from headstart.contenders.majority import FittedMajority
from headstart.core.contracts import Fitted, Task
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Predictions, Rows, Run
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

CLASSES = ("a", "b")
TASK = Classification(CLASSES)
ROWS = 400


@dataclass
class Says(Fitted):
    """A fitted model whose answers are known: text number -> probability of 'a'."""

    table: np.ndarray
    seen: list[tuple[str, ...]]
    task: Task = TASK
    sharper: bool = False

    def predict(self, inputs):
        self.seen.append(tuple(inputs))
        first = self.table[[int(text) for text in inputs]].astype(np.float32)
        probabilities = np.column_stack([first, 1 - first]).reshape(len(inputs), 2)
        return Predictions(tuple(CLASSES[i] for i in probabilities.argmax(1)), CLASSES, probabilities)


class Has8Bits(Says):
    has_int8 = True

    def with_int8(self):
        return replace(self, sharper=True)


@pytest.fixture
def rows():
    """Rows of which all have the label 'a'."""
    names = tuple(map(str, range(ROWS)))
    return Rows(names, names, ("a",) * ROWS)


@pytest.fixture
def cheap():
    """A model that is the surer the lower the number, and wrong from 300 on."""
    table = np.linspace(0.99, 0.6, ROWS)
    return Says(np.where(np.arange(ROWS) < 300, table, 1 - table), [])


@pytest.fixture
def expensive():
    """A model that is always right."""
    return Says(np.full(ROWS, 0.9), [])


def fit(cheap, expensive, validation, tmp_path, **options):
    models = {"linear": (cheap, 2.0), "finetuned:full": (expensive, 40.0)}
    run = Run(0, tmp_path, fitted=lambda name: models[name])
    return Cascade(**options).fit(validation, validation, TASK, run)


def test_the_cheap_one_answers_as_many_rows_as_it_may(rows, cheap, expensive, tmp_path):
    fitted = fit(cheap, expensive, rows, tmp_path)
    assert (fitted.names, fitted.reused_seconds) == (("linear", "finetuned:full"), 42.0)
    expensive.seen.clear()
    predictions = fitted.predict(rows.inputs)
    (asked,) = expensive.seen  # once, with all rows together
    assert 95 <= len(asked) <= 101
    assert asked == rows.inputs[-len(asked) :]
    assert predictions.values.count("b") <= 3
    np.testing.assert_array_equal(predictions.probabilities[-90:, 0], np.float32(0.9))
    np.testing.assert_array_equal(predictions.probabilities[:90, 0], cheap.table[:90].astype(np.float32))


def test_each_row_is_answered_as_alone(rows, cheap, expensive, tmp_path):
    fitted = fit(cheap, expensive, rows, tmp_path)
    alone = [fitted.predict([text]).probabilities[0] for text in rows.inputs[::25]]
    np.testing.assert_array_equal(np.array(alone), fitted.predict(rows.inputs).probabilities[::25])
    assert fitted.predict([]).probabilities.shape == (0, 2)


def test_the_threshold_is_chosen_on_validation_labels(rows, cheap, expensive, tmp_path):
    turned = replace(rows, targets=("b",) * 100 + rows.targets[100:])
    usual, other = (fit(cheap, expensive, validation, tmp_path).threshold for validation in (rows, turned))
    assert usual == other < 1  # both are wrong where labels are turned, so that their difference is the same
    expensive.table[:200] = 0.2
    better = fit(cheap, expensive, turned, tmp_path).threshold
    assert better != usual


def test_a_cheap_one_that_is_as_good_answers_all_and_one_that_is_surely_wrong_none(rows, expensive):
    answers = Says(np.linspace(0.6, 0.9, ROWS), []).predict(rows.inputs)
    assert chosen(answers, expensive.predict(rows.inputs), rows, TASK, "accuracy") < 0.6
    wrong = Says(np.linspace(0.1, 0.4, ROWS), []).predict(rows.inputs)
    assert chosen(wrong, expensive.predict(rows.inputs), rows, TASK, "accuracy") == pytest.approx(0.9, abs=0.01)
    alike = Says(np.full(ROWS, 0.1), []).predict(rows.inputs)  # there is nothing between all rows and none
    assert chosen(alike, expensive.predict(rows.inputs), rows, TASK, "accuracy") == NEVER


def test_rows_of_a_group_are_one_piece_of_evidence(rows, cheap, expensive):
    answers = cheap.predict(rows.inputs), expensive.predict(rows.inputs)
    grouped = replace(rows, groups=tuple(str(number // 100) for number in range(ROWS)))
    alone, together = (chosen(*answers, given, TASK, "accuracy") for given in (rows, grouped))
    assert together < alone  # four groups prove little


def test_without_validation_rows_the_expensive_one_answers(rows, cheap, expensive, tmp_path):
    fitted = fit(cheap, expensive, rows.take([]), tmp_path)
    assert fitted.threshold == NEVER
    np.testing.assert_array_equal(fitted.predict(rows.inputs).probabilities[:, 0], np.float32(0.9))


def test_its_members_are_two(rows, cheap, expensive, tmp_path):
    with pytest.raises(UsageError, match="both members of the cascade are 'linear'; name another one"):
        Cascade("linear", "linear").fit(rows, rows, TASK, Run(0, tmp_path))
    assert Cascade().members == ("linear", "finetuned:full")
    assert not Cascade().deterministic
    assert Cascade("majority", "linear").deterministic


def test_members_with_8_bits_use_them(cheap, expensive):
    assert not FittedCascade(TASK, ("x", "y"), cheap, expensive, 0.8).has_int8
    quick = FittedCascade(TASK, ("x", "y"), cheap, Has8Bits(expensive.table, []), 0.8)
    assert quick.has_int8
    assert (quick.with_int8().cheap, quick.with_int8().expensive.sharper) == (cheap, True)


def test_a_temperature_changes_neither_labels_nor_who_answers(rows, cheap, expensive, tmp_path):
    fitted = fit(cheap, expensive, rows, tmp_path)
    warmer = fitted.with_temperature(2.0)
    expensive.seen.clear()
    before, after = fitted.predict(rows.inputs), warmer.predict(rows.inputs)
    assert expensive.seen[0] == expensive.seen[1]
    assert before.values == after.values
    roots = np.sqrt(before.probabilities)
    np.testing.assert_allclose(after.probabilities, roots / roots.sum(axis=1, keepdims=True), atol=1e-6)


# --- its folder ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    models = FittedMajority(TASK, (0.75, 0.25)), FittedMajority(TASK, (0.25, 0.75))
    FittedCascade(TASK, ("x", "y"), *models, 0.8, 2.0).save(tmp_path / "model")
    return tmp_path / "model"


def test_it_is_opened_with_its_threshold_and_temperature(folder):
    again = model_folder.open_model(folder)
    assert (again.names, again.threshold, again.temperature) == (("x", "y"), 0.8, 2.0)
    assert again.predict(["text"]).values == ("b",)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"threshold": 0.0}, "must name two members and hold a threshold above 0"),
        ({"threshold": "1"}, "must name two members and hold a threshold above 0"),
        ({"names": ["x"]}, "must name two members and hold a threshold above 0"),
        ({"temperature": 0}, r"cascade\.json' holds a temperature that is not a number above 0"),
    ],
)
def test_a_file_that_says_something_else_is_refused(folder, changes, reason):
    path = folder / "cascade.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    manifest.relist(folder)
    with pytest.raises(CheckpointError, match=reason):
        model_folder.open_model(folder)


def test_members_have_the_classes_of_their_cascade(folder):
    FittedMajority(Classification(("b", "a")), (0.5, 0.5)).save(folder / cascade.MEMBERS[0])
    manifest.relist(folder)
    with pytest.raises(CheckpointError, match="cheap' answers with other classes than the cascade around it"):
        model_folder.open_model(folder)
