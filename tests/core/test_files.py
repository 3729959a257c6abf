"""A file or folder is under its name as a whole, or as it was before; a disk that is full gives one sentence."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.core import files, tensors
from headstart.core.errors import DiskError


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


# --- disks that are full -----------------------------------------------------------------------------------------


def fails(code: int, *names: str) -> Callable[[], None]:
    def fail(*arguments: object, **named: object) -> None:
        raise OSError(code, os.strerror(code), *names)

    return fail


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (
            errno.ENOSPC,
            r"\(No space left on device; 12 bytes are needed, [\d,]+ are free\): free some space, and",
        ),
        (errno.EDQUOT, r"\(.*quota exceeded; 12 bytes are needed\): free some space, and rerun"),
        (errno.EFBIG, r"\(File too large; 12 bytes are needed\): raise the limit on the size of files, and rerun"),
        (errno.EROFS, r"\(Read-only file system\): make it writable, and rerun the same command"),
        (errno.EACCES, r"\(Permission denied\): make it writable, and rerun the same command"),
        (errno.EIO, r"\(Input/output error\): fix this, and rerun the same command"),
    ],
)
def test_what_the_system_says_becomes_one_sentence(tmp_path: Path, monkeypatch, code: int, sentence: str) -> None:
    path = tmp_path / "note.json"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", fails(code))
    with pytest.raises(DiskError, match=rf"^cannot write '{path}' {sentence}"):
        files.write_whole(path, "twelve bytes")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_about_another_file_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "out.csv"):
        (tmp_path / "source.csv").read_text()
    with pytest.raises(BrokenPipeError), files.replacing(tmp_path / "out.csv"):
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


def test_a_sentence_says_what_else_to_do_and_how_much_there_was(tmp_path: Path) -> None:
    def fill() -> None:
        with files.replacing(tmp_path / "out.csv", instead="name another place") as fresh:
            fresh.write_text("1234")
            fails(errno.ENOSPC)()

    with pytest.raises(DiskError, match=r"; more than 4 bytes are needed, .* free some space, or name another place"):
        fill()


LIMITED = """
import pathlib, resource, sys, numpy as np, torch
from headstart.core import files, tensors
from headstart.core.errors import DiskError
path = pathlib.Path(sys.argv[1], "file")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for write in (
    lambda: tensors.save_tensors({"a": torch.zeros(9999)}, path),
    lambda: tensors.save_arrays({"a": np.zeros(9999, dtype=np.float32)}, path),
    lambda: files.write_whole(path, "x" * 39996),
    lambda: files.write_text(path, "x" * 39996),
    lambda: files.append_line(path, "x" * 39995),
):
    try:
        write()
    except DiskError as error:
        print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no limits")
def test_a_limit_of_the_system_is_met(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    sentence = (
        f"cannot write '{tmp_path}/file' (File too large; 39,996 bytes are needed): "
        "raise the limit on the size of files, and rerun the same command."
    )
    assert lines == [sentence] * 5


def test_numpy_says_how_much_it_wrote_and_no_number(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match="No space left on device; 80 bytes"), files.writing(tmp_path / "a.npy", 80):
        raise OSError("100000 requested and 12484 written")


def test_a_line_that_does_not_fit_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "log.jsonl"
    files.append_line(path, "one")
    opened = Path.open

    def short(self: Path, *arguments, **named):
        file = opened(self, *arguments, **named)

        class Short:
            def __enter__(self):
                return self

            def __exit__(self, *error: object) -> None:
                file.close()

            def write(self, content: bytes) -> int:
                return file.write(content[:2])

            seek, truncate = file.seek, file.truncate

        return Short()

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", short)
        with pytest.raises(DiskError, match="No space left"):
            files.append_line(path, "two")
    assert path.read_text() == "one\n"


# --- folders -----------------------------------------------------------------------------------------------------


def test_a_folder_replaces_another_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "model"
    for content in ("one", "two"):
        with files.replacing_folder(folder) as fresh:
            (fresh / "part").mkdir()
            (fresh / "part" / "file").write_text(content)
            assert not folder.exists() or (folder / "part" / "file").read_text() == "one"
        assert (folder / "part" / "file").read_text() == content
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    with files.replacing_folder(folder) as fresh:
        (fresh / "file").write_text("old")
    with pytest.raises(DiskError, match=f"cannot write '{folder}' .No space left"), files.replacing_folder(folder):
        fails(errno.ENOSPC)()
    assert (folder / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


KILLED = """
import os, pathlib, sys, time
from headstart.core import files
with files.{block} as fresh:
    (fresh / "file").write_text("half")
    print(fresh, flush=True)
    {end}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of folders")
def test_leftovers_of_killed_processes_are_deleted_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    start = [sys.executable, "-c"]
    block = f"replacing_folder(pathlib.Path({str(folder)!r}))"
    killed = KILLED.format(block=block, end="os._exit(9)")
    assert subprocess.run([*start, killed], capture_output=True).returncode == 9
    (dead,) = tmp_path.iterdir()
    lives = KILLED.format(block=block, end="sys.stdin.read()")
    with subprocess.Popen([*start, lives], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as living:
        assert living.stdout is not None
        alive = Path(living.stdout.readline().strip())
        assert not dead.exists()
        (tmp_path / ".model.backup").mkdir()  # a person's own
        files.remove_leftovers(tmp_path)
        assert sorted(tmp_path.iterdir()) == sorted([alive, tmp_path / ".model.backup"])
        living.communicate("")
    assert (folder / "file").read_text() == "half"
    assert not alive.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no locks of folders")
def test_a_kill_between_the_two_renames_loses_nothing(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "model"
    with files.replacing_folder(folder) as fresh:
        (fresh / "file").write_text("old")
    rename = Path.rename

    def killed(self: Path, target: Path) -> None:
        if target == folder:
            raise KeyboardInterrupt
        rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        patch.setattr(shutil, "rmtree", lambda *rest, **named: None)
        with pytest.raises(KeyboardInterrupt), files.replacing_folder(folder):
            pass
    assert not folder.exists()
    files.remove_leftovers(tmp_path)
    assert (folder / "file").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_what_safetensors_left_unfinished_is_deleted(tmp_path: Path) -> None:
    for name in (".tmpA1b2C3", "model.safetensors", ".tmp"):
        (tmp_path / name).write_text("")
    tensors.remove_unfinished(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmp", "model.safetensors"]


def test_tensors_are_written_as_they_are(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    tensors.save_tensors({"a": torch.arange(3)}, tmp_path / "one", {"format": "pt"})
    tensors.save_arrays({"a": np.arange(3)}, tmp_path / "two", {"format": "pt"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert torch.equal(load_file(tmp_path / "one")["a"], torch.arange(3))


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, monkeypatch) -> None:
    mkdir = os.mkdir

    def fail(path: str, *rest: object) -> None:
        if files.UNFINISHED in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        mkdir(path)

    monkeypatch.setattr(os, "mkdir", fail)
    with (
        pytest.raises(DiskError, match=f"cannot write '{tmp_path / 'model'}' "),
        files.replacing_folder(tmp_path / "model"),
    ):
        pass


def test_a_folder_that_cannot_be_synced_is_an_error_of_the_disk(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskError, match=rf"cannot write '{tmp_path}' \(No space left on device"):
        files.flush(tmp_path)
