"""Files and folders that contain their own sizes and hashes, so that damaged ones are detected and made again.

They protect from failing disks and interrupted copies, not from deliberate changes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from headstart.core import checked
from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError
from headstart.core.hashing import file_sha256
from headstart.core.terminal import say

SEAL = "sealed.json"
KEY = "sha256"


def write_note(path: Path, values: Mapping[str, Value]) -> None:
    """Write a small JSON file for :func:`read_note`; see `core.checked.write`."""
    checked.write(path, values)


def read_note(path: Path) -> dict[str, Value] | None:
    """Read what :func:`write_note` wrote; None if the file does not exist or is damaged.

    Raises:
        OSError: the file cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return checked.read(path, "")
    except CheckpointError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        return None


def take_note(path: Path) -> dict[str, Value] | None:
    """Read a note as :func:`read_note` does, and delete a damaged one with a message."""
    values = read_note(path)
    if values is None and path.exists():
        discard(path)
    return values


def seal(folder: Path) -> None:
    """Write the size and SHA-256 of every file of a folder to its ``sealed.json``; call it when all are written."""
    write_note(folder / SEAL, {"files": _files(folder)})


def is_sealed(folder: Path) -> bool:
    """Return whether a folder contains exactly the sealed files; unchanged files are read once per process."""
    note = read_note(folder / SEAL)
    if note is None:
        return False
    sizes = {name: path_found.stat().st_size for name, path_found in _walk(folder).items()}
    if sizes != {name: one["bytes"] for name, one in note["files"].items()}:
        return False
    return bool(_files(folder) == note["files"])


def discard(path: Path) -> None:
    """Delete a damaged file or folder, with a message on standard error."""
    say(f"headstart: '{path}' is damaged, so it is deleted and made again.")
    remove(path)


def remove(path: Path) -> None:
    """Delete a path, whether it is a folder, a file, a link, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _files(folder: Path) -> dict[str, dict[str, int | str]]:
    return {
        name: {"bytes": path.stat().st_size, KEY: file_sha256(path)} for name, path in sorted(_walk(folder).items())
    }


def _walk(folder: Path) -> dict[str, Path]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    files.pop(SEAL, None)
    return files
