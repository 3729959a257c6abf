"""A file stands under its name as a whole, or as it was before."""

from pathlib import Path

import pytest

from headstart.core import files


def test_the_new_text_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    for text in ("first\n", "höher \ud800"):
        files.write_whole(path, text)
        assert path.read_bytes() == text.encode("utf-8", "surrogatepass")
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    path.write_text("old")

    def fail() -> None:
        with files.replacing(path) as fresh:
            fresh.write_text("half of the n")
            raise ValueError("interrupted")

    with pytest.raises(ValueError, match="interrupted"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_processes_that_write_one_file_do_so_beside_each_other(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with files.replacing(path, "1") as one, files.replacing(path, "2") as other:
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
