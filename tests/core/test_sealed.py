"""What is not what was written is recognised, whatever became of it."""

import pytest

from headstart.core import sealed


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGES = {
    "deleted": None,
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "flipped": flipped,
    "garbage": lambda data: bytes(range(256)),
    "list": lambda data: b"[]",
    "deep": lambda data: b"[" * 100_000,
}


def damage(path, how):
    data = path.read_bytes()
    path.unlink()
    if DAMAGES[how] is not None:
        path.write_bytes(DAMAGES[how](data))


def test_a_note_is_read_back(tmp_path):
    values = {"text": "h\u00f6her \ud800", "number": 0.1, "list": [1, None], "inside": {"b": 1, "a": 2}}
    sealed.write_note(tmp_path / "note.json", values)
    assert sealed.read_note(tmp_path / "note.json") == sealed.take_note(tmp_path / "note.json") == values
    sealed.write_note(tmp_path / "none.json", {})
    assert sealed.read_note(tmp_path / "none.json") == {}


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_note_is_nothing_and_is_deleted(tmp_path, how, capsys):
    path = tmp_path / "note.json"
    sealed.write_note(path, {"step": 150})
    damage(path, how)
    assert sealed.read_note(path) is None
    assert sealed.take_note(path) is None
    assert not path.exists()
    messages = capsys.readouterr().err
    assert messages == (
        "" if how == "deleted" else f"headstart: '{path}' is damaged, so it is deleted and made again.\n"
    )


def test_a_folder_in_place_of_a_note_is_deleted(tmp_path):
    (tmp_path / "note.json" / "inside").mkdir(parents=True)
    assert sealed.take_note(tmp_path / "note.json") is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "folder"
    (place / "inside").mkdir(parents=True)
    (place / "inside" / "numbers.bin").write_bytes(bytes(1000))
    (place / "text.txt").write_text("some text")
    sealed.seal(place)
    assert sealed.is_sealed(place)
    return place


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["inside/numbers.bin", "text.txt", sealed.SEAL])
def test_a_sealed_folder_holds_what_it_held(folder, name, how):
    damage(folder / name, how)
    assert not sealed.is_sealed(folder)


def test_a_sealed_folder_holds_nothing_else(folder):
    (folder / "more.txt").write_text("")
    assert not sealed.is_sealed(folder)
    assert not sealed.is_sealed(folder / "missing")


def test_a_name_is_shown_and_not_obeyed(tmp_path, capsys):
    (tmp_path / "a\x1b[31m").mkdir()
    sealed.discard(tmp_path / "a\x1b[31m")
    assert "a\\x1b[31m' is damaged" in capsys.readouterr().err


def test_a_link_is_deleted_and_not_what_it_names(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    sealed.remove(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
