"""The folder a model is saved in: a manifest beside the weights, written whole or not at all, checked when opened."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from headstart.checkpoints import folder as checkpoints
from headstart.checkpoints._rows import FILE as CHANGED_ROWS
from headstart.core import rooms
from headstart.core.errors import CheckpointError, UsageError, shown
from headstart.core.files import flush, write_whole
from headstart.core.hashing import file_sha256

MANIFEST = "headstart.json"
FORMAT = 1


@contextmanager
def saving(folder: Path) -> Iterator[Path]:
    """Yield an empty temporary folder that takes the name `folder` once the block ends without an error.

    Every file is on the disk before the rename, so a killed process leaves either the old folder or the new one. An
    existing `folder` is replaced.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield fresh
        fresh.chmod(0o755)
        for path in [*fresh.rglob("*"), fresh]:
            flush(path)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
            folder.rename(old / folder.name)
            fresh.rename(folder)
            shutil.rmtree(old)
        else:
            fresh.rename(folder)
        flush(folder.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_manifest(folder: Path, contender: str, task: Any, extra: Mapping[str, Any]) -> None:
    """Write ``headstart.json``: what made the model, for which task, and the SHA-256 of every file beside it.

    Call it last, when all other files are written.

    Args:
        contender: file name of the plugin that reads the folder.
        task: the fitted task; its fields are kept, so its classes are.
        extra: what the plugin's `load` needs besides its own files; JSON values.
    """
    manifest = {
        "format": FORMAT,
        "contender": contender,
        "task": {"name": type(task).__module__.rsplit(".", 1)[-1], "fields": dataclasses.asdict(task)},
        "extra": dict(extra),
        "files": _hashes(folder),
    }
    _write(folder, manifest)


def complete(folder: Path) -> bool:
    """Give the models in a folder all their weights, where some were saved as what differs from a backbone.

    Files are replaced, never written to, so that other names of them keep what they had.

    Returns:
        whether there was such a model.
    """
    partial = [path.parent for path in folder.rglob(CHANGED_ROWS)]
    for place in partial:
        checkpoints.complete(place)
    for path in folder.rglob(MANIFEST) if partial else ():
        manifest = _read_manifest(path.parent)
        _write(path.parent, {**manifest, "files": _hashes(path.parent)})
    return bool(partial)


def open_model(folder: Path) -> Any:
    """Open a model that any contender saved, after checking its files against the manifest.

    Returns:
        the fitted model: `predict(inputs)`, `save(folder)`, `task`, `parameters`.

    Raises:
        CheckpointError: no such folder, no manifest or a damaged one, or a file that is missing or changed.
    """
    folder = Path(folder)
    manifest = _read_manifest(folder)
    for name, expected in manifest["files"].items():
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise CheckpointError(
                f"'{folder / MANIFEST}' names a file outside its folder: {shown(name)}; do not use it."
            )
        if not path.is_file():
            raise CheckpointError(f"'{path}' is missing; copy the model's folder again, or save it again.")
        if file_sha256(path) != expected:
            raise CheckpointError(f"'{path}' is not the file that was saved; copy the folder again, or save it again.")
    try:
        task = rooms.load("tasks", manifest["task"]["name"], manifest["task"]["fields"])
        plugin: Any = rooms.plugin("contenders", manifest["contender"])
    except UsageError as error:
        raise CheckpointError(f"'{folder}' was saved by a Headstart that this one does not know: {error}") from error
    return plugin.load(folder, task, manifest["extra"])


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise CheckpointError(
            f"'{folder}' is no model folder: it holds no {MANIFEST}; give one such as runs/NAME/best."
        )
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
        version = manifest["format"]
        complete = {"contender", "task", "extra", "files"} <= manifest.keys() and {"name", "fields"} <= manifest[
            "task"
        ].keys()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"'{path}' is damaged; copy the folder again, or save the model again.") from error
    if version != FORMAT or not complete:
        raise CheckpointError(f"'{path}' has format {version!r}, this Headstart reads {FORMAT}; install a newer one.")
    return manifest


def _write(folder: Path, manifest: Mapping[str, Any]) -> None:
    write_whole(folder / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def _hashes(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
