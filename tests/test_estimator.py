"""scikit-learn's rules, held by its own checks where they make sense for text, and by ours where they do not."""

import datetime
import decimal
import pickle

import numpy as np
import pandas
import polars
import pyarrow
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import validate_data

from headstart import estimator, tasks
from headstart.contenders.majority import Majority
from headstart.core.errors import UsageError
from headstart.core.records import Attempt, Rows
from headstart.estimator import TextClassifier, TextRegressor, hold_out, read_table, read_texts
from headstart.tasks.classification import Classification

# Of an estimator that takes text, scikit-learn checks next to nothing (`test_the_checks_for_text`). So its checks for
# tables of numbers are put to `Numbers`, which writes each row as a short text. They all pass; these few say nothing
# about text, each for the reason given. Checks of sample weights and of partial_fit do not arise: there are neither.
ABOUT_TABLES = {
    "check_array_api_input": "texts do not come as arrays on another device",
    "check_complex_data": "complex numbers are refused by the table of `Numbers`",
    "check_estimator_sparse_array": "texts cannot be sparse",
    "check_estimator_sparse_matrix": "texts cannot be sparse",
    "check_estimator_sparse_tag": "texts cannot be sparse",
    "check_estimators_nan_inf": "a text is never infinite; what is no text is tested below",
    "check_fit1d": "texts are one-dimensional; tables are refused, which is tested below",
    "check_fit2d_predict1d": "texts are one-dimensional; tables are refused, which is tested below",
    "check_n_features_in": "texts have no number of features",
    "check_n_features_in_after_fitting": "texts have no number of features",
    "check_positive_only_tag_during_fit": "texts have no sign",
}
TEXTS = ["a good film", "a bad film", "so good", "so bad", "good plot here", "bad plot here"] * 5
STEPS = np.linspace(-3, 3, 13)
LETTERS = str.maketrans("<>", "ab")


class Numbers(TextClassifier):
    """Write rows of numbers as texts: a word for every column and threshold, so that near rows share most words."""

    def fit(self, X, y):
        validate_data(self, X)
        return super().fit(X, y)

    def _texts(self, X):
        table = validate_data(self, X, reset=False, dtype=float)
        return [" ".join(words(row)) for row in table]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array = False, False, True
        return tags


def words(row):
    for column, value in enumerate(row):
        for number, step in enumerate(STEPS):
            yield f"{column}{'>' if value > step else '<'}{number}".translate(LETTERS)


def name_of(check):
    return getattr(check, "func", check).__name__


@parametrize_with_checks([Numbers()])
def test_the_checks_for_tables(estimator, check):
    check(estimator)


def test_at_least_forty_of_them_speak_about_text():
    names = {name_of(check) for _, check in estimator_checks_generator(Numbers())}
    assert ABOUT_TABLES.keys() <= names
    assert len(names - ABOUT_TABLES.keys()) >= 40


def test_the_checks_for_text():
    check_estimator(TextClassifier())


@pytest.mark.parametrize(
    "labels",
    [
        ["good", "bad"],
        [1, 0],
        [9, 10],
        [True, False],
        [0.0, 1.0],
        [np.datetime64("2026-01-02"), np.datetime64("2026-01-01")],
        ["<script>alert(1)</script>", "&"],
    ],
    ids=lambda labels: type(labels[0]).__name__ + str(labels[0])[:2],
)
def test_labels_come_back_as_they_were(labels):
    model = TextClassifier("linear").fit(TEXTS, labels * 15)
    assert model.classes_.tolist() == np.unique(labels).tolist()
    assert model.predict(["good", "bad"]).tolist() == np.array(labels).tolist()
    assert model.predict(["good"]).dtype == np.array(labels).dtype
    columns = model.classes_.tolist()
    best = model.predict_proba(["good", "bad"]).argmax(axis=1)
    assert [columns[place] for place in best] == np.array(labels).tolist()


class LikeJax:
    """An array of a library that only promises to become one of numpy's."""

    def __init__(self, value):
        self.value = value

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.value)


@pytest.mark.parametrize(
    ("labels", "classes", "kind"),
    [
        ([np.int8(1), np.int8(0)] * 15, [0, 1], np.int8),
        ([np.bool_(True), np.bool_(False)] * 15, [False, True], np.bool_),
        ([np.str_("b"), np.str_("a")] * 15, ["a", "b"], np.str_),
        (torch.tensor([1, 0] * 15), [0, 1], np.int64),
        (torch.tensor([1.0, 0.0] * 15, requires_grad=True), [0.0, 1.0], np.float64),
        ([torch.tensor(True), torch.tensor(False)] * 15, [False, True], np.bool_),
        (LikeJax([1, 0] * 15), [0, 1], np.int64),
        ([LikeJax(1), LikeJax(0)] * 15, [0, 1], np.int64),
        (pandas.Series([1, 0] * 15, dtype="Int64"), [0, 1], np.int64),
        (pandas.Series([True, False] * 15, dtype="boolean"), [False, True], np.bool_),
        (pandas.Categorical([1, 0] * 15), [0, 1], np.int64),
        (polars.Series([True, False] * 15), [False, True], np.bool_),
        (pyarrow.array(["b", "a"] * 15).dictionary_encode(), ["a", "b"], np.str_),
        ([datetime.date(2026, 1, 2), datetime.date(2026, 1, 1)] * 15, None, datetime.date),
        ([decimal.Decimal(1), decimal.Decimal(0)] * 15, None, decimal.Decimal),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, type) else value.__name__,
)
def test_labels_are_taken_by_value_whatever_holds_them(labels, classes, kind):
    model = TextClassifier("linear").fit(TEXTS, labels)
    assert model.classes_.tolist() == (classes or sorted(set(labels)))
    best, worst = model.predict(["good", "bad"])
    assert (best, worst) == (model.classes_[1], model.classes_[0])
    assert type(best) is kind


@pytest.mark.parametrize("kind", [pyarrow.array, lambda texts: pyarrow.chunked_array([texts]), LikeJax])
def test_texts_of_other_libraries(kind):
    assert read_texts(kind(["one", "two"])) == ["one", "two"]


TINY = {"vocabulary": 60, "layers": 1, "width": 8, "heads": 2, "feed_forward": 8, "epochs": 1}


@pytest.mark.parametrize(
    ("contender", "options"),
    [
        ("majority", None),
        ("scratch", TINY),
        ("selfpretrained", {"size": "tiny", "vocabulary": 60, "epochs": 1, "pretraining_epochs": 1}),
        ("ensemble", {"members": "linear+majority"}),
        ("ensemble:vote", {"members": ("linear", "majority")}),
        ("distilled", {"teacher": "linear", "student": "1x16", "epochs": 1}),
        ("distilled:1x16-alone", {"epochs": 1}),
        ("finetuned:lora", {"epochs": 1}),
        ("finetuned:frozen", {"epochs": 1}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_name_of_the_leaderboard(contender, options, backbone):
    plain = clone(TextClassifier(contender, options=options))
    if "finetuned" in contender or "distilled" in contender:
        plain.set_params(options={**options, "backbone": backbone})
    model = plain.fit(TEXTS, [True, False] * 15)
    assert model.get_params()["contender"] == contender
    assert model.predict(["good"]).dtype == bool
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(TEXTS), model.predict_proba(TEXTS))


@pytest.mark.parametrize(
    "kind",
    [list, tuple, np.array, pandas.Series, polars.Series, lambda values: np.array(values, dtype=object)],
    ids=["list", "tuple", "array", "pandas", "polars", "objects"],
)
def test_texts_and_labels_in_any_container(kind):
    labels = ["pos", "neg"] * 15
    model = TextClassifier("linear").fit(kind(TEXTS), kind(labels))
    expected = TextClassifier("linear").fit(TEXTS, labels)
    assert model.predict(kind(TEXTS)).tolist() == labels
    assert np.array_equal(model.predict_proba(kind(TEXTS)), expected.predict_proba(TEXTS))
    assert model.score(kind(TEXTS), kind(labels)) == 1.0


def test_an_index_that_is_not_in_order_means_nothing():
    texts = pandas.Series(TEXTS, index=range(30, 0, -1))
    assert TextClassifier("linear").fit(texts, [1, 0] * 15).predict(texts[:2]).tolist() == [1, 0]


def test_it_works_in_pipelines_searches_and_cross_validation():
    labels = np.array(["pos", "neg"] * 15)
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = make_pipeline(lower, TextClassifier("majority"))
    assert cross_val_score(pipeline, [text.upper() for text in TEXTS], labels, cv=3).mean() == 0.5
    search = GridSearchCV(pipeline, {"textclassifier__contender": ["majority", "linear"]}, cv=2).fit(TEXTS, labels)
    assert search.best_params_ == {"textclassifier__contender": "linear"}
    assert search.best_score_ == 1.0


def test_parameters_reach_the_contender():
    model = clone(TextClassifier("scratch", options=TINY)).fit(TEXTS, [1, 0] * 15)
    assert model.options == TINY
    assert model.model_.checkpoint.arguments["width"] == 8
    assert model.predict_proba(["good"]).sum() == pytest.approx(1, abs=1e-12)


def test_a_seed_decides_and_none_does_not():
    def probability(seed):
        model = TextClassifier("scratch", options=TINY, random_state=seed).fit(TEXTS, [1, 0] * 15)
        return model.predict_proba(["good"])[0, 0]

    assert probability(3) == probability(np.random.RandomState(3)) == probability(3)
    assert len({probability(3), probability(4), probability(None)}) == 3


def test_a_fitted_model_can_be_pickled():
    model = TextClassifier("linear").fit(TEXTS, [1, 0] * 15)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(TEXTS), model.predict_proba(TEXTS))


def test_nothing_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    TextClassifier("linear").fit(TEXTS, [1, 0] * 15)
    assert not list(tmp_path.iterdir())


def test_labels_with_the_same_name_stay_apart():
    class Same(int):
        def __str__(self):
            return "same"

    labels = np.array([Same(1), Same(0)] * 15, dtype=object)
    assert TextClassifier("linear").fit(TEXTS, labels).predict(["good", "bad"]).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("rows", "classes", "sizes"), [(100, 2, (90, 10)), (4, 2, (3, 1)), (2, 2, (2, 2)), (3, 3, (3, 3))]
)
def test_validation_is_set_apart_where_there_is_something_to_spare(rows, classes, sizes):
    everything = Rows(tuple(map(str, range(rows))), ("x",) * rows, tuple(str(n % classes) for n in range(rows)))
    train, validation = hold_out(everything, Classification(), 0.1, seed=0)
    assert (len(train), len(validation)) == sizes
    assert set(train.targets) == set(everything.targets)
    assert set(train.ids).isdisjoint(validation.ids) or train == validation == everything


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_nothing_is_answered_before_fit(method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(TextClassifier(), method)(["text"])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "a single text was given where a sequence of texts is expected; put it in a list"),
        (b"bytes", "a single text was given"),
        ([], r"X is empty, with 0 sample\(s\)"),
        (["fine", None], r"X\[1\] is None, of type NoneType, where a text is expected"),
        ([3.5], r"X\[0\] is 3.5, of type float"),
        (np.array([["a"], ["b"]]), r"ndarray of shape \(2, 1\), where one dimension is expected.* as texts\[:, 0\]"),
        (pandas.DataFrame({"text": ["a"]}), r"DataFrame of shape \(1, 1\).*such as frame\['text'\]"),
        (polars.DataFrame({"text": ["a"]}), r"DataFrame of shape \(1, 1\).*such as frame\['text'\]"),
        ({"one text"}, "X is not a sequence of texts: the texts are given as set, where a list with one for each row"),
        (None, "the texts are given as NoneType, where a list with one for each row is expected"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_sequence_of_texts(texts, message):
    with pytest.raises(ValueError, match=message):
        read_texts(texts)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        (["a"] * 30, "all labels are 'a': a classifier needs two classes, not 1 class"),
        (["a", 1] * 15, "labels of the types int, str cannot be sorted; use one type"),
        (["a", None] * 15, r"y\[1\] is None: leave rows without a label out"),
        (pandas.Series([1, None] * 15, dtype="Int64"), r"y\[1\] is <NA>: leave rows without a label out"),
        (np.eye(2)[[0, 1] * 15], r"y should be a 1d array, got an array of shape \(30, 2\) instead"),
        ([0.1, 0.7] * 15, "Unknown label type"),
        ([1.0, float("nan")] * 15, "contains NaN"),
        (["a", "b"], "inconsistent numbers of samples"),
    ],
    ids=["none", "one class", "mixed", "missing", "NA", "table", "numbers", "nan", "too few"],
)
def test_what_is_no_class_label(labels, message):
    with pytest.raises(ValueError, match=message):
        TextClassifier().fit(TEXTS, labels)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 10])
def test_a_fraction_that_is_none(fraction):
    with pytest.raises(ValueError, match=f"validation_fraction must lie between 0 and 1, not {fraction}"):
        TextClassifier(validation_fraction=fraction).fit(TEXTS, [1, 0] * 15)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"contender": "linaer"}, "did you mean 'linear'"),
        ({"contender": "linear:full"}, "contender 'linear' has no strategies; write 'linear' instead"),
        ({"contender": "finetuned:lroa"}, "no strategy 'lroa'; did you mean 'lora'"),
        ({"contender": "ensemble:vot"}, "option 'how' of contender 'ensemble' cannot be 'vot'; did you mean 'vote'"),
        ({"contender": "linear", "options": {"no": 1}}, "has no option 'no'"),
        ({"metric": "acuracy"}, "no metric 'acuracy'; did you mean 'accuracy'"),
        ({"device": "abacus"}, "no device 'abacus'; known: auto, cpu, cuda"),
    ],
    ids=["contender", "no strategies", "strategy", "way", "option", "metric", "device"],
)
def test_wrong_parameters_are_found_by_fit(parameters, message):
    with pytest.raises(UsageError, match=message):
        TextClassifier(**parameters).fit(TEXTS, [1, 0] * 15)


def test_a_training_that_collapsed_is_warned_about(monkeypatch):
    class Collapses:
        def fit(self, train, validation, task, run):
            for attempt in (Attempt(1.0, "one class for all texts"), Attempt(1 / 3, "one class for all texts")):
                run.attempted(attempt)
            return Majority().fit(train, validation, task, run)

    monkeypatch.setattr(estimator._members, "build", lambda name, more: Collapses())
    with pytest.warns(ConvergenceWarning, match=r"scratch collapsed, .* \(one class for all texts\): try a lower"):
        TextClassifier("scratch").fit(["a", "b", "c", "d"], [0, 1, 0, 1])


# --- numbers -------------------------------------------------------------------------------------------------


def test_the_checks_for_text_of_a_regressor():
    check_estimator(TextRegressor())


def test_a_regressor_predicts_numbers_and_scores_by_r2():
    numbers = [8.5, -2.0, 8.0, -1.5, 9.0, -3.0] * 5
    model = TextRegressor("linear", validation_fraction=0.2).fit(TEXTS, numbers)
    assert model.predict(TEXTS[:2]) == pytest.approx([8.5, -2.0], abs=1.5)
    assert model.score(TEXTS, numbers) > 0.9
    assert len(model.predict(["so good"])) == 1
    assert clone(model).get_params()["validation_fraction"] == 0.2


def test_a_held_out_part_of_numbers_is_not_trained_on():
    rows = Rows(tuple(map(str, range(20))), ("x",) * 20, tuple(map(float, range(20))))
    train, validation = hold_out(rows, tasks.load("regression"), 0.25, seed=0)
    assert (len(train), len(validation)) == (15, 5)
    assert set(train.ids).isdisjoint(validation.ids)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        ([], r"y is empty, with 0 sample\(s\)"),
        (["a", "b"], "where numbers are expected"),
        ([1.0, float("nan")], "Input y contains NaN"),
        ([2.5, 2.5], "all 2 numbers are 2.5; different ones are needed"),
        ([1.0, 2.0, 3.0], "inconsistent numbers of samples"),
    ],
)
def test_numbers_that_are_none_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        TextRegressor().fit(["one text", "another"], numbers)


# --- columns beside the text -----------------------------------------------------------------------------------------

PRICES = [9.0, 1.0, None, 1.5, 8.0, 2.0] * 5
TABLE = {"text": ["a film", "a plot", "so", "here", "so", "a film"] * 5, "price": PRICES, "land": ["DE", "FR"] * 15}
GOOD = ["good", "bad"] * 15


@pytest.mark.parametrize("table", [dict, pandas.DataFrame, polars.DataFrame])
def test_columns_are_read_beside_the_text(table):
    model = TextClassifier("linear", features=["price", "land"]).fit(table(TABLE), GOOD)
    assert model.predict(table(TABLE)).tolist() == GOOD
    assert model.predict_proba(table({**TABLE, "land": ["FR"] * 30})).shape == (30, 2)
    assert model.feature_names_in_.tolist() == ["text", "price", "land"]
    assert model.n_features_in_ == 3
    assert [column.form for column in model.model_.task.tabular.columns] == ["number", "category"]
    assert model.model_.task.tabular.columns[1].categories == ("DE", "FR")


def test_a_model_of_columns_is_cloned_searched_and_cross_validated():
    frame = pandas.DataFrame({**TABLE, "price": 1.0}).rename(columns={"text": "review"})
    model = TextClassifier("linear", text="review", features=["land"])
    assert cross_val_score(clone(model), frame, GOOD, cv=3).mean() == 1.0
    search = GridSearchCV(model, {"features": [["price"], ["land"]]}, cv=3).fit(frame, GOOD)
    assert search.best_params_ == {"features": ["land"]}
    assert not hasattr(TextClassifier("linear").fit(frame["review"], GOOD), "n_features_in_")


def test_a_regressor_reads_columns():
    prices = [float(number) for number in range(30)]
    table = {**TABLE, "price": prices}
    model = TextRegressor("linear", features=["price"]).fit(table, [2 * price for price in prices])
    assert np.corrcoef(model.predict(table), prices)[0, 1] > 0.99


@pytest.mark.parametrize(
    ("table", "features", "reason"),
    [
        (["a", "b"], ["price"], "X is of type list, where a table with named columns is expected"),
        (TABLE, ["prize"], "X has no column 'prize'; it has 'text', 'price', 'land'"),
        ({"price": [1.0]}, ["price"], "X has no column 'text'"),
        ({"text": ["a", "b"], "price": [1.0]}, ["price"], "X has 2 texts and 1 values of 'price'"),
        ({"text": ["a", 3], "price": [1.0, 2.0]}, ["price"], r"X\[1\] is 3, of type int, where a text is expected"),
        (TABLE, "price", "features is 'price', where a list of names of columns is expected"),
        ({"text": ["a"], "price": np.ones((1, 2))}, ["price"], "one dimension is expected"),
    ],
)
def test_tables_without_the_columns_are_refused(table, features, reason):
    with pytest.raises(ValueError, match=reason):
        read_table(table, "text", features)


def test_contenders_that_read_no_columns_are_refused():
    with pytest.raises(UsageError, match="contender 'distilled' does not read columns beside the text"):
        TextClassifier("distilled", features=["price"]).fit(TABLE, GOOD)
