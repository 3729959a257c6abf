"""Saved models whose files do not fit together, under a manifest that lists them: each is refused in one sentence."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from headstart.checkpoints import folder, manifest
from headstart.contenders import _neural
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.linear import FittedLinear, Reader
from headstart.contenders.majority import FittedMajority
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn import bottleneck
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

TASK = Classification(("bad", "good"))
MAJORITY = FittedMajority(TASK, (0.25, 0.75))


def refused(place, reason, file="", **changes):
    """Change values of a JSON file, list it anew, and expect the model to be refused."""
    if file:
        path = place / file
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    manifest.relist(place)
    with pytest.raises(CheckpointError, match=reason):
        model_folder.open_model(place)


@pytest.mark.parametrize("shares", [[1], [0.5, 2], [0.5, float("nan")], ["a", "b"], 3])
def test_shares_are_one_a_class(tmp_path, shares):
    MAJORITY.save(tmp_path / "model")
    refused(
        tmp_path / "model", r"must hold a share from 0 to 1 for each of the 2 classes", "majority.json", shares=shares
    )


@pytest.fixture
def linear(tmp_path):
    numbers = np.ones(2, dtype=np.float32)
    FittedLinear(TASK, Reader(("a", "b"), (), numbers, numbers[:0]), numbers[:, None], numbers[:1], False).save(
        tmp_path / "model"
    )
    return tmp_path / "model"


@pytest.mark.parametrize("words", [["a", "a"], ["a", 3], "ab", None])
def test_n_grams_are_different_texts(linear, words):
    refused(linear, r"n_grams\.json' must list each n-gram of its 'words' once", "n_grams.json", words=words)


def test_n_grams_and_weights_are_as_many(linear):
    refused(linear, r"'weights' is F32 of shape \(2, 1\) instead of .* \(3, 1\)", "n_grams.json", words=["a", "b", "c"])


def test_a_linear_model_says_what_its_features_are(linear):
    manifest.write(linear, "linear", TASK, {})
    with pytest.raises(CheckpointError, match="does not say whether features are presences; save the model again"):
        model_folder.open_model(linear)


@pytest.mark.parametrize("changes", [{"names": []}, {"names": "ab"}, {"vote": 3}])
def test_an_ensemble_names_its_members(tmp_path, changes):
    FittedEnsemble(TASK, ("a", "b"), (MAJORITY, MAJORITY), np.array([0.5, 0.5])).save(tmp_path / "model")
    reason = r"ensemble\.json' must name the members and say whether they vote"
    refused(tmp_path / "model", reason, "ensemble.json", **changes)


def test_members_have_the_classes_of_their_ensemble(tmp_path):
    FittedEnsemble(TASK, ("a", "b"), (MAJORITY, MAJORITY), np.array([0.5, 0.5])).save(tmp_path / "model")
    FittedMajority(Classification(("good", "bad")), (0.5, 0.5)).save(tmp_path / "model" / "member-1")
    refused(tmp_path / "model", "member-1' answers with other classes than the ensemble around it")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda table, name: table.pop(name), "other names or shapes than those of the model"),
        (lambda table, name: table.update({name: table[name][1:].clone()}), "other names or shapes than those"),
        (lambda table, name: table.update({name: table[name] * float("nan")}), "holds values that are not finite"),
        (lambda table, name: table.update({name: table[name].long()}), "holds values that are not finite numbers"),
    ],
)
def test_bottlenecks_are_those_of_the_model(backbone, tmp_path, change, reason):
    fitted = _neural.Neural("finetuned", TASK, folder.load(backbone, head=HeadPlan.numbered(2)), 3)
    fitted.checkpoint = _with_labels(fitted.checkpoint)
    bottleneck.insert(fitted.model, "pfeiffer", 2)
    fitted.save(tmp_path / "model")
    path = tmp_path / "model" / _neural.BOTTLENECKS
    table = load_file(path)
    change(table, "encoder.blocks.0.output_adapter.up.weight")
    save_file(table, path)
    refused(tmp_path / "model", reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda table: table.pop("rows"), "holds no rows of a table of words 16 wide"),
        (lambda table: table.update(rows=table["rows"][:, 1:].clone()), "holds no rows of a table of words 16 wide"),
        (lambda table: table.update(index=table["index"] + 10**6), "names rows that the table of words does not have"),
        (lambda table: table.update(index=table["index"] * 0), "names rows that the table of words does not have"),
        (lambda table: table.update(rows=table["rows"] * float("inf")), "holds values that are not finite numbers"),
    ],
)
def test_changed_rows_are_rows_of_the_backbone(backbone, tmp_path, change, reason):
    loaded = _with_labels(folder.load(backbone, head=HeadPlan.numbered(2)))
    with torch.no_grad():
        loaded.model.encoder.embeddings.word.weight[5:8] += 1
    _neural.Neural("finetuned", TASK, loaded, 3).save(tmp_path / "model", whole=False)
    path = tmp_path / "model" / "words.safetensors"
    with folder._rows.safetensors.safe_open(path, framework="pt") as file:
        header = file.metadata()
    table = load_file(path)
    change(table)
    save_file(table, path, metadata=header)
    refused(tmp_path / "model", rf"words\.safetensors {reason}")


@pytest.fixture
def means(backbone, tmp_path):
    """A classifier that reads means, as sentence-transformers lays it out."""
    fitted = _neural.Neural(
        "finetuned", TASK, _with_labels(folder.load(backbone, head=HeadPlan.numbered(2), pooling="mean")), 3
    )
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("modules.json", "{}", r"modules\.json holds no list of modules"),
        ("modules.json", "[" * 10**5, r"modules\.json is not readable JSON"),
        ("1_Pooling/config.json", "{}", r"has a classifier in 2_Dense, but 1_Pooling/config\.json does not say"),
        (
            "2_Dense/config.json",
            '{"activation_function": "Tanh"}',
            "'activation_function' is 'Tanh'; only a layer without",
        ),
    ],
)
def test_a_layer_and_its_settings_fit_together(means, file, content, reason):
    assert model_folder.open_model(means).predict(["a"]).probabilities.shape == (1, 2)
    (means / file).write_text(content)
    refused(means, reason)


def test_a_layer_of_whole_numbers(means):
    path = means / "2_Dense" / "model.safetensors"
    save_file({name: value.long() for name, value in load_file(path).items()}, path)
    refused(means, "2_Dense holds values that are not finite numbers; fetch the model again")


def test_a_folder_without_its_layer_has_no_classifier(means):
    shutil.rmtree(means / "2_Dense")
    refused(means, "has a head for nothing where")


def _with_labels(checkpoint):
    return folder.Checkpoint(**{**vars(checkpoint), "head": TASK.head()})
