"""The two files that a finished trial leaves: its record, and every test row's prediction beside it.

KEY.json     the record, with its own SHA-256, and the number of rows and the SHA-256 of the predictions
KEY.jsonl    a line a test row: 'id', 'target' and 'predicted', and where the contender gives probabilities also
             'scores' (one a class, in the order of the record's classes) and 'confidence': the probability of the
             predicted value as a whole; 'likelihoods' where a task is judged by them, see `metrics.likelihood`. Rows
             with several labels have scores alone: those of their labels say nothing about the whole.

Earlier versions wrote KEY.csv and no hashes. Such a record is read once more, written in this form with a note, and its
CSV file is deleted.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from headstart.core import checked
from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError
from headstart.core.files import flush, replacing
from headstart.core.records import Cost, Predictions, Record, Rows, Splits, Trial

FORMAT = 2


def write_record(record: Record, test: Rows, note: str = "") -> None:
    """Write a record to its `path`, after the predictions of the test rows beside it.

    Args:
        test: the rows that were predicted. note: a sentence for whoever reads the file.

    Raises:
        DiskError: a file cannot be written.
    """
    path = Path(record.path)
    lines = _lines(record.predictions, test)
    with replacing(path.with_suffix(".jsonl"), needed=len(lines)) as fresh:
        fresh.write_bytes(lines)
    # `replace` first: asdict would copy every prediction only to drop it.
    values = asdict(replace(record, predictions=Predictions(())))
    del values["path"]
    values["predictions"] = {
        "rows": len(record.predictions.values),
        "classes": record.predictions.classes,
        "sha256": hashlib.sha256(lines).hexdigest(),
    }
    checked.write(path, {"format": FORMAT, "key": path.stem, **({"note": note} if note else {}), **values})
    flush(path.parent)


def load_record(path: Path, splits: Splits) -> Record:
    """Read a record and the predictions beside it.

    Args:
        splits: those that the trial belongs to. Row ids hold file names, and a copy of the data is the same data: they
            may differ from those in the predictions.

    Raises:
        CheckpointError: a file of the two is missing, damaged, or of another trial or split.
        DiskError: a record of an earlier version cannot be written anew.
    """
    remedy = f"delete '{path}', and its trial runs again"
    values = checked.read(path, remedy, unhashed=0)
    try:
        if "format" not in values:
            return _migrated(path, values, splits)
        version, key, stored = (values.pop(name) for name in ("format", "key", "predictions"))
        values.pop("note", None)
        if version != FORMAT:
            raise CheckpointError(
                f"'{path}' has format {version!r}, this Headstart reads {FORMAT}; install a newer one."
            )
        if key != path.stem:
            raise ValueError(f"it is the record of the trial {key}")
        return _record(path, values, _read_lines(path.with_suffix(".jsonl"), stored, splits, remedy), splits)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CheckpointError(f"'{path}' is damaged ({error}); {remedy}.") from error


def _record(path: Path, values: dict[str, Value], predictions: Predictions, splits: Splits) -> Record:
    if values["data_sha256"] != splits.sha256:
        raise ValueError("it belongs to another split of the data")
    parts = {"trial": _trial(values["trial"]), "cost": Cost(**values["cost"]), "path": str(path)}
    return Record(**{**values, **parts, "predictions": predictions})


def _trial(values: dict[str, Value]) -> Trial:
    return Trial(**{**values, "members": tuple(_trial(member) for member in values.get("members", ()))})


def _lines(predictions: Predictions, test: Rows) -> bytes:
    """Write predictions as JSON Lines; a float32 is written in full as the float64 of equal value."""
    rows: list[dict[str, Value]] = [
        {"id": name, "target": target, "predicted": value}
        for name, target, value in zip(test.ids, test.targets, predictions.values, strict=True)
    ]
    if predictions.confidence is not None:
        for row, confidence in zip(rows, predictions.confidence.tolist(), strict=True):
            row["confidence"] = confidence
    if predictions.likelihoods is not None:
        for row, sums in zip(rows, predictions.likelihoods.tolist(), strict=True):
            row["likelihoods"] = sums
    if predictions.probabilities is not None:
        for row, scores in zip(rows, predictions.probabilities.tolist(), strict=True):
            if row["predicted"] in predictions.classes:
                row["confidence"] = scores[predictions.classes.index(row["predicted"])]
            row["scores"] = scores
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _read_lines(path: Path, stored: dict[str, Value], splits: Splits, remedy: str) -> Predictions:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"'{path}' cannot be read ({error.strerror}); {remedy}.") from error
    if hashlib.sha256(content).hexdigest() != stored["sha256"]:
        raise CheckpointError(f"'{path}' is damaged (its SHA-256 is not the one in its record); {remedy}.")
    rows = [json.loads(line) for line in content.split(b"\n")[:-1]]
    if len(rows) != stored["rows"] or _frozen([row["target"] for row in rows]) != _frozen(splits.test.targets):
        raise CheckpointError(f"'{path}' has other test rows than this comparison; {remedy}.")
    classes = tuple(stored["classes"])
    scores = [row["scores"] for row in rows if "scores" in row]
    probabilities = np.array(scores, dtype=np.float32).reshape(len(rows), len(classes)) if scores else None
    values = tuple(_frozen(row["predicted"]) for row in rows)
    confidence, likelihoods = (
        np.array([row[name] for row in rows], dtype=np.float64) if all(name in row for row in rows) else None
        for name in ("confidence", "likelihoods")
    )
    if scores:
        return Predictions(values, classes, probabilities)
    return Predictions(values, classes, confidence=confidence, likelihoods=likelihoods)


def _frozen(value: Value) -> Value:
    """Return a value with tuples for lists, which is what JSON makes of both."""
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _migrated(path: Path, values: dict[str, Value], splits: Splits) -> Record:
    """Read a record of an earlier version, and write it in today's form."""
    table = path.with_suffix(".csv")
    try:
        with table.open(encoding="utf-8", errors="surrogatepass", newline="") as file:
            header, *lines = csv.reader(file)
        classes = tuple(name[2:-1] for name in header[3:])
        probabilities = np.array([line[3:] for line in lines], dtype=np.float32) if classes else None
        predictions = Predictions(tuple(line[2] for line in lines), classes, probabilities)
    except (OSError, ValueError, IndexError, csv.Error) as error:
        raise CheckpointError(f"'{table}' is damaged; delete '{path}', and its trial runs again.") from error
    if [line[1] for line in lines] != list(splits.test.targets):
        raise ValueError(f"'{table.name}' has other test rows than this comparison")
    record = _record(path, values, predictions, splits)
    day = datetime.datetime.now(datetime.UTC).date()
    write_record(record, splits.test, f"Hashes were added on {day}; an earlier version wrote this record without any.")
    table.unlink()
    return record
