"""What every contender promises. A new file in the room is tested here by itself."""

from __future__ import annotations

import dataclasses
from typing import get_args

import numpy as np
import pytest

from headstart.core import rooms
from headstart.core.contracts import Contender, Fitted, Kind
from headstart.core.records import Rows, Run
from headstart.core.rooms import Signed
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

NAMES = rooms.names("contenders")
ODD = ("", " ", "\t\n", "x", "非常好", "🙂", "\u202e\x00", "word " * 3000, "Arrived early, works well, very happy.")


def rows(pairs) -> Rows:
    texts, labels = zip(*pairs, strict=True)
    return Rows(tuple(f"s:{i + 2}" for i in range(len(texts))), tuple(texts), tuple(labels))


@pytest.fixture(scope="module", params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def contender(name, tiny_options):
    return rooms.load("contenders", name, tiny_options(name))


@pytest.fixture(scope="module")
def fit(contender, tmp_path_factory):
    def fitted(train: Rows, validation: Rows, seed: int = 0):
        task = Classification().fitted(train)
        if task.kind not in contender.kinds:
            # A contender may be made for other tasks alone; it then has a contract of its own.
            pytest.skip("cannot learn classification")
        return contender.fit(train, validation, task, Run(seed, tmp_path_factory.mktemp("run") / "work"))

    return fitted


@pytest.fixture(scope="module")
def fitted(fit):
    return fit(rows(Classification.SAMPLE), rows(Classification.SAMPLE))


def test_is_a_frozen_dataclass_with_a_name_and_a_promise(name, contender):
    assert dataclasses.is_dataclass(contender)
    with pytest.raises(dataclasses.FrozenInstanceError):
        contender.name = "other"
    assert contender.name.partition(":")[0] == name
    assert rooms.promise("contenders", name).endswith((".", "!"))


def test_names_the_kinds_of_task_that_it_can_learn(contender):
    assert isinstance(contender, Contender)
    assert contender.kinds
    assert contender.kinds <= set(get_args(Kind))


def test_answers_with_labels_and_probabilities(fitted):
    predictions = fitted.predict(ODD)
    assert isinstance(fitted, Fitted)
    assert len(predictions.values) == len(ODD)
    assert predictions.classes == fitted.task.classes == ("bad", "good")
    assert predictions.probabilities.shape == (len(ODD), 2)
    assert predictions.probabilities.dtype == np.float32
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-5)
    assert predictions.values == tuple(predictions.classes[i] for i in predictions.probabilities.argmax(axis=1))


def test_thresholds_of_its_task_decide_on_its_labels(fitted):
    if not fitted.has_thresholds:
        pytest.skip("its labels are not decided by its own probabilities")
    texts = [*ODD, *(text for text, _ in Classification.SAMPLE)]
    probabilities = fitted.predict(texts).probabilities
    merits = np.log(probabilities.astype(float))
    odds = merits[:, 1] - merits[:, 0]
    limit = float(odds.min() + odds.max()) / 2
    changed = dataclasses.replace(fitted, task=dataclasses.replace(fitted.task, offsets=(Signed(limit), Signed(0.0))))
    predictions = changed.predict(texts)
    assert np.array_equal(predictions.probabilities, probabilities)
    expected = (merits + np.array([limit, 0.0])).argmax(axis=1).tolist()
    assert set(expected) == {0, 1}
    assert [fitted.task.classes.index(value) for value in predictions.values] == expected


def test_no_inputs_no_answers(fitted):
    predictions = fitted.predict([])
    assert predictions.values == ()
    assert predictions.probabilities.shape == (0, 2)


def test_each_answer_depends_on_its_own_input_alone(fitted):
    texts = [*ODD, *(text for text, _ in Classification.SAMPLE)]
    order = np.random.default_rng(0).permutation(len(texts))
    together, shuffled = fitted.predict(texts), fitted.predict([texts[i] for i in order])
    np.testing.assert_allclose(shuffled.probabilities, together.probabilities[order], atol=1e-5)
    alone = np.concatenate([fitted.predict([text]).probabilities for text in texts])
    np.testing.assert_allclose(alone, together.probabilities, atol=1e-5)


def test_answers_the_same_from_its_folder(fitted, tmp_path, name):
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    here, there = fitted.predict(ODD), again.predict(ODD)
    assert there.values == here.values
    assert np.array_equal(there.probabilities, here.probabilities)
    assert again.task == fitted.task
    assert (again.parameters, again.trained_parameters) == (fitted.parameters, fitted.trained_parameters)
    files = [path for path in (tmp_path / "saved").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".txt", ".md"}  # and so no pickle
    assert not [path for path in tmp_path.iterdir() if path.name != "saved"]


def test_the_same_seed_gives_the_same_answers(fitted, fit):
    again = fit(rows(Classification.SAMPLE), rows(Classification.SAMPLE))
    assert np.array_equal(again.predict(ODD).probabilities, fitted.predict(ODD).probabilities)


def test_another_seed_changes_a_contender_that_is_not_deterministic(fitted, fit, contender):
    other = fit(rows(Classification.SAMPLE), rows(Classification.SAMPLE), seed=1)
    same = np.array_equal(other.predict(ODD).probabilities, fitted.predict(ODD).probabilities)
    assert same == contender.deterministic


def test_learns_from_two_rows_a_class_with_a_label_in_validation_that_training_never_shows(fit):
    train = rows([("好 a", "one"), ("b", "one"), ("c", "two"), ("d e", "two"), ("f", "three"), ("g", "three")])
    validation = rows([("a", "one"), ("c", "two"), ("z", "never seen")])
    predictions = fit(train, validation).predict(["b", "", "zzz"])
    assert set(predictions.values) <= {"one", "two", "three"}
    assert np.isfinite(predictions.probabilities).all()


def test_counts_its_parameters_and_what_its_window_cuts(fitted):
    assert 0 <= fitted.trained_parameters <= fitted.parameters
    assert fitted.cut_off(["short"]) == 0.0
    assert 0.0 <= fitted.cut_off(ODD) < 1.0


def test_writes_nothing_outside_the_folder_it_is_given(contender, tmp_path, monkeypatch):
    if "label" not in contender.kinds:
        pytest.skip("cannot learn classification")
    monkeypatch.chdir(tmp_path)
    sample = rows(Classification.SAMPLE)
    contender.fit(sample, sample, Classification().fitted(sample), Run(0, tmp_path / "work", minutes=0.01))
    assert [path.name for path in tmp_path.iterdir()] in ([], ["work"])
