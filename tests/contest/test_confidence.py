"""The temperature and the confidences of a model: chosen on validation rows, and saved with it."""

from dataclasses import replace

import numpy as np
import pytest

from headstart.checkpoints import manifest
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.linear import FittedLinear, Reader
from headstart.contenders.majority import FittedMajority
from headstart.contest import confidence
from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.core.abstain import parse
from headstart.core.errors import CheckpointError
from headstart.core.records import Predictions, Rows
from headstart.metrics import calibration
from headstart.metrics.temperature import tempered
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.tasks.multilabel import Multilabel

WORDS = ("a", "b", "c")
TASK = Classification(WORDS)


def linear(presence: bool, classes: int = 3, sure: float = 4.0) -> FittedLinear:
    """Return a model that is `sure` of the class of the word that it reads."""
    numbers = np.ones(3, dtype=np.float32)
    weights = sure * np.eye(3, classes, dtype=np.float32) if classes > 2 else sure * np.array([[-1], [1], [0]], "f4")
    task = Classification(WORDS[:classes])
    return FittedLinear(
        task, Reader(WORDS, (), numbers, numbers[:0]), weights, np.zeros(weights.shape[1], "f4"), presence
    )


def rows(count: int, wrong: int, classes: int = 3) -> Rows:
    """Make rows of one word each, every `wrong`-th of which has the label of another."""
    numbers = np.arange(count) % classes
    labels = [WORDS[(n + (i % wrong == 0)) % classes] for i, n in enumerate(numbers)]
    return Rows(tuple(map(str, range(count))), tuple(WORDS[n] for n in numbers), tuple(labels))


MODELS = {
    "linear": lambda: linear(False),
    "two classes": lambda: linear(False, 2),
    "NB-SVM": lambda: linear(True),
    "ensemble": lambda: FittedEnsemble(TASK, ("x", "y"), (linear(True), linear(False)), np.array([0.75, 0.25])),
    "vote": lambda: FittedEnsemble(TASK, ("x", "y"), (linear(True), linear(False)), np.array([0.75, 0.25]), None, True),
}


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def test_a_temperature_changes_probabilities_and_no_label_and_is_saved(model, tmp_path):
    texts = [*WORDS, "b c", "nothing"]
    before, after = model.predict(texts), model.with_temperature(2.5).predict(texts)
    np.testing.assert_allclose(after.probabilities, tempered(before.probabilities, 2.5), atol=1e-5)
    assert before.values == after.values
    model.with_temperature(2.5).save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(texts).probabilities, after.probabilities)
    np.testing.assert_allclose(
        again.with_temperature(0.4).predict(texts).probabilities, before.probabilities, atol=1e-5
    )


def test_validation_rows_choose_the_temperature(model):
    classes = len(model.task.classes)
    many, few = (confidence.calibrated(model, rows(300, wrong, classes)) for wrong in (5, 30))
    assert many[1] != few[1]
    before, after = (one.predict(rows(300, 5, classes).inputs) for one in (model, many[0]))
    np.testing.assert_allclose(after.probabilities, tempered(before.probabilities, many[1]), atol=1e-5)
    errors = [calibration.expected_error(one, rows(300, 5, classes).targets) for one in (before, after)]
    assert errors[1] < errors[0] / 2


def test_what_has_no_temperature_is_left_alone():
    model = linear(False)
    assert confidence.calibrated(model, rows(0, 3)) == (model, 1.0)
    unknown = replace(rows(300, 3), targets=("never seen",) * 300)
    assert confidence.calibrated(model, unknown) == (model, 1.0)
    majority = FittedMajority(TASK, (0.9, 0.05, 0.05))
    assert confidence.calibrated(majority, rows(300, 3)) == (majority, 1.0)
    several = FittedMajority(Multilabel(WORDS), (0.9, 0.05, 0.05), ("a",))
    assert confidence.calibrated(several, replace(rows(300, 3), targets=(("a",),) * 300)) == (several, 1.0)


@pytest.mark.parametrize("temperature", [0, -1, "2", None, True, float("inf"), float("nan")])
def test_a_saved_temperature_is_a_number_above_zero(tmp_path, temperature):
    linear(True).save(tmp_path / "model")
    manifest.write(tmp_path / "model", "linear", TASK, {"presence": True, "temperature": temperature})
    with pytest.raises(CheckpointError, match=r"headstart\.json' holds a temperature that is not a number above 0"):
        model_folder.open_model(tmp_path / "model")


def test_the_scores_of_probabilities_before_and_after():
    model, test = linear(False), rows(300, 3)
    changed, applied = confidence.calibrated(model, test)
    scores = confidence.scores(changed.predict(test.inputs), test, applied)
    assert scores["temperature"] == applied
    before, after = model.predict(test.inputs), changed.predict(test.inputs)
    assert scores["ece_before"] == pytest.approx(calibration.expected_error(before, test.targets), abs=1e-6)
    assert scores["ece"] == calibration.expected_error(after, test.targets)
    for name in ("ece", "ece_before"):
        assert scores[f"{name}_low"] <= scores[name] <= scores[f"{name}_high"]
    assert scores["ece_high"] < scores["ece_before_low"]
    assert scores["aurc"] == pytest.approx(1 / 3, abs=0.01)  # all rows are equally sure


# --- thresholds ----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    MODELS["linear"]().save(tmp_path / "model")
    return tmp_path / "model"


def predictions(confidences) -> Predictions:
    return Predictions(("x",) * len(confidences), confidence=np.array(confidences))


def test_a_coverage_is_reached_on_validation_rows(folder):
    sure = np.random.default_rng(0).random(2500)
    confidence.store(folder, predictions(sure))
    for coverage in (0.1, 0.5, 0.9, 0.999, 1.0):
        reached = (sure >= confidence.threshold(folder, parse(f"coverage={coverage}"))).mean()
        assert coverage <= reached <= coverage + 0.002
    assert confidence.threshold(folder, parse("confidence=0.75")) == 0.75
    model_folder.open_model(folder)  # the file is one of the model's


def test_rows_of_equal_confidence_are_answered_together(folder):
    confidence.store(folder, predictions([0.9] * 5 + [0.5] * 5))
    assert confidence.threshold(folder, parse("coverage=0.6")) == 0.5
    assert confidence.threshold(folder, parse("coverage=0.5")) == 0.9


def test_a_folder_without_confidences_has_no_coverage(folder):
    confidence.store(folder, Predictions((1.5,)))
    confidence.store(folder, predictions([]))
    with pytest.raises(
        CheckpointError, match=r"holds no confidence\.json, so the confidence that a share of rows reaches"
    ):
        confidence.threshold(folder, parse("coverage=0.5"))
    (folder / confidence.FILE).write_text("{}")
    manifest.add(folder, confidence.FILE)
    with pytest.raises(CheckpointError, match=r"confidence\.json' is damaged; copy the folder again, or run headstart"):
        confidence.threshold(folder, parse("coverage=0.5"))


# --- a contest -----------------------------------------------------------------------------------------------------


def test_a_contest_chooses_both_on_validation_rows_alone(splits, terms):
    def competed(name, **parts):
        changed = replace(splits, sha256=name, **parts)
        trials = plan(task=Classification(), train_rows=60, contenders=("linear",), seeds=(0,)).trials
        outcome = contest.run(changed, Classification(), trials, replace(terms, folder=terms.folder / name))
        (record,), (place,) = outcome.records, outcome.models.values()
        return record.calibration["temperature"], (place / confidence.FILE).read_text(), record.calibration

    many = splits.validation.take(list(range(30)) * 4)
    many = replace(many, ids=tuple(map(str, range(120))))
    turned = replace(many, targets=tuple({"good": "bad", "bad": "good"}[label] for label in many.targets))
    clean = competed("clean", validation=many)
    poisoned = replace(splits.test, targets=("poison",) * len(splits.test))
    assert competed("test", validation=many, test=poisoned)[:2] == clean[:2]
    assert competed("validation", validation=turned)[0] > clean[0]
    assert set(clean[2]) >= {"ece", "ece_low", "ece_high", "ece_before", "brier", "aurc"}
