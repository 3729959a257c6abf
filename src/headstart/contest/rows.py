"""Which rows a comparison was run on, so that its models can be checked on them later.

runs/NAME/rows.json    how the rows were read and split: files, columns, seed; no texts
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from headstart import tasks
from headstart.checkpoints import manifest
from headstart.contest import out_of_scope
from headstart.core import checked
from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError, HeadstartError, UsageError
from headstart.core.hashing import file_sha256
from headstart.core.records import Splits
from headstart.data import split as splitting
from headstart.data import tabular
from headstart.data._hub import PREFIX
from headstart.tasks._requested import with_metric

FILE = "rows.json"
SOURCES = ("data", "test", "validation")
INSTEAD = "name a file with labelled rows by --data"


@dataclass(frozen=True)
class Origin:
    """The comparison that a model is from.

    folder: the comparison's.
    trial: key of the model's trial.
    """

    folder: Path
    trial: str


def write(folder: Path, task: str, metric: str, sources: Mapping[str, object], reading: Mapping[str, Value]) -> None:
    """Write how the rows of a comparison were read.

    Args:
        folder: the comparison's.
        task: name of the task.
        metric: the score that decides.
        sources: data, test and validation, as they were given; what is neither a file nor on the hub is not stored.
        reading: the other arguments of `data.split.read_and_split`, and the columns beside the text as 'features'.
    """
    places = {name: _place(sources.get(name)) for name in SOURCES}
    plain = json.loads(json.dumps(reading, default=str))  # a DataFrame's columns may have any names
    values = {"format": 1, "task": task, "metric": metric, "sources": places, "reading": plain}
    checked.write(folder / FILE, values)


def _place(source: object) -> str | None:
    """Return where rows can be read again; '' where they cannot, None for no rows."""
    if source is None:
        return None
    if isinstance(source, str) and source.startswith(PREFIX):
        return source
    if isinstance(source, str | os.PathLike) and Path(source).is_file():
        return str(Path(source).absolute())
    return ""


def origin(model: Path) -> Origin | None:
    """Return the comparison that a model folder is in, as ``best`` or below ``models``; None if it is in none."""
    model = model.absolute()
    for folder in (model.parent, model.parent.parent):
        if (folder / FILE).is_file():
            own = file_sha256(model / manifest.NAME)
            for path in sorted((folder / "models").glob(f"*/{manifest.NAME}")):
                if file_sha256(path) == own:
                    return Origin(folder, path.parent.name)
    return None


def read(found: Origin) -> tuple[Splits, str]:
    """Read the rows of a comparison again, and check that they are the ones that its model was judged on.

    Returns:
        the rows, and the metric that decided.

    Raises:
        UsageError: they cannot be read, or have changed.
        CheckpointError: the file that says how, or the trial's record, is damaged.
    """
    stored = checked.read(found.folder / FILE, INSTEAD)
    try:
        sources, reading, metric = stored["sources"], dict(stored["reading"]), str(stored["metric"])
        task = with_metric(tabular.reading(tasks.load(stored["task"]), reading.pop("features")), metric)
        if "" in sources.values():
            raise UsageError(f"the rows of '{found.folder}' were not read from a file; {INSTEAD}.")
        label = reading.pop("hold_out_class", None)
        table, splits = splitting.read_and_split(
            sources["data"], task, sources["test"], sources["validation"], **reading
        )
        if label is not None:
            _, splits, _ = out_of_scope.held_out(table, splits, task, label)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"'{found.folder / FILE}' is damaged ({error}); {INSTEAD}.") from error
    except HeadstartError as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(
            f"the rows of '{found.folder}' cannot be read again: {str(error).rstrip('.')}; {INSTEAD}."
        ) from error
    record = found.folder / "trials" / f"{found.trial}.json"
    if checked.read(record, INSTEAD, unhashed=0).get("data_sha256") != splits.sha256:
        raise UsageError(
            f"the rows of '{found.folder}' are not those that the model was judged on: a file has changed, or a later "
            f"comparison split them otherwise; {INSTEAD}."
        )
    return splits, metric
