"""A Transformer with a conditional random field: it learns what follows what, and is saved with its own weights."""

import json

import numpy as np
import pytest
import transformers
from safetensors.numpy import load_file

from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Run
from headstart.saved import model_folder
from headstart.tasks.ner import Ner

TINY = {"vocabulary": 60, "layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "window": 24, "dropout": 0.0}


@pytest.fixture
def rows(rng):
    """Pairs of equal words, of which the first is never a name and the second always is: only the order tells."""
    words = np.array(["ba", "ke", "lo", "mi"])
    inputs, targets = [], []
    for _ in range(30):
        chosen = rng.choice(words, 3)
        text = " ".join(f"{word} {word}" for word in chosen)
        inputs.append(text)
        targets.append(((3, 5, "X"), (9, 11, "X"), (15, 17, "X")))
    return Rows(tuple(map(str, range(30))), tuple(inputs), tuple(targets))


def fit(rows, place, **options):
    task = Ner().fitted(rows)
    run = Run(0, place, metric="micro-F1")
    given = {**TINY, "epochs": 12, "learning_rate": 1e-2, "word_dropout": 0.0, **options}
    return rooms.load("contenders", "scratch", given).fit(rows, rows, task, run)


def test_it_learns_which_label_follows_which_and_opens_again(rows, tmp_path):
    fitted = fit(rows, tmp_path / "run", crf=True)
    moves = fitted.model.head.transitions
    o, begin = 0, 1
    assert moves[o, begin] - moves[o, o] > 0.1
    assert moves[begin, o] - moves[begin, begin] > 0.1
    predictions = fitted.predict(rows.inputs)
    assert np.mean([value == target for value, target in zip(predictions.values, rows.targets, strict=True)]) > 0.9
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved")
    np.testing.assert_allclose(again.model.head.transitions, moves)
    assert again.predict(rows.inputs).values == predictions.values
    np.testing.assert_allclose(again.predict(rows.inputs).confidence, predictions.confidence, rtol=1e-4)
    assert (again.parameters, again.trained_parameters) == (fitted.parameters, fitted.trained_parameters)
    assert again.with_int8().predict(rows.inputs).values == predictions.values


def test_its_scores_of_pairs_have_a_name_of_their_own_which_transformers_leaves_out(rows, tmp_path):
    fitted = fit(rows, tmp_path / "run", crf=True, epochs=1)
    fitted.save(tmp_path / "saved")
    weights = load_file(tmp_path / "saved" / "model.safetensors")
    np.testing.assert_array_equal(weights["crf.transitions.weight"], fitted.model.head.transitions)
    opened = folder.load(tmp_path / "saved")
    assert opened.head.crf
    assert (opened.fresh, opened.ignored) == ((), ())
    theirs = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "saved")
    np.testing.assert_array_equal(theirs.classifier.weight.detach(), weights["classifier.weight"])


def test_a_backbone_with_such_scores_is_tuned_without_and_with_new_ones(rows, tmp_path):
    fit(rows, tmp_path / "run", crf=True, epochs=1).save(tmp_path / "saved")
    for crf in (False, True):
        given = {"backbone": str(tmp_path / "saved"), "epochs": 1, "crf": crf, "strategy": "lora"}
        run = Run(0, tmp_path / str(crf), metric="micro-F1")
        tuned = rooms.load("contenders", "finetuned", given).fit(rows, rows, Ner().fitted(rows), run)
        assert (tuned.model.head.transitions is not None) == crf
    tuned.save(tmp_path / "adapter", whole=False)
    config = json.loads(next((tmp_path / "adapter").rglob("adapter_config.json")).read_text())
    assert config["modules_to_save"] == ["classifier"]
    again = model_folder.open_model(tmp_path / "adapter")
    np.testing.assert_array_equal(again.model.head.transitions, tuned.model.head.transitions)
    assert again.predict(rows.inputs).values == tuned.predict(rows.inputs).values


def test_other_tasks_and_weights_of_classes_are_refused(rows, tmp_path):
    with pytest.raises(UsageError, match="only the classes of single labels can be balanced, without crf; leave"):
        fit(rows, tmp_path, crf=True, class_weights="balanced")
    task = rooms.load("tasks", "classification").fitted(Rows(("1", "2"), ("x", "y"), ("a", "b")))
    with pytest.raises(UsageError, match="crf=true is for tasks that label words, such as ner, and this one does not"):
        rooms.load("contenders", "scratch", {**TINY, "crf": True}).fit(rows, rows, task, Run(0, tmp_path))
