import json
from dataclasses import replace
from pathlib import Path

import pytest

from headstart.contest import run_folder
from headstart.core import checked
from headstart.core.alone import alone
from headstart.core.errors import CheckpointError, UsageError


@pytest.fixture
def other(splits):
    return replace(splits, test=splits.test.take(range(1, len(splits.test))))


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def opened(splits, out=None, name="train.csv"):
    messages = []
    with run_folder.opened(out, splits, name, messages.append) as folder:
        (folder / "trials").mkdir(exist_ok=True)
    return str(folder), messages


def test_each_data_set_gets_back_to_its_own_folder(splits, other):
    assert opened(splits) == ("runs/train", [])
    folder, messages = opened(other)
    assert folder == f"runs/train-{run_folder.data_sha256(other)[:8]}"
    assert messages == [
        f"'runs/train' holds the comparison of another data set (train.csv, 130 rows), so this comparison is in "
        f"'{folder}'."
    ]
    assert opened(splits) == ("runs/train", [])
    assert opened(other)[0] == folder
    assert opened(other, name="more.csv") == ("runs/more", [])


def test_order_division_and_names_of_rows_do_not_make_another_data_set(splits, other):
    moved = replace(splits, train=splits.test, test=replace(splits.train, ids=tuple(map(str, range(60)))), sha256="")
    assert run_folder.data_sha256(moved) == run_folder.data_sha256(splits) != run_folder.data_sha256(other)


def test_a_named_folder_is_refused_to_another_data_set(splits, other, tmp_path):
    opened(splits, tmp_path / "out")
    assert opened(splits, tmp_path / "out", name="copy.csv")[0] == str(tmp_path / "out")
    with pytest.raises(UsageError, match=r"holds the comparison of another data set \(copy.csv, 130 rows\), .*--out"):
        opened(other, tmp_path / "out")


@pytest.mark.parametrize("content", [None, "{}"])
def test_a_folder_whose_data_are_not_known_is_left_alone(splits, tmp_path, content):
    (tmp_path / "out/best").mkdir(parents=True)
    if content:
        (tmp_path / "out/data.json").write_text(content)
    with pytest.raises(UsageError, match=r"out' holds a comparison of unknown data"):
        opened(splits, tmp_path / "out")


@pytest.mark.parametrize("change", [lambda text: "{", lambda text: "[]", lambda text: text.replace("130", "131")])
def test_a_damaged_note_of_whose_folder_it_is_is_named(splits, tmp_path, change):
    path = tmp_path / "out/data.json"
    opened(splits, path.parent)
    path.write_text(change(path.read_text()))
    with pytest.raises(CheckpointError, match=r"data.json' is damaged .*; name another folder with --out, or delete"):
        opened(splits, path.parent)


def test_a_note_without_a_hash_is_taken_and_gets_one(splits, tmp_path):
    values = {"sha256": run_folder.data_sha256(splits), "name": "train", "rows": 130}
    (tmp_path / "data.json").write_text(json.dumps(values))
    opened(splits, tmp_path)
    assert checked.read(tmp_path / "data.json", "") == {**values, "format": 1, "name": "train.csv"}


def test_a_folder_with_files_of_ones_own_is_taken(splits, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert opened(splits, tmp_path)[0] == str(tmp_path)
    assert json.loads((tmp_path / "data.json").read_text())["rows"] == 130


def test_another_process_in_the_folder_is_waited_for_only_with_the_same_data(splits, other):
    opened(splits)
    with alone(Path("runs/train")):
        assert opened(other)[0].startswith("runs/train-")
        with pytest.raises(UsageError, match="another headstart process is using"):
            opened(splits)


def test_a_process_that_was_faster_keeps_the_folder(splits, other, monkeypatch):
    """Both found the folder empty; the other one locked it first and finished."""
    lock = run_folder.alone

    def late(folder):
        monkeypatch.setattr(run_folder, "alone", lock)
        opened(splits)
        return lock(folder)

    monkeypatch.setattr(run_folder, "alone", late)
    assert opened(other)[0].startswith("runs/train-")


def test_a_file_where_the_folder_should_be_is_refused(splits, tmp_path):
    (tmp_path / "notes").write_text("keep me")
    for place in (tmp_path / "notes", tmp_path / "notes/run"):
        with pytest.raises(UsageError, match=r"notes.*' is a file, or inside one: name a folder with --out"):
            opened(splits, place)
    assert (tmp_path / "notes").read_text() == "keep me"
