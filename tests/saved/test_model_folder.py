import json

import numpy as np
import pytest

from headstart.checkpoints import manifest
from headstart.contenders.majority import FittedMajority
from headstart.core.errors import CheckpointError
from headstart.saved import model_folder
from headstart.tasks.classification import Classification


@pytest.fixture
def folder(tmp_path):
    FittedMajority(Classification(("bad", "größer\ud800")), (0.25, 0.75)).save(tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_model_opens_with_its_task(folder):
    model = model_folder.open_model(folder)
    assert model.task == Classification(("bad", "größer\ud800"))
    assert model.predict(["x"]).values == ("größer\ud800",)
    np.testing.assert_allclose(model.predict(["x"]).probabilities, [[0.25, 0.75]])


def test_the_text_column_is_kept_and_a_folder_from_before_it_was_opens(folder):
    task = Classification(("a", "b"), input_columns=("text=body",))
    FittedMajority(task, (0.25, 0.75)).save(folder)
    assert model_folder.open_model(folder).task == task
    path = folder / "headstart.json"
    stored = json.loads(path.read_text())
    del stored["task"]["fields"]["input_columns"], stored["sha256"]  # neither was written then
    path.write_text(json.dumps(stored))
    assert model_folder.open_model(folder).task == Classification(("a", "b"))
    stored["task"]["fields"]["text_column"] = "body"  # as later, but earlier than now
    path.write_text(json.dumps(stored))
    assert model_folder.open_model(folder).task == task
    stored["task"]["fields"]["text_column"] = ""
    path.write_text(json.dumps(stored))
    assert model_folder.open_model(folder).task == Classification(("a", "b"))


def test_saving_leaves_no_temporary_folder_and_replaces_the_old_one(folder):
    (folder / "stale.txt").write_text("old")
    FittedMajority(Classification(("a", "b")), (0.5, 0.5)).save(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["headstart.json", "majority.json"]
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_a_failed_save_leaves_the_old_folder(folder):
    before = (folder / "headstart.json").read_bytes()

    def half_a_save():
        with model_folder.saving(folder) as fresh:
            (fresh / "half.bin").write_bytes(b"half")
            raise OSError("disk is full")

    with pytest.raises(OSError, match="disk is full"):
        half_a_save()
    assert (folder / "headstart.json").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]


def test_manifest_lists_files_in_folders_too(tmp_path):
    with model_folder.saving(tmp_path / "deep") as fresh:
        (fresh / "sub").mkdir()
        (fresh / "sub" / "part.bin").write_bytes(b"\x00\x01")
        manifest.write(fresh, "majority", Classification(("a",)), {"one": 1})
    listed = manifest.verify(tmp_path / "deep")
    assert list(listed.files) == ["sub/part.bin"]
    assert listed.extra == {"one": 1}


def test_a_changed_file_is_named(folder):
    path = folder / "majority.json"
    path.write_bytes(path.read_bytes().replace(b"0.75", b"0.76"))
    with pytest.raises(CheckpointError, match=r"majority\.json' is not the file that was saved"):
        model_folder.open_model(folder)


def test_a_missing_file_is_named(folder):
    (folder / "majority.json").unlink()
    with pytest.raises(CheckpointError, match=r"majority\.json' is missing"):
        model_folder.open_model(folder)


@pytest.mark.parametrize("name", ["nothing", "."])
def test_a_folder_without_a_manifest(tmp_path, name):
    with pytest.raises(CheckpointError, match=r"is not a model folder: it holds no headstart\.json"):
        model_folder.open_model(tmp_path / name)


def edited(folder, **changes):
    """Change the manifest, without the hash of itself, as a folder from before it had one."""
    stored = json.loads((folder / "headstart.json").read_text(encoding="utf-8", errors="surrogatepass"))
    del stored["sha256"]
    (folder / "headstart.json").write_text(json.dumps(stored | changes))


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format": 1, "task": 3}', "\xff"])
def test_a_damaged_manifest(folder, content):
    (folder / "headstart.json").write_text(content, encoding="latin-1")
    with pytest.raises(CheckpointError, match=r"headstart\.json' (is damaged|has format 1)"):
        model_folder.open_model(folder)


def test_a_newer_format(folder):
    edited(folder, format=99)
    with pytest.raises(CheckpointError, match="has format 99, this Headstart reads 1"):
        model_folder.open_model(folder)


def test_an_unknown_contender(folder):
    edited(folder, contender="oracle")
    with pytest.raises(CheckpointError, match="this one does not know: no contender 'oracle'"):
        model_folder.open_model(folder)


def test_a_manifest_cannot_reach_outside_its_folder(folder):
    edited(folder, files={"../../etc/passwd": "0"})
    with pytest.raises(CheckpointError, match="names a file outside its folder"):
        model_folder.open_model(folder)
