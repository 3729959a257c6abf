"""The folder a model is saved in: a manifest next to the weights, written atomically, verified when opened."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from headstart import tasks
from headstart.checkpoints import folder as checkpoints
from headstart.checkpoints import manifest
from headstart.checkpoints._rows import FILE as CHANGED_ROWS
from headstart.core import rooms
from headstart.core.contracts import Contender, Fitted, Task, Value
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.files import replacing_folder
from headstart.core.opening import guarded


def saving(folder: Path) -> AbstractContextManager[Path]:
    """Yield an empty folder for a model's files, which replaces `folder` once the block ends without an error.

    Raises:
        DiskError: it cannot be written.
    """
    return replacing_folder(folder)


def complete(folder: Path) -> bool:
    """Add all weights to the models in a folder that were saved as differences from a backbone.

    Files are replaced, never written to, so that other hard links to them keep their content.

    Returns:
        whether there was such a model.
    """
    partial = [path.parent for path in folder.rglob(CHANGED_ROWS)]
    for place in partial:
        checkpoints.complete(place)
    if partial:
        manifest.relist(folder)
    return bool(partial)


def task_of(folder: Path) -> Task:
    """Return the task of a saved model without opening its weights.

    Raises:
        CheckpointError: no such folder, no manifest or a damaged one.
        UsageError: a task that is not known, or with other fields.
    """
    return _task(manifest.read(folder))


def _task(written: manifest.Manifest) -> Task:
    return tasks.load(written.task, _fields(written.fields))


def open_model(folder: Path) -> Fitted:
    """Open a model saved by any contender, after verifying its files against the manifest.

    Returns:
        the fitted model.

    Raises:
        CheckpointError: no such folder, no manifest or a damaged one, or a file that is missing, changed or was added.
    """
    folder = Path(folder)
    manifest_read = manifest.verify(folder)
    with guarded(folder):
        try:
            task = _task(manifest_read)
            plugin: type[Contender] = rooms.plugin("contenders", manifest_read.contender)
        except UsageError as error:
            raise CheckpointError(
                f"'{folder}' was saved by a Headstart that this one does not know: {error}"
            ) from error
        if (task.kind in ("label", "labels") and not task.classes) or len(set(task.classes)) != len(task.classes):
            raise CheckpointError(
                f"'{folder / manifest.NAME}' must name each class of the task once; copy the folder again, or "
                "save it again."
            )
        # Absolute, since a folder may have the same name as a packaged model.
        return plugin.load(folder.absolute(), task, manifest_read.extra)


def _fields(fields: Mapping[str, Value]) -> dict[str, Value]:
    """Return the fields of a task; earlier versions saved the name of the text column alone."""
    new = dict(fields)
    if "text_column" in new:
        text = new.pop("text_column")
        new["input_columns"] = [f"text={text}"] if text else []
    return new
