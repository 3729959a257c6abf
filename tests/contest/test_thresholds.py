"""Thresholds of classes: chosen on validation rows where they help beyond noise, and saved with the model."""

from dataclasses import replace

import numpy as np
import pytest

from headstart.contenders.cascade import FittedCascade
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.linear import FittedLinear, Reader
from headstart.contenders.majority import FittedMajority
from headstart.contest import run as contest
from headstart.contest import thresholds
from headstart.contest.plan import plan
from headstart.contest.trials import Terms
from headstart.core.costs import Costs
from headstart.core.records import Rows, Splits
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

WORDS = ("few", "many")
TASK = Classification(WORDS)


def linear(shares, task=TASK):
    """Return a model that gives 'few' the probability of the word 'few', or of the word 'many', that is read."""
    numbers = np.ones(2, dtype=np.float32)
    weights = -np.log(np.array(shares) / (1 - np.array(shares))).astype(np.float32)[:, None]
    return FittedLinear(task, Reader(WORDS, (), numbers, numbers[:0]), weights, np.zeros(1, "f4"), False)


def rows(count=300, share=0.1, recall=0.8, alarms=0.1):
    """Make rows: 'few' are a share of all; their text says so in a share of them, and that of others in few cases."""
    random = np.random.default_rng(0)
    labels = np.where(np.arange(count) < share * count, "few", "many")
    says = random.random(count) < np.where(labels == "few", recall, alarms)
    return Rows(tuple(map(str, range(count))), tuple(np.where(says, *WORDS).tolist()), tuple(labels.tolist()))


@pytest.fixture
def model():
    """A model that is right about probabilities, by which no row is likely to be 'few'."""
    return linear((0.45, 0.02))


MODELS = {
    "linear": lambda model: model,
    "ensemble": lambda model: FittedEnsemble(TASK, ("x", "y"), (model, model), np.array([0.5, 0.5])),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_rare_class_gets_a_lower_threshold_for_the_macro_f1(model, kind, tmp_path):
    fitted = MODELS[kind](model)
    changed = thresholds.chosen(fitted, rows(), "macro-F1")
    assert fitted.predict(WORDS).values == ("many", "many")
    assert changed.predict(WORDS).values == ("few", "many")
    np.testing.assert_array_equal(changed.predict(WORDS).probabilities, fitted.predict(WORDS).probabilities)
    changed.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    assert again.task.offsets == changed.task.offsets
    assert again.predict(WORDS).values == ("few", "many")


def test_a_cost_that_probabilities_do_not_know_of_changes_labels(model):
    costly = Classification(WORDS, costs=Costs(WORDS, (0, 4, 1, 0)))
    wrong = linear((0.1, 0.02), costly)  # too low, so that the lowest expected cost is always that of 'many'
    assert wrong.predict(WORDS).values == ("many", "many")
    assert thresholds.chosen(wrong, rows(), "cost").predict(WORDS).values == ("few", "many")


@pytest.mark.parametrize(
    ("validation", "metric"),
    [
        (rows(), "accuracy"),  # which the most probable label is best for
        (rows(30), "macro-F1"),  # too few for evidence
        (rows(recall=0.1), "macro-F1"),  # texts say nothing
        (rows(4), "macro-F1"),  # fewer than the folds
        (rows(0), "macro-F1"),
        (replace(rows(), targets=("other",) * 300), "macro-F1"),  # unknown
        (replace(rows(), groups=tuple(str(number // 100) for number in range(300))), "macro-F1"),  # three groups
    ],
)
def test_without_evidence_the_model_is_left_alone(model, validation, metric):
    assert thresholds.chosen(model, validation, metric) is model


def test_what_has_no_thresholds_is_left_alone(model):
    cascade = FittedCascade(TASK, ("x", "y"), model, model, 0.5)
    for fitted in (FittedMajority(TASK, (0.1, 0.9)), cascade):
        assert thresholds.chosen(fitted, rows(), "macro-F1") is fitted


def test_a_new_fit_forgets_thresholds():
    known = replace(TASK, offsets=(1.0, -1.0))
    assert known.fitted(rows()) == TASK


def test_test_rows_choose_no_threshold(tmp_path):
    """As `test_confidence` does of temperatures: other test rows leave the model as it is."""
    random = np.random.default_rng(1)

    def some(name, count):
        labels = ["few" if number % 8 == 0 else "many" for number in range(count)]
        texts = [
            f"{'sign' if random.random() < (0.7 if label == 'few' else 0.12) else 'none'} {random.integers(9)} {name}"
            for label in labels
        ]
        return Rows(tuple(f"{name}:{number}" for number in range(count)), tuple(texts), tuple(labels))

    train, validation, test = some("a", 240), some("b", 240), some("c", 40)
    poisoned = replace(test, targets=tuple("few" if one == "many" else "many" for one in test.targets))
    found = []
    for number, rows_of_test in enumerate([test, poisoned]):
        splits = Splits(train, validation, rows_of_test, frozenset(), f"split {number}")
        planned = plan(task=Classification(), train_rows=240, contenders=["linear"], sizes=["all"], seeds=[0])
        terms = Terms(tmp_path / str(number), "macro-F1")
        outcome = contest.run(splits, Classification(), planned.trials, terms)
        (record,) = outcome.records
        found.append(model_folder.open_model(outcome.models["linear"]).task.offsets)
        assert record.calibration["thresholds"] == 1
    assert found[0] == found[1] != ()
