import pytest

from headstart.checkpoints import manifest
from headstart.contenders.majority import FLOORS, Majority
from headstart.core.errors import CheckpointError
from headstart.core.records import Rows, Run
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.tasks.multilabel import Multilabel
from headstart.tasks.regression import Regression


def test_every_text_gets_the_most_frequent_class_and_the_shares(tmp_path):
    train = Rows(("1", "2", "3", "4"), ("a", "b", "c", "d"), ("ham", "spam", "spam", "spam"))
    fitted = Majority().fit(train, train, Classification().fitted(train), Run(0, tmp_path))
    predictions = fitted.predict(["anything", ""])
    assert predictions.values == ("spam", "spam")
    assert predictions.probabilities.tolist() == [[0.25, 0.75]] * 2
    assert fitted.parameters == 0


def test_a_tie_goes_to_the_first_class(tmp_path):
    train = Rows(("1", "2"), ("a", "b"), ("z", "a"))
    fitted = Majority().fit(train, train, Classification().fitted(train), Run(0, tmp_path))
    assert fitted.predict(["x"]).values == ("a",)


def test_labels_of_more_than_half_of_the_rows_or_the_most_frequent_set(tmp_path):
    train = Rows(("1", "2", "3"), ("a", "b", "c"), (("x", "y"), ("x",), ("z",)))
    predictions = Majority().fit(train, train, Multilabel().fitted(train), Run(0, tmp_path)).predict(["anything"])
    assert predictions.values == (("x",),)
    assert predictions.probabilities[0] == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    train = Rows(("1", "2", "3", "4", "5"), tuple("abcde"), ((), (), ("z",), ("x", "y"), ("x", "y")))
    assert Majority().fit(train, train, Multilabel().fitted(train), Run(0, tmp_path)).value == ("x", "y")


def test_no_facts():
    assert FLOORS["facts"]((((0, 4, "PER"),),), ()) == ((), ())


def number(targets, tmp_path):
    train = Rows(tuple("123"), tuple("abc"), targets)
    fitted = Majority().fit(train, train, Regression().fitted(train), Run(0, tmp_path))
    fitted.save(tmp_path / "model")
    return fitted


def test_the_mean_of_numbers_of_any_sign(tmp_path):
    fitted = number((-1.0, -2.0, -6.0), tmp_path)
    predictions = fitted.predict(["x", "y"])
    assert predictions.values == (-3.0, -3.0)
    assert predictions.probabilities is None
    assert model_folder.open_model(tmp_path / "model") == fitted


@pytest.mark.parametrize("value", ["null", "[1]", "NaN", '"a"', "true"])
def test_a_value_of_another_kind_is_refused(tmp_path, value):
    number((1.0, 2.0, 6.0), tmp_path)
    (tmp_path / "model" / "majority.json").write_text(f'{{"value": {value}, "shares": []}}')
    manifest.relist(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"majority\.json' holds no value that the task predicts"):
        model_folder.open_model(tmp_path / "model")


def test_a_folder_of_an_earlier_version_has_no_value(tmp_path):
    train = Rows(("1", "2", "3"), ("a", "b", "c"), ("ham", "spam", "spam"))
    Majority().fit(train, train, Classification().fitted(train), Run(0, tmp_path)).save(tmp_path / "model")
    (tmp_path / "model" / "majority.json").write_text('{"shares": [0.3, 0.7]}')
    manifest.relist(tmp_path / "model")
    assert model_folder.open_model(tmp_path / "model").predict(["x"]).values == ("spam",)
