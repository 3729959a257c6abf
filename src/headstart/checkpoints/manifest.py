"""The manifest of a saved model: what made it, and the SHA-256 of every file that its predictions depend on.

FOLDER/headstart.json    with a hash of itself; the manifests of models inside the folder are ordinary files

A folder is opened only if it contains exactly the saved files, apart from files that no loader reads.
"""

from __future__ import annotations

import hashlib
import json
import os
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from headstart.core import rooms
from headstart.core.contracts import Task, Value
from headstart.core.errors import CheckpointError, shown
from headstart.core.files import write_whole
from headstart.core.hashing import file_sha256
from headstart.core.opening import guarded, present, read_object
from headstart.text._tokenizer_files import NAMES as TOKENIZER_FILES

NAME = "headstart.json"
FORMAT = 1
# All files that a loader opens have one of these endings or names. Other files (README.md, notes.txt, .DS_Store) are
# never read, so they may be in the folder.
SUFFIXES = {".json", ".safetensors", ".bin", ".model"}
CARD = "README.md"  # for people, who may edit it
EXPLANATION = "explanation.json"  # which method explains the model, see `explain.chosen`; measured again at any time
UNLISTED = frozenset({CARD, EXPLANATION})  # no prediction depends on them


@dataclass(frozen=True)
class Manifest:
    """The contents of ``headstart.json``.

    contender: file name of the plugin that reads the folder.
    task: file name of the task's plugin.
    fields: fields of the task.
    extra: what the contender's `load` needs besides its own files; JSON values.
    files: path inside the folder -> SHA-256.
    """

    contender: str
    task: str
    fields: dict[str, Value]
    extra: dict[str, Value]
    files: dict[str, str]


def write(folder: Path, contender: str, task: Task, extra: Mapping[str, Value]) -> None:
    """Write the manifest of a folder with all its other files."""
    _write(folder, Manifest(contender, rooms.name_of(type(task)), asdict(task), dict(extra), _hashes(folder)))


def relist(folder: Path) -> None:
    """Update the manifest of a folder, and those of the models inside it."""
    # The innermost first: they are files of the outer ones.
    for path in sorted(folder.rglob(NAME), key=lambda path: -len(path.parts)):
        _write(path.parent, replace(read(path.parent), files=_hashes(path.parent)))


def lists(folder: Path, name: str) -> bool:
    """Return whether a file of a folder exists as listed in its manifest."""
    expected = read(folder).files.get(name)
    with guarded(folder):
        return expected is not None and present(folder / name) and file_sha256(folder / name) == expected


def add(folder: Path, name: str) -> None:
    """Add a file to the manifest that was written to the folder later."""
    known = read(folder)
    _write(folder, replace(known, files=dict(sorted({**known.files, name: file_sha256(folder / name)}.items()))))


def remove(folder: Path, name: str) -> None:
    """Delete a file of a folder, and remove it from the manifest if it is listed."""
    known = read(folder)
    if name in known.files:
        _write(folder, replace(known, files={other: sha256 for other, sha256 in known.files.items() if other != name}))
    (folder / name).unlink(missing_ok=True)


def there(folder: Path) -> bool:
    """Return whether a folder has a manifest.

    Raises:
        CheckpointError: its path is not a file.
    """
    return present(folder / NAME)


def read(folder: Path) -> Manifest:
    """Read a manifest.

    Raises:
        CheckpointError: no such folder, no manifest in it, or one that is damaged, changed or of another format.
    """
    path = folder / NAME
    with guarded(folder):
        if not there(folder):
            raise CheckpointError(
                f"'{folder}' is not a model folder: it holds no {NAME}; give one such as runs/NAME/best."
            )
        try:
            stored = read_object(path)
            version = stored.pop("format")
        except (CheckpointError, KeyError) as error:
            raise CheckpointError(f"'{path}' is damaged; copy the folder again, or save the model again.") from error
        if version != FORMAT:
            raise CheckpointError(
                f"'{path}' has format {reprlib.repr(version)}, this Headstart reads {FORMAT}; install a newer one."
            )
        # Folders from before the hash was introduced have none.
        own = stored.pop("sha256", None)
        if own is not None and own != _own_sha256(stored):
            raise CheckpointError(
                f"'{path}' is not the file that was saved (its hash of itself differs); copy the folder again, or save "
                "the model again."
            )
        return _parsed(stored, path)


def _parsed(stored: Mapping[str, Any], path: Path) -> Manifest:
    task = stored.get("task")
    if isinstance(task, dict):
        match stored.get("contender"), task.get("name"), task.get("fields"), stored.get("extra"), stored.get("files"):
            case str(contender), str(name), dict(fields), dict(extra), dict(files):
                if all(isinstance(sha256, str) for sha256 in files.values()):
                    return Manifest(contender, name, fields, extra, files)
    raise CheckpointError(f"'{path}' is damaged; copy the folder again, or save the model again.")


def verify(folder: Path) -> Manifest:
    """Check that a folder contains the saved files, and no other that a loader would read.

    Raises:
        CheckpointError: as for :func:`read`; a file is missing, changed, outside the folder, or was added.
    """
    manifest = read(folder)
    with guarded(folder):
        root = folder.resolve()
        for name, expected in manifest.files.items():
            path = folder / name
            if not path.resolve().is_relative_to(root):
                raise CheckpointError(
                    f"'{folder / NAME}' names a file outside its folder: {shown(name)}; do not use it."
                )
            if not path.is_file():
                raise CheckpointError(f"'{path}' is missing; copy the model's folder again, or save it again.")
            if file_sha256(path) != expected:
                raise CheckpointError(
                    f"'{path}' is not the file that was saved; copy the folder again, or save it again."
                )
        for path in _strangers(folder, manifest.files):
            raise CheckpointError(
                f"'{path}' is not among the files that '{folder / NAME}' lists; delete it, or copy the folder again."
            )
    return manifest


def _strangers(folder: Path, listed: Mapping[str, str]) -> Iterator[Path]:
    """Return unlisted files in a folder that a loader might open."""
    for place, folders, files in os.walk(folder):
        here = Path(place)
        for name in sorted(folders):
            if (here / name).is_symlink():  # to a folder that may contain anything
                yield here / name
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in sorted(files):
            path = here / name
            # On a case-insensitive file system, 'Vocab.TXT' is vocab.txt.
            plain = name.casefold()
            opened = plain in TOKENIZER_FILES or Path(plain).suffix in SUFFIXES
            inside = path.relative_to(folder).as_posix()
            known = inside in listed or inside == NAME or name in UNLISTED
            if opened and not name.startswith(".") and not known:
                yield path


def _hashes(folder: Path) -> dict[str, str]:
    own = folder / NAME
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != own and path.name not in UNLISTED)
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in paths}


def _write(folder: Path, manifest: Manifest) -> None:
    stored = {
        "contender": manifest.contender,
        "task": {"name": manifest.task, "fields": manifest.fields},
        "extra": manifest.extra,
        "files": manifest.files,
    }
    # As in JSON: tuples become lists.
    stored = json.loads(json.dumps(stored))
    whole = {"format": FORMAT, **stored, "sha256": _own_sha256(stored)}
    write_whole(folder / NAME, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")


def _own_sha256(stored: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(stored, sort_keys=True).encode()).hexdigest()
