"""The two files of a finished trial: its record as JSON, and every test row's prediction as CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError
from headstart.core.files import write_whole
from headstart.core.records import Cost, Predictions, Record, Rows, Trial


def write_record(record: Record, test: Rows) -> None:
    """Write a record to its `path`, after the predictions of the test rows to a CSV file of the same name."""
    path = Path(record.path)
    probabilities = record.predictions.probabilities
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["id", "target", "predicted", *(f"p({name})" for name in record.predictions.classes)])
    for place, (name, target, value) in enumerate(zip(test.ids, test.targets, record.predictions.values, strict=True)):
        numbers = [] if probabilities is None else [repr(float(number)) for number in probabilities[place]]
        writer.writerow([name, target, value, *numbers])
    write_whole(path.with_suffix(".csv"), table.getvalue())
    # `replace` first: asdict would copy every prediction only to drop it.
    values = asdict(replace(record, predictions=Predictions(())))
    del values["predictions"], values["path"]
    write_whole(path, json.dumps(values, indent=1))


def load_record(path: Path) -> Record:
    """Read a record and its predictions.

    Raises:
        CheckpointError: one of the two files is missing or damaged.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            **{
                **values,
                "trial": _trial(values["trial"]),
                "cost": Cost(**values["cost"]),
                "path": str(path),
                "predictions": _read_predictions(path.with_suffix(".csv")),
            }
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError, csv.Error) as error:
        raise CheckpointError(f"the record '{path}' is damaged; delete it, and its trial runs again.") from error


def _trial(values: dict[str, Value]) -> Trial:
    return Trial(**{**values, "members": tuple(_trial(member) for member in values.get("members", ()))})


def _read_predictions(path: Path) -> Predictions:
    with path.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
        header, *lines = csv.reader(file)
    classes = tuple(name[2:-1] for name in header[3:])
    probabilities = np.array([line[3:] for line in lines], dtype=np.float32) if classes else None
    return Predictions(tuple(line[2] for line in lines), classes, probabilities)
