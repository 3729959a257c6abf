import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge

from headstart.contenders import _ngrams, linear
from headstart.contenders.linear import Linear
from headstart.core.contracts import class_numbers, metric_values
from headstart.core.errors import DataError
from headstart.core.records import Rows, Run
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.tasks.multilabel import Multilabel
from headstart.tasks.regression import Regression

DATA = Path(os.environ.get("HEADSTART_DATA", "../shared/data"))
ANIMALS = ("cat dog horse cow", "red blue green pink", "one two three four")


def rows(pairs) -> Rows:
    texts, labels = zip(*pairs, strict=True)
    return Rows(tuple(str(i) for i in range(len(texts))), tuple(texts), tuple(labels))


def topics(count: int, classes: int = 3, seed: int = 0) -> Rows:
    """Texts of three words drawn from their class's own four."""
    random = np.random.default_rng(seed)
    numbers = [i % classes for i in range(count)]
    return rows([(" ".join(random.choice(ANIMALS[n].split(), 3)), f"class {n}") for n in numbers])


def fitted(train: Rows, tmp_path: Path, validation: Rows | None = None, **options):
    task = Classification().fitted(train)
    return Linear(**options).fit(train, validation or train, task, Run(0, tmp_path))


def candidates(train: Rows):
    task = Classification().fitted(train)
    reader, features = linear.Reader.fitted(train.inputs, 1000)
    return features, list(linear._one_label(reader, features, train, task))


@pytest.mark.parametrize("classes", [2, 3])
def test_learns_what_is_there_to_learn(tmp_path, classes):
    model = fitted(topics(60, classes), tmp_path)
    test = topics(90, classes, seed=1)
    assert metric_values(model.task, model.predict(test.inputs), test)["accuracy"] > 0.95


@pytest.mark.parametrize("classes", [2, 3])
def test_tf_idf_model_gives_scikit_learns_probabilities(classes):
    train = topics(40, classes)
    features, models = candidates(train)
    reference = LogisticRegression(C=1.0, solver="liblinear" if classes == 2 else "lbfgs", tol=1e-3, max_iter=300)
    expected = reference.fit(features, train.targets).predict_proba(features)
    np.testing.assert_allclose(models[0].predict(train.inputs).probabilities, expected, atol=2e-5)


def test_log_count_ratio_follows_its_definition():
    present = sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32))
    p, q = np.array([3, 2, 1]) / 6, np.array([1, 1, 2]) / 4
    got = _ngrams.log_count_ratio(present, np.array([True, True, False]))
    np.testing.assert_allclose(got, np.log(p / q), rtol=1e-6)


def test_half_of_the_candidates_are_nb_svm_and_read_words_only():
    _, models = candidates(topics(30))
    assert [model.presence for model in models] == [False] * 4 + [True] * 4
    assert models[-1].reader.characters == ()
    texts = topics(30, seed=3)
    score = metric_values(models[-1].task, models[-1].predict(texts.inputs), texts)
    assert score["accuracy"] > 0.95


@pytest.mark.parametrize("index", [0, -1])
@pytest.mark.parametrize("missing", ["class 0", "class 2"])
def test_a_class_without_training_rows_has_probability_zero(index, missing):
    train = topics(30)
    task = Classification().fitted(train)
    part = train.take([i for i, label in enumerate(train.targets) if label != missing])
    reader, features = linear.Reader.fitted(part.inputs, 1000)
    model = list(linear._one_label(reader, features, part, task))[index]
    predictions = model.predict(part.inputs)
    assert not predictions.probabilities[:, task.classes.index(missing)].any()
    assert metric_values(task, predictions, part)["accuracy"] > 0.95


@pytest.mark.parametrize("index", [0, -1])
def test_kept_in_a_folder_bit_for_bit(tmp_path, index):
    model = candidates(topics(30))[1][index]
    texts = [*topics(20, seed=2).inputs, "never seen ☃", ""]
    model.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    assert np.array_equal(again.predict(texts).probabilities, model.predict(texts).probabilities)
    assert again.parameters == model.parameters > 3


@pytest.mark.parametrize("turned", [False, True])
def test_the_likeliest_of_either_kind_and_of_these_the_better_by_the_metric_is_kept(tmp_path, turned):
    train, validation = topics(40), topics(31, seed=1)
    # Characters tell such words, which stand in no training text; where labels are turned, they mislead.
    shortened = tuple(" ".join(word[:-1] for word in text.split()) for text in validation.inputs)
    others = {"class 0": "class 1", "class 1": "class 2", "class 2": "class 0"}
    labels = [others[label] if turned or place < 2 else label for place, label in enumerate(validation.targets)]
    validation = Rows(validation.ids, shortened, tuple(labels))
    task, updates = Classification().fitted(train), []
    run = Run(0, tmp_path, metric="macro-F1", progress=updates.append)
    chosen = Linear().fit(train, validation, task, run).predict(validation.inputs)
    numbers = class_numbers(task.classes, validation.targets)
    measured = []
    for model in candidates(train)[1]:
        answers = model.predict(validation.inputs)
        likelihood = np.log(answers.probabilities[np.arange(len(numbers)), numbers]).mean()
        measured.append((model.presence, likelihood, metric_values(task, answers, validation), answers))
    best = [max((one for one in measured if one[0] == kind), key=lambda one: one[1]) for kind in (False, True)]
    assert (best[0][2]["macro-F1"] < best[1][2]["macro-F1"]) == turned
    expected = best[turned]
    np.testing.assert_allclose(chosen.probabilities, expected[3].probabilities, atol=1e-6)
    assert updates[-1].values == {"macro-F1": pytest.approx(expected[2]["macro-F1"])}
    assert expected[2]["macro-F1"] != pytest.approx(expected[2]["accuracy"])


def test_minutes_end_the_search(tmp_path, monkeypatch):
    clock = [0.0]

    def a_second_each(news):
        clock[0] += news.stage == "fitting"

    monkeypatch.setattr(linear.time, "monotonic", lambda: clock[0])
    train = topics(30)
    Linear().fit(train, train, Classification().fitted(train), Run(0, tmp_path, minutes=0.05, progress=a_second_each))
    assert clock[0] == 4


def test_chinese_without_spaces(tmp_path):
    good, bad = ("这本书很好看", "质量好非常满意", "好用值得买"), ("质量差很失望", "太差了不好用退货", "差评不值得")
    model = fitted(rows([(t, "good") for t in good] + [(t, "bad") for t in bad]), tmp_path)
    assert model.predict(["非常满意", "很失望退货"]).values == ("good", "bad")


def test_texts_of_one_character_and_of_none(tmp_path):
    model = fitted(rows([("a", "x"), ("b", "y"), ("a", "x"), ("b", "y")]), tmp_path)
    assert model.predict(["a", "b"]).values == ("x", "y")
    nothing = fitted(rows([(" ", "x"), ("\t", "y"), ("", "x")]), tmp_path)
    assert nothing.predict(["", "word"]).values == ("x", "x")


def test_the_number_of_features_is_bounded(tmp_path):
    model = fitted(topics(60), tmp_path, features=10)
    assert len(model.reader.words) == 10
    assert model.weights.shape[0] <= 20


def test_long_training_texts_are_read_by_words_alone(monkeypatch):
    monkeypatch.setattr(_ngrams, "MOST_CHARACTERS", 100)
    reader, features = linear.Reader.fitted(topics(30).inputs, 1000)
    assert reader.characters == ()
    assert features.shape == (30, len(reader.words))


def test_a_budget_that_is_over_still_gives_a_model(tmp_path):
    updates = []
    train = topics(30)
    run = Run(0, tmp_path, minutes=0.0, progress=updates.append)
    model = Linear().fit(train, train, Classification().fitted(train), run)
    assert model.predict(["cat dog cow"]).values == ("class 0",)
    assert [word.stage for word in updates] == ["reading texts", "fitting"]


def test_one_class_is_said(tmp_path):
    with pytest.raises(DataError, match="the 2 training rows show one class only"):
        fitted(rows([("a", "x"), ("b", "x")]), tmp_path)


@pytest.mark.skipif(not (DATA / "sst2_train.parquet").exists(), reason="needs sst2 in HEADSTART_DATA")
def test_sentiment_of_sentences(tmp_path):
    import pandas

    parts = [pandas.read_parquet(DATA / f"sst2_{name}.parquet") for name in ("train", "dev", "test")]
    train, validation, test = (rows(list(zip(part.text, part.label.astype(str), strict=True))) for part in parts)
    model = fitted(train, tmp_path, validation)
    assert metric_values(model.task, model.predict(test.inputs), test)["accuracy"] >= 0.82


# --- several labels, and numbers -----------------------------------------------------------------------------


def colours(count: int, seed: int = 0) -> Rows:
    """Texts of words of one or two of three topics, which are their labels."""
    random = np.random.default_rng(seed)
    targets = [tuple(sorted({f"class {n}" for n in random.integers(0, 3, 2)})) for _ in range(count)]
    words = [[ANIMALS[int(label[-1])].split() for label in labels] for labels in targets]
    texts = [" ".join(random.choice(own) for own in parts for _ in range(2)) for parts in words]
    return Rows(tuple(map(str, range(count))), tuple(texts), tuple(targets))


def test_each_label_has_scikit_learns_logistic_regression():
    train = colours(40)
    task = Multilabel().fitted(train)
    reader, features = linear.Reader.fitted(train.inputs, 1000)
    model = next(linear._several_labels(reader, features, train, task))
    for column, label in enumerate(task.classes):
        reference = LogisticRegression(C=1.0, solver="liblinear", tol=1e-3, max_iter=300, random_state=0)
        expected = reference.fit(features, [label in labels for labels in train.targets]).predict_proba(features)[:, 1]
        np.testing.assert_allclose(model.predict(train.inputs).probabilities[:, column], expected, atol=2e-5)


def test_several_labels_are_learnt_with_thresholds_from_validation(tmp_path):
    train, validation, test = colours(60), colours(40, 1), colours(60, 2)
    model = Linear().fit(train, validation, Multilabel().fitted(train), Run(0, tmp_path, metric="micro-F1"))
    assert metric_values(model.task, model.predict(test.inputs), test)["micro-F1"] > 0.95
    assert model.task.thresholds == model.task.settled(model.predict(validation.inputs), validation.targets).thresholds
    model.save(tmp_path / "saved")
    assert model_folder.open_model(tmp_path / "saved").predict(test.inputs).values == model.predict(test.inputs).values


def test_a_label_that_no_row_has_or_every_row_gets_no_weights():
    train = dataclasses.replace(colours(20), targets=(("all", "some"), ("all",)) * 10)
    reader, features = linear.Reader.fitted(train.inputs, 1000)
    model = next(linear._several_labels(reader, features, train, Multilabel(("all", "none", "some"))))
    probabilities = model.predict(train.inputs).probabilities
    assert (probabilities[:, 0] == 1).all()
    assert (probabilities[:, 1] == 0).all()
    assert 0 < probabilities[:, 2].min() < probabilities[:, 2].max() < 1


def numbers(count: int, seed: int = 0) -> Rows:
    """Texts whose number is -3 and one more for each word of the second topic."""
    random = np.random.default_rng(seed)
    counts = random.integers(0, 7, count)
    words = [[*random.choice(ANIMALS[1].split(), n), *random.choice(ANIMALS[0].split(), 6 - n)] for n in counts]
    return Rows(tuple(map(str, range(count))), tuple(map(" ".join, words)), tuple((counts - 3.0).tolist()))


def test_numbers_are_those_of_scikit_learns_ridge_regression(tmp_path, monkeypatch):
    monkeypatch.setattr(linear, "RIDGE_STRENGTHS", (3.0,))
    train, test = numbers(50), numbers(20, 1)
    reader, features = linear.Reader.fitted(train.inputs, 1000)
    expected = Ridge(3.0).fit(features.toarray(), train.targets).predict(reader.read(test.inputs).toarray())
    model = Linear().fit(train, train, Regression().fitted(train), Run(0, tmp_path, metric="R2"))
    np.testing.assert_allclose(model.predict(test.inputs).values, expected, atol=1e-2)


@pytest.mark.parametrize("metric", ["RMSE", "R2"])
def test_the_strength_with_the_lowest_error_on_validation_is_taken(tmp_path, metric):
    train, validation = numbers(30), numbers(30, 1)
    task, seen = Regression().fitted(train), []
    model = Linear().fit(train, validation, task, Run(0, tmp_path, metric=metric, progress=seen.append))
    reader, features = linear.Reader.fitted(train.inputs, 300_000)
    others = [
        metric_values(task, other.predict(validation.inputs), validation)
        for other in linear._numbers(reader, features, train, task)
    ]
    score = metric_values(task, model.predict(validation.inputs), validation)
    assert score["RMSE"] == pytest.approx(min(other["RMSE"] for other in others))
    assert seen[-1].values == {metric: pytest.approx(score[metric])}
    assert score["R2"] > 0.5
