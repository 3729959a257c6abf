"""The answers of trained models to transformed test rows: which models give them, and the files they are stored in.

runs/NAME/trials/KEY.stress.json    predictions of the changed test rows, after each transformation

One model of each contender is asked: that of its first seed on all training rows. It predicts them right after the test
rows themselves, and nothing is chosen by its answers. If transformations are asked for after a trial has finished, its
stored model is opened again; a model that is no longer stored is trained again, with the same result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from headstart.contest import models, openings, stress
from headstart.contest.stress import Stressed
from headstart.contest.trials import Job, Terms, record_path
from headstart.core import checked
from headstart.core.contracts import Fitted, Task, Value
from headstart.core.errors import CheckpointError
from headstart.core.records import Predictions, Record
from headstart.core.results import StressResult
from headstart.core.tally import Metric
from headstart.saved import model_folder

FORMAT = 1


def asked(named: Sequence[Job], terms: Terms) -> dict[str, Job]:
    """Return the jobs whose models are asked, by key: the first of each contender on all training rows; or none."""
    first: dict[str, Job] = {}
    for job in named if terms.stress is not None else ():
        if job.trial.size is None:
            first.setdefault(job.trial.contender, job)
    return {job.key: job for job in first.values()}


def write(job: Job, terms: Terms, fitted: Fitted) -> None:
    """Let a model predict the transformed test rows, and store its answers.

    Raises:
        DiskError: the file cannot be written.
    """
    assert terms.stress is not None  # as `asked` ensures
    answers = {name: _plain(predictions) for name, predictions in stress.answers(fitted, terms.stress).items()}
    rows = {"rows": len(terms.stress.rows), "rows_sha256": terms.stress.sha256}
    checked.write(_path(record_path(job, terms)), {"format": FORMAT, "key": job.key, **rows, "answers": answers})


def ask_stored(job: Job, terms: Terms) -> None:
    """Let the stored model of a finished trial predict the transformed test rows, since it was not asked before.

    That is a further opening of the test rows, and logged; nothing that was measured before changes.
    """
    folder = models.find(job, terms)
    assert folder is not None  # otherwise the trial runs again
    openings.log(terms, job, stressed=True)
    write(job, terms, model_folder.open_model(folder))


def complete(job: Job, terms: Terms) -> bool:
    """Return whether the answers of a job's model are stored."""
    return terms.stress is not None and read(record_path(job, terms), terms.stress) is not None


def read(record: Path, stressed: Stressed) -> stress.Answers | None:
    """Return the answers beside a record; None if there are none, or they are damaged or of other rows."""
    try:
        values = checked.read(_path(record), "run the comparison again")
    except CheckpointError:
        return None
    if values.get("format") != FORMAT or values.get("rows_sha256") != stressed.sha256:
        return None
    return {name: _predictions(parts) for name, parts in values["answers"].items()}


def result(
    records: Sequence[Record], order: Sequence[str], terms: Terms, task: Task, metric: Metric
) -> StressResult | None:
    """Compare the answers of each contender before and after each transformation; None without transformations.

    Args:
        records: of any sizes; only those whose models were asked count here.
        order: the contenders, the winner first.
        terms: with the transformed test rows.
        task: of these rows.
        metric: the score that decides.
    """
    if terms.stress is None:
        return None
    given: dict[str, tuple[Predictions, stress.Answers]] = {}
    for name in order:
        for record in records:
            own = record.trial.contender == name and record.trial.size is None and name not in given
            if own and (answers := read(Path(record.path), terms.stress)) is not None:
                given[name] = (stress.take(record.predictions, terms.stress.places), answers)
    return stress.result(given, terms.stress, task, metric)


def _path(record: Path) -> Path:
    return record.with_suffix(".stress.json")


def _plain(predictions: Predictions) -> dict[str, Value]:
    arrays = {"probabilities": predictions.probabilities, "confidence": predictions.confidence}
    listed = {name: array.tolist() for name, array in arrays.items() if array is not None}
    return {"values": predictions.values, "classes": predictions.classes, **listed}


def _predictions(parts: Mapping[str, Value]) -> Predictions:
    classes = tuple(parts["classes"])
    values = tuple(map(_frozen, parts["values"]))
    probabilities = np.array(parts["probabilities"], np.float32) if "probabilities" in parts else None
    return Predictions(
        values,
        classes,
        None if probabilities is None else probabilities.reshape(len(values), len(classes)),
        confidence=np.array(parts["confidence"], np.float64) if "confidence" in parts else None,
    )


def _frozen(value: Value) -> Value:
    """Return a value with tuples for lists, which is what JSON makes of both."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
