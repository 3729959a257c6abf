"""Columns beside the text become the features that scikit-learn's own pipeline makes of them."""

import dataclasses
import json

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MultiLabelBinarizer, OneHotEncoder, StandardScaler

from headstart import tasks
from headstart.core import tabular
from headstart.core.errors import UsageError
from headstart.core.tabular import Tabular


def inputs(**columns):
    """Make inputs from columns of equal length."""
    rows = zip(*columns.values(), strict=True)
    return [{"text": "a text", "columns": dict(zip(columns, row, strict=True))} for row in rows]


def column(cells):
    return Tabular.of(["c"]).fitted(inputs(c=cells))


def test_features_are_those_of_scikit_learns_own_pipeline(rng):
    """Rows that were not fitted have further categories, and both have gaps."""
    prices = np.where(rng.random(200) < 0.2, np.nan, rng.normal(40, 7, 200))
    sizes = rng.integers(0, 5, 200).astype(float)
    countries = rng.choice(["DE", "FR", "PL"], 200).astype(object)
    countries[150:] = rng.choice(["DE", "XX"], 50)
    rows = inputs(price=prices.tolist(), size=sizes.tolist(), country=countries.tolist())
    fitted = Tabular.of(["price", "size", "country"]).fitted(rows[:150])
    number = make_pipeline(StandardScaler(), SimpleImputer(strategy="constant", fill_value=0, add_indicator=True))
    reference = ColumnTransformer(
        [
            ("price", number, [0]),
            ("size", StandardScaler(), [1]),
            ("country", OneHotEncoder(handle_unknown="ignore"), [2]),
        ]
    )
    table = np.column_stack([prices, sizes, countries]).astype(object)
    reference.fit(table[:150])
    np.testing.assert_allclose(fitted.features(rows), reference.transform(table).astype(float), atol=1e-6)
    assert fitted.width == 2 + 1 + 3


def test_lists_are_several_categories(rng):
    lists = [sorted(rng.choice(list("abcd"), rng.integers(0, 4), replace=False).tolist()) for _ in range(40)]
    fitted = column(lists)
    expected = MultiLabelBinarizer().fit_transform(lists)
    np.testing.assert_array_equal(fitted.features(inputs(c=lists))[:, :4], expected)
    np.testing.assert_array_equal(fitted.features(inputs(c=lists))[:, 4], expected.sum(axis=1) == 0)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (" DE ", "DE"),
        ("", None),
        ("  ", None),
        (None, None),
        (float("nan"), None),
        (True, "true"),
        (np.int64(3), 3.0),
        (10**400, "inf"),
        (["a", None, 2], ["a", "2"]),
        ([], None),
        ({"a": 1}, "{'a': 1}"),
    ],
)
def test_cells_of_any_type_are_read(value, cell):
    assert tabular.cell_of(value) == cell


@pytest.mark.parametrize("value", ["n/a", "inf", "1e200", float("-inf"), "1,5", ["3"], True])
def test_what_is_no_number_is_read_as_no_value_and_reported(value):
    fitted = column([1.0, 2.0, 3.0, None])
    assert fitted.features(inputs(c=[value])).tolist() == [[0.0, 1.0]]
    [doubt] = tabular.sentences(fitted.doubts(inputs(c=[2.0, value, None])), 3)
    assert doubt == "column 'c': 1 of 3 rows have something else than a number, which is read as no value."


def test_a_new_category_is_none_and_reported():
    fitted = column(["DE", "FR", None])
    assert fitted.features(inputs(c=["XX", "FR"])).tolist() == [[0, 0, 0], [0, 1, 0]]
    [doubt] = tabular.sentences(fitted.doubts(inputs(c=["XX", "FR", None])), 3)
    assert doubt == "column 'c': 1 of 3 rows have a category that training does not know, which is read as none."


def test_a_gap_that_no_training_row_has_is_reported():
    fitted = column(["DE", "FR"])
    assert fitted.features(inputs(c=[None])).tolist() == [[0, 0]]
    assert fitted.doubts(inputs(c=[None])) == {("c", "have no value, which no training row lacks"): 1}


def test_numbers_are_nine_values_in_ten():
    assert column([*range(9), "n/a"]).columns[0].form == "number"
    assert column([*range(8), "n/a", "?"]).columns[0].form == "category"
    assert column([*range(9), *[None] * 50, "n/a"]).columns[0].form == "number"


def test_numbers_that_are_all_equal_and_far_ones():
    assert column([5.0, 5.0]).features(inputs(c=[5.0, 6.0])).tolist() == [[0.0], [1.0]]
    assert column([1.0, 1.0 + 1e-12]).features(inputs(c=[1e90, -1e90])).tolist() == [[10.0], [-10.0]]


def test_a_column_without_any_value_is_one_constant():
    fitted = column([None, None])
    assert fitted.features(inputs(c=[None, "x"])).tolist() == [[1.0], [0.0]]


def test_only_the_most_frequent_categories_are_read():
    cells = [f"c{place}" for place in range(150) for _ in range(1 + (place < 100))]
    fitted = column(cells)
    assert fitted.columns[0].categories == tuple(sorted(f"c{place}" for place in range(100)))


@pytest.mark.parametrize("value", ["a text", {"text": "a"}, {"text": "a", "columns": {"price": 1}}, {"columns": {}}])
def test_an_input_without_a_column_is_refused(value):
    fitted = Tabular.of(["price", "country"])
    with pytest.raises(UsageError, match=r"no column .*'country', which .* as \{'text': \.\.\., 'columns': \{'price'"):
        fitted.cells(value)


def test_without_columns_an_input_is_what_it_was():
    nothing = Tabular()
    assert nothing.fitted(["a text"]) == nothing
    assert nothing.text(("a", "b")) == ("a", "b")
    assert nothing.features(["a", "b"]).shape == (2, 0)
    assert not nothing.doubts(["a text"])


def test_columns_as_words_come_before_the_text():
    fitted = dataclasses.replace(Tabular.of(["price", "tags"]), way="words")
    value = {"text": "Fine.", "columns": {"price": 12.3456, "tags": ["a", "b"]}}
    assert fitted.text(value) == "price: 12.35; tags: a, b; Fine."
    assert fitted.text({**value, "text": ("One", "Two")}) == ("price: 12.35; tags: a, b; One", "Two")
    assert fitted.text({"text": "Fine.", "columns": {"price": None, "tags": None}}) == "Fine."
    assert fitted.width == 0


@pytest.mark.parametrize("name", ["classification", "regression", "multilabel", "pairs", "pair-regression", "relation"])
def test_a_task_is_read_back_from_json_with_its_columns(name):
    columns = Tabular.of(["price", "country"]).fitted(inputs(price=[1, -4.5, None], country=["a+b", "DE", "DE"]))
    task = dataclasses.replace(tasks.load(name), tabular=dataclasses.replace(columns, way="alone"))
    fields = json.loads(json.dumps(dataclasses.asdict(task)))
    assert tasks.load(name, fields) == task


def test_a_field_of_columns_that_is_unknown_is_refused():
    with pytest.raises(UsageError, match="option 'tabular' of task 'classification' has no option 'colour'"):
        tasks.load("classification", {"tabular": {"colour": 1}})
