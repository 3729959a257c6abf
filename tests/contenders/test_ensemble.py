"""Ways of putting answers together, each beside a plain or another's version, and what is kept of the members."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from headstart.contenders import _combining, ensemble
from headstart.contenders._answers import Answers
from headstart.contenders.majority import FittedMajority
from headstart.core.contracts import Task, class_numbers, metric_values
from headstart.core.errors import TrainingError, UsageError
from headstart.core.records import Predictions, Rows, Run
from headstart.core.sequences import Encoded
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.tasks.multilabel import Multilabel
from headstart.tasks.ner import Ner
from headstart.tasks.qa import QuestionAnswering
from headstart.tasks.regression import Regression

CLASSES = ("a", "b", "c")
TASK = Classification(CLASSES)


@dataclass
class Says:
    """A fitted model whose answers are known: text number -> probabilities."""

    table: np.ndarray
    parameters: int = 3
    trained_parameters: int = 2

    def predict(self, inputs):
        probabilities = self.table[[int(text) for text in inputs]]
        return Predictions(tuple(CLASSES[i] for i in probabilities.argmax(1)), CLASSES, probabilities)

    def cut_off(self, inputs):
        return 0.25


@pytest.fixture
def rows(rng):
    numbers = rng.integers(0, 3, 120)
    return Rows(tuple(map(str, range(120))), tuple(map(str, range(120))), tuple(CLASSES[n] for n in numbers))


@pytest.fixture
def answers(rng, rows):
    """Three members: good, middling, and one that guesses; ``(3, 120, 3)``."""
    right = np.eye(3)[class_numbers(TASK.classes, rows.targets)]
    noisy = [rng.dirichlet(np.ones(3), 120) for _ in range(3)]
    tables = [share * right + (1 - share) * noise for share, noise in zip((0.35, 0.25, 0.0), noisy, strict=True)]
    return np.stack(tables).astype(np.float32)


def asked(numbers, rows):
    return Answers(rows.inputs, numbers, Encoded.without_tokens(len(rows)))


def fit(rows, answers, tmp_path, how="greedy", names=("one", "two", "three"), fail=()):
    def fitted(name):
        if name in fail:
            raise TrainingError(f"{name} went wrong.")
        return Says(answers[names.index(name)]), 10.0

    return ensemble.Ensemble(names, how).fit(rows, rows, TASK, Run(0, tmp_path, fitted=fitted))


def test_greedy_is_the_plain_search_over_lists_of_members(rows, answers):
    def merit(names):
        answer = np.mean([answers[n].astype(np.float64) for n in names], axis=0)
        values = answer.astype(np.float32).argmax(1)
        likely = np.log(np.maximum(answer[np.arange(120), class_numbers(TASK.classes, rows.targets)], 1e-6)).mean()
        return float((values == class_numbers(TASK.classes, rows.targets)).mean()), likely

    names, lists = [], []
    for _ in range(_combining.ROUNDS):
        names = max(([*names, n] for n in range(3)), key=merit)
        lists.append(names)
    best = max(lists, key=merit)
    weights = _combining.greedy(asked(answers, rows), rows, TASK, "accuracy")
    np.testing.assert_allclose(weights, np.bincount(best, minlength=3) / len(best))
    assert weights[2] < weights[0]


def test_weights_are_those_of_a_general_optimiser(rows, answers):
    right = answers[:, np.arange(120), class_numbers(TASK.classes, rows.targets)].astype(np.float64)

    def surprise(weights):
        return -np.log(weights @ right).mean()

    reference = minimize(
        surprise, np.full(3, 1 / 3), bounds=[(1e-9, 1)] * 3, constraints={"type": "eq", "fun": lambda w: w.sum() - 1}
    )
    fitted_weights = _combining.likeliest(asked(answers, rows), rows, TASK, "accuracy")
    assert fitted_weights.sum() == pytest.approx(1)
    assert surprise(fitted_weights) == pytest.approx(reference.fun, abs=1e-4)


def test_stacking_learns_a_member_that_always_says_the_wrong_class(rows, tmp_path, rng):
    turned = np.eye(3)[(class_numbers(TASK.classes, rows.targets) + 1) % 3] * 0.5 + 0.5 * rng.dirichlet(np.ones(3), 120)
    answers = turned[None].astype(np.float32)
    half = rows.take(range(60))
    stacked = _combining.stacking(answers[:, :60].astype(np.float64), class_numbers(TASK.classes, half.targets))
    predicted = _combining.stack(answers[:, 60:].astype(np.float64), stacked).argmax(1)
    assert (predicted == class_numbers(TASK.classes, rows.take(range(60, 120)).targets)).mean() > 0.9
    assert (
        fit(rows, answers, tmp_path, "mean", ("one",)).predict(rows.inputs).values == np.array(rows.targets)
    ).mean() < 0.3


def test_stacking_answers_as_scikit_learn_does_and_never_with_a_class_that_validation_lacks(answers):
    numbers = np.array([0, 2] * 60)
    stacked = _combining.stacking(answers.astype(np.float64), numbers)
    features = np.log(np.maximum(answers.astype(np.float64), 1e-6)).transpose(1, 0, 2).reshape(120, -1)
    probabilities = _combining.stack(answers.astype(np.float64), stacked)
    candidates = [
        LogisticRegression(C=c, max_iter=1000).fit(features, numbers).predict_proba(features)
        for c in _combining.STRENGTHS
    ]
    assert min(np.abs(probabilities[:, [0, 2]] - candidate).max() for candidate in candidates) < 1e-6
    assert probabilities[:, 1].max() == 0


@pytest.mark.parametrize("numbers", [[0] * 120, [1] + [0] * 119])
def test_stacking_needs_two_rows_of_two_classes(answers, numbers):
    assert _combining.stacking(answers.astype(np.float64), np.array(numbers)) is None


@pytest.mark.parametrize("how", ["greedy", "weights", "stacking"])
def test_what_members_weigh_is_learnt_from_validation_rows(rows, answers, tmp_path, how):
    """The first member is right on the training rows alone, the second on validation alone."""
    train, validation = rows.take(range(60)), rows.take(range(60, 120))
    right = np.eye(3, dtype=np.float32)[class_numbers(TASK.classes, rows.targets)]
    first, second = answers[2].copy(), answers[2].copy()
    first[:60], second[60:] = right[:60], right[60:]
    models = {"one": Says(first), "two": Says(second)}
    run = Run(0, tmp_path, fitted=lambda name: (models[name], 0.0))
    fitted_ensemble = ensemble.Ensemble(("one", "two"), how).fit(train, validation, TASK, run)
    assert (np.array(fitted_ensemble.predict(validation.inputs).values) == validation.targets).mean() > 0.9
    assert (np.array(fitted_ensemble.predict(train.inputs).values) == train.targets).mean() < 0.7


def test_stacking_takes_the_strength_whose_answers_are_likeliest_where_it_was_not_fitted(answers, rows):
    numbers = class_numbers(TASK.classes, rows.targets)
    features = np.log(np.maximum(answers.astype(np.float64), 1e-6)).transpose(1, 0, 2).reshape(120, -1)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    likely = {}
    for strength in _combining.STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=1000)
        held_out_answers = cross_val_predict(model, features, numbers, cv=folds, method="predict_proba")
        likely[strength] = np.log(held_out_answers[np.arange(120), numbers]).mean()
    expected = LogisticRegression(C=max(likely, key=likely.get), max_iter=1000).fit(features, numbers)
    probabilities = _combining.stack(
        answers.astype(np.float64), _combining.stacking(answers.astype(np.float64), numbers)
    )
    np.testing.assert_allclose(probabilities, expected.predict_proba(features), atol=1e-3)


def test_an_even_vote_goes_to_the_likelier_class(rows, answers, tmp_path):
    tables = np.tile(np.array([[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]], dtype=np.float32)[:, None], (1, 120, 1))
    fitted = fit(rows, tables, tmp_path, "vote", ("one", "two"))
    assert set(fitted.predict(rows.inputs).values) == {"b"}
    three = np.concatenate([tables, tables[:1]])
    assert set(fit(rows, three, tmp_path, "vote").predict(rows.inputs).values) == {"a"}


def test_mean_is_the_mean(rows, answers, tmp_path):
    averaged = fit(rows, answers, tmp_path, "mean").predict(rows.inputs).probabilities
    np.testing.assert_allclose(averaged, answers.mean(axis=0), atol=1e-6)


def test_a_member_without_weight_is_left_out_but_what_it_took_to_train_counts(rows, answers, tmp_path):
    right = np.eye(3, dtype=np.float32)[class_numbers(TASK.classes, rows.targets)]
    fitted = fit(rows, np.stack([right, *answers[1:]]), tmp_path)
    assert (fitted.names, fitted.weights.tolist()) == (("one",), [1.0])
    assert (fitted.parameters, fitted.trained_parameters, fitted.reused_seconds) == (3, 2, 30.0)
    assert fitted.cut_off(["x"]) == 0.25


def test_a_member_that_failed_is_left_out(rows, answers, tmp_path):
    assert fit(rows, answers, tmp_path, "mean", fail=("two",)).names == ("one", "three")
    with pytest.raises(TrainingError, match=r"no member .* could be trained: one: one went wrong; two: two went"):
        fit(rows, answers, tmp_path, names=("one", "two"), fail=("one", "two"))


@pytest.mark.parametrize("how", _combining.METHODS)
def test_without_validation_rows_all_members_count_alike(rows, answers, tmp_path, how):
    def fitted(name):
        return Says(answers["xy".index(name)]), 0.0

    none = rows.take([])
    fitted_ensemble = ensemble.Ensemble(("x", "y"), how).fit(rows, none, TASK, Run(0, tmp_path, fitted=fitted))
    assert fitted_ensemble.weights.tolist() == [0.5, 0.5]
    strange = replace(rows.take([0, 1]), targets=("unseen", "unseen"))
    fitted_ensemble = ensemble.Ensemble(("x", "y"), how).fit(rows, strange, TASK, Run(0, tmp_path, fitted=fitted))
    assert fitted_ensemble.weights.tolist() == [0.5, 0.5]


def test_a_way_that_does_not_exist_is_refused(rows, answers, tmp_path):
    with pytest.raises(UsageError, match="no ensemble method 'greed'; did you mean 'greedy'"):
        fit(rows, answers, tmp_path, "greed")


@pytest.mark.parametrize("how", _combining.METHODS)
def test_answers_from_its_folder_as_before(how, tmp_path, rows):
    texts = [f"word{n % 3} word{n % 7}" for n in range(60)]
    labelled = Rows(tuple(texts), tuple(texts), tuple(CLASSES[n % 3] for n in range(60)))
    made = ensemble.Ensemble(("majority", "linear"), how).fit(
        labelled, labelled.take(range(30)), TASK, Run(0, tmp_path / "work")
    )
    made.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    assert np.array_equal(again.predict(texts).probabilities, made.predict(texts).probabilities)
    assert again.names == made.names
    assert again.parameters == made.parameters


def test_is_deterministic_as_far_as_its_members_are():
    assert ensemble.Ensemble(("majority", "linear")).deterministic
    assert not ensemble.Ensemble(("majority", "scratch")).deterministic
    assert not ensemble.Ensemble().deterministic
    assert ensemble.Ensemble(("ensemble", "linear")).deterministic is False


def test_outside_a_contest_all_means_a_small_set(tmp_path, rows, monkeypatch):
    asked = []

    def fitted(name, *rest):
        asked.append(name)
        return FittedMajority(TASK, (0.5, 0.25, 0.25)), 0.0

    monkeypatch.setattr(ensemble._members, "fitted", fitted)
    ensemble.Ensemble().fit(rows, rows, TASK, Run(0, tmp_path))
    assert asked == ["linear", "scratch"]


# --- several labels, and numbers -----------------------------------------------------------------------------


@dataclass
class Knows:
    """A fitted model of any task: text number -> probabilities, or a number."""

    task: Task
    table: np.ndarray

    def predict(self, inputs):
        answers = self.table[[int(text) for text in inputs]]
        if self.task.kind == "number":
            return Predictions(tuple(answers.tolist()))
        return Predictions(((),) * len(inputs), self.task.classes, answers.astype(np.float32))


def other_kind(task, targets, tables, tmp_path, how="greedy", metric=""):
    texts = tuple(map(str, range(len(targets))))
    rows = Rows(texts, texts, tuple(targets))
    task = task.fitted(rows)
    run = Run(
        0,
        tmp_path,
        metric=metric or task.metrics[0].name,
        fitted=lambda name: (Knows(task, tables[int(name)]), 0.0),
    )
    return ensemble.Ensemble(tuple(map(str, range(len(tables)))), how).fit(rows, rows, task, run), rows


@pytest.mark.parametrize("metric", ["RMSE", "R2"])
def test_numbers_are_averaged_with_the_weights_that_err_least(tmp_path, rng, metric):
    targets = rng.normal(5, 2, 60)
    errors = rng.normal(0, 1, (2, 60))
    tables = [targets + errors[0], targets + errors[1], np.full(60, 100.0)]
    fitted, rows = other_kind(Regression(), targets.tolist(), tables, tmp_path, metric=metric)
    assert fitted.names == ("0", "1")
    np.testing.assert_allclose(
        fitted.predict(rows.inputs).values, fitted.weights[0] * tables[0] + fitted.weights[1] * tables[1]
    )
    mean, _ = other_kind(Regression(), targets.tolist(), tables, tmp_path, "mean")
    np.testing.assert_allclose(mean.predict(rows.inputs).values, np.mean(tables, axis=0))


def test_probabilities_of_several_labels_are_averaged_and_cut_at_thresholds_of_the_ensemble(tmp_path, rng):
    truth = rng.random((80, 3)) < 0.4
    targets = [tuple(np.array(CLASSES)[row].tolist()) for row in truth]
    tables = [np.clip(0.2 * truth + rng.uniform(0, 0.2, (80, 3)), 0, 1), rng.uniform(0, 1, (80, 3))]
    fitted, rows = other_kind(Multilabel(), targets, tables, tmp_path)
    assert fitted.weights[0] == max(fitted.weights)
    assert max(fitted.task.thresholds) < 0.5
    predictions = fitted.predict(rows.inputs)
    assert metric_values(fitted.task, predictions, rows)["micro-F1"] > 0.95
    mixture = sum(weight * tables[int(name)] for weight, name in zip(fitted.weights, fitted.names, strict=True))
    np.testing.assert_allclose(predictions.probabilities, mixture, atol=1e-6)


# --- entities, and answers -----------------------------------------------------------------------------------


@dataclass
class Predicts:
    """A fitted model whose predictions are known."""

    task: Task
    predictions: Predictions

    def predict(self, inputs):
        return self.predictions


def combined(task, rows, predictions, tmp_path, how="mean"):
    task = task.fitted(rows)
    models = [Predicts(task, each) for each in predictions]
    run = Run(0, tmp_path, metric=task.metrics[0].name, fitted=lambda name: (models[int(name)], 0.0))
    return ensemble.Ensemble(tuple(map(str, range(len(models)))), how).fit(rows, rows, task, run)


def tag_probabilities(*right, sure):
    """Probabilities of the tags O, B-PER and I-PER for each word, with `sure` for the given ones."""
    return np.where(np.eye(3)[list(right)] == 1, sure, (1 - sure) / 2).astype(np.float32)


@pytest.fixture
def people():
    inputs = (("Anna", "Li", "met", "Bo"), ("Bo", "left"))
    return Rows(("1", "2"), inputs, (((0, 7, "PER"), (12, 14, "PER")), ((0, 2, "PER"),)))


def test_probabilities_of_tags_are_averaged_word_by_word(people, tmp_path):
    first = Predictions(((), ()), parts=tag_probabilities(1, 2, 0, 0, 1, 0, sure=0.9))
    second = Predictions(((), ()), parts=tag_probabilities(0, 0, 0, 1, 1, 0, sure=0.6))
    fitted = combined(Ner(), people, (first, second), tmp_path)
    predictions = fitted.predict(people.inputs)
    mean = (first.parts + second.parts) / 2
    np.testing.assert_allclose(predictions.parts[[2, 5]], mean[[2, 5]], atol=0.2)
    # 'Bo' is O by the first with 0.9 and B by the second with 0.6: (0.9 + 0.2) / 2 is more than (0.05 + 0.6) / 2.
    assert predictions.values == (((0, 7, "PER"),), ((0, 2, "PER"),))


def test_entities_of_a_model_without_probabilities_count_as_certain(people, tmp_path):
    first = Predictions((((0, 7, "PER"),), ()))
    unsure = Predictions(((), ()), parts=tag_probabilities(0, 0, 0, 1, 1, 0, sure=0.6))
    fitted = combined(Ner(), people, (first, unsure), tmp_path)
    # 1 and 0.2 for the tags of 'Anna Li' are more than 0 and 0.6; of both 'Bo' it is the reverse.
    assert fitted.predict(people.inputs).values == (((0, 7, "PER"),), ())
    assert combined(Ner(), people, (first, unsure), tmp_path, "greedy").weights[1] > 0


def test_candidates_of_a_question_are_added_up(tmp_path):
    inputs = ({"question": "Who?", "context": "Anna met Bo and Li"},) * 2
    rows = Rows(("1", "2"), inputs, ((("Bo", 9),), (("Li", 16),)))
    first = Predictions(("Anna", "Anna"), candidates=((("Anna", 0.5), ("Bo", 0.4), ("Li", 0.1)), (("Anna", 1.0),)))
    second = Predictions(("Li", "Li"), candidates=((("Li", 0.5), ("Bo", 0.4), ("met", 0.1)), (("Li", 1.0),)))
    fitted = combined(QuestionAnswering(), rows, (first, second), tmp_path)
    predictions = fitted.predict(inputs)
    assert predictions.values[0] == "Bo"
    assert dict(predictions.candidates[0]) == pytest.approx({"Bo": 0.4, "Anna": 0.25, "Li": 0.3, "met": 0.05})
    assert predictions.confidence[0] == pytest.approx(0.4)
    greedy = combined(QuestionAnswering(), rows, (first, second), tmp_path, "greedy")
    assert greedy.predict(inputs).values == ("Bo", "Li")


def test_an_answer_of_the_ensemble_has_a_threshold_of_its_own(tmp_path):
    inputs = ({"question": "Who?", "context": "Anna met Bo"},) * 2
    rows = Rows(("1", "2"), inputs, ((("Anna", 0),), ()))
    sure = Predictions(("", ""), candidates=((("", 0.8), ("Anna", 0.2)), (("", 0.9), ("Bo", 0.1))))
    text = Predictions(("Anna", ""))  # a model without candidates
    fitted = combined(QuestionAnswering(), rows, (sure, text), tmp_path)
    assert fitted.task.threshold is not None
    assert fitted.predict(inputs).values == ("Anna", "")
    assert combined(QuestionAnswering(), rows, (sure,), tmp_path).task.threshold > np.log(4)


@pytest.mark.parametrize("how", ["vote", "stacking", "weights"])
def test_methods_for_one_label_refuse_other_answers(how, tmp_path):
    with pytest.raises(UsageError, match=rf"an ensemble by '{how}' combines .* set ensemble.how=greedy or mean"):
        other_kind(Regression(), [1.0, 2.0], [np.zeros(2)], tmp_path, how)
