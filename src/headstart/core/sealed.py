"""Files and folders that contain their own sizes and hashes, so that damaged ones are detected and made again.

They protect from failing disks and interrupted copies, not from deliberate changes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headstart.core.files import write_whole
from headstart.core.hashing import file_sha256
from headstart.core.terminal import say

SEAL = "sealed.json"
KEY = "sha256"


def write_note(path: Path, values: Mapping[str, Any]) -> None:
    """Write a small JSON file for :func:`read_note`.

    Args:
        path: the file.
        values: JSON values; none of them is named 'sha256'.

    Raises:
        OSError: the file cannot be written.
    """
    write_whole(path, json.dumps({**values, KEY: _hash(values)}, indent=1) + "\n")


def read_note(path: Path) -> dict[str, Any] | None:
    """Read what :func:`write_note` wrote; None if the file does not exist or is damaged.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    expected = values.pop(KEY, None)
    return values if _hash(values) == expected else None


def take_note(path: Path) -> dict[str, Any] | None:
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


def _files(folder: Path) -> dict[str, dict[str, Any]]:
    return {
        name: {"bytes": path.stat().st_size, KEY: file_sha256(path)} for name, path in sorted(_walk(folder).items())
    }


def _walk(folder: Path) -> dict[str, Path]:
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    files.pop(SEAL, None)
    return files


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
