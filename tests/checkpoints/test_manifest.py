"""A saved model's folder opens only while it holds what was saved and nothing else that a loader would read."""

import json
import shutil

import numpy as np
import pytest

from headstart.checkpoints import folder, manifest
from headstart.checkpoints.header import open_header
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.majority import FittedMajority
from headstart.core.errors import CheckpointError
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

TASK = Classification(("bad", "good"))


@pytest.fixture
def place(tmp_path):
    FittedMajority(TASK, (0.25, 0.75)).save(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize(
    "name",
    [
        *("adapter_config.json", "modules.json", "pytorch_model.bin", "model.safetensors.index.json", "int8.json"),
        *("tokenizer_config.json", "vocab.txt", "merges.txt", "Vocab.TXT", "spm.model", "words.safetensors"),
        *("1_Pooling/config.json", "member-0/headstart.json"),
    ],
)
def test_a_file_that_nobody_saved_is_refused(place, name):
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("{}")
    with pytest.raises(
        CheckpointError, match=rf"{name}' is not among the files that '.*headstart\.json' lists; delete"
    ):
        model_folder.open_model(place)


@pytest.mark.parametrize("name", ["README.md", ".DS_Store", "notes.txt", ".cache/tokenizer.json", "LICENSE"])
def test_notes_are_never_read_and_may_be_there(place, name):
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text("{")
    assert model_folder.open_model(place).predict(["x"]).values == ("good",)


def test_a_link_to_another_folder_is_refused(place, tmp_path):
    (tmp_path / "other").mkdir()
    (place / "1_Pooling").symlink_to(tmp_path / "other")
    with pytest.raises(CheckpointError, match="1_Pooling' is not among the files"):
        model_folder.open_model(place)


@pytest.mark.parametrize(("before", "after"), [('"bad"', '"bat"'), ('"majority"', '"linear"'), ('"files"', '"filed"')])
def test_a_manifest_that_was_changed_is_refused(place, before, after):
    path = place / manifest.NAME
    path.write_text(path.read_text().replace(before, after, 1))
    with pytest.raises(CheckpointError, match=r"headstart\.json' is not the file that was saved .*; copy the folder"):
        model_folder.open_model(place)


def test_a_manifest_of_other_types_is_damaged(place):
    path = place / manifest.NAME
    stored = json.loads(path.read_text())
    del stored["sha256"]
    for change in ({"files": []}, {"files": {"majority.json": 3}}, {"extra": None}, {"contender": 3}, {"task": []}):
        path.write_text(json.dumps(stored | change))
        with pytest.raises(CheckpointError, match=r"headstart\.json' is damaged; copy the folder again"):
            manifest.read(place)


@pytest.mark.parametrize("classes", [[], ["a", "a"]])
def test_classes_are_named_once(place, classes):
    path = place / manifest.NAME
    stored = json.loads(path.read_text())
    del stored["sha256"]
    stored["task"]["fields"]["classes"] = classes
    path.write_text(json.dumps(stored))
    with pytest.raises(CheckpointError, match=r"headstart\.json' must name each class of the task once"):
        model_folder.open_model(place)


def test_the_manifest_of_a_member_is_a_file_of_the_ensemble(tmp_path):
    members = (FittedMajority(TASK, (0.25, 0.75)), FittedMajority(TASK, (0.5, 0.5)))
    FittedEnsemble(TASK, ("a", "b"), members, np.array([0.5, 0.5])).save(tmp_path / "model")
    assert "member-0/headstart.json" in manifest.verify(tmp_path / "model").files
    shutil.rmtree(tmp_path / "model" / "member-1")
    FittedMajority(TASK, (0.9, 0.1)).save(tmp_path / "model" / "member-1")
    with pytest.raises(CheckpointError, match=r"member-1/.*' is not the file that was saved"):
        model_folder.open_model(tmp_path / "model")


def test_a_file_is_added_and_removed(place):
    (place / "int8.json").write_text("{}")
    assert not manifest.lists(place, "int8.json")
    manifest.add(place, "int8.json")
    assert manifest.lists(place, "int8.json")
    model_folder.open_model(place)
    (place / "int8.json").write_text("{ }")
    assert not manifest.lists(place, "int8.json")
    manifest.remove(place, "int8.json")
    assert list(manifest.verify(place).files) == ["majority.json"]


@pytest.mark.parametrize("door", [folder.load, open_header])
def test_a_saved_model_is_checked_as_a_backbone_too(door, backbone, tmp_path):
    place = tmp_path / "model"
    shutil.copytree(backbone, place)
    manifest.write(place, "finetuned", TASK, {})
    door(place)
    (place / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"adapter_config\.json' is not among the files"):
        door(place)
    (place / "adapter_config.json").unlink()
    path = place / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(CheckpointError, match=r"model\.safetensors' is not the file that was saved"):
        door(place)


def test_a_folder_called_like_a_packaged_model_is_the_folder(place, monkeypatch):
    monkeypatch.chdir(place.parent)
    place.rename("minilm")
    seen = []
    monkeypatch.setattr("headstart.contenders.majority.PLUGIN.load", lambda folder, *rest: seen.append(folder))
    model_folder.open_model("minilm")
    assert seen == [place.parent / "minilm"]
