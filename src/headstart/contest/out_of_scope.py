"""Texts of a class that no training row has: does a model know that it does not know?

All rows of one class are held out of training, validation and test. A model can only be wrong about them; it should be
less confident of them than of other texts, so that `--abstain` leaves them without a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from headstart.contest import confidence, models
from headstart.core.abstain import Abstain, confidence_of
from headstart.core.contracts import Task
from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.core.hashing import parts_sha256
from headstart.core.records import Finding, Record, Rows, Splits, Table
from headstart.core.results import Interval
from headstart.metrics import calibration
from headstart.saved import model_folder

COVERAGE = 0.9


@dataclass(frozen=True)
class OutOfScope:
    """How confident a model is of texts of a held-out class, beside the test texts of the other classes.

    rows: number of held-out texts.
    auroc: probability that a test text's confidence is higher than a held-out text's, with its interval.
    answered: share of the test texts whose confidence reaches the threshold of `COVERAGE`, 0 to 1.
    answered_outside: share of the held-out texts whose confidence reaches it.
    """

    rows: int
    auroc: Interval
    answered: float
    answered_outside: float


def held_out(table: Table, splits: Splits, task: Task, label: str) -> tuple[Table, Splits, Rows]:
    """Remove the rows of a class from a table and its split.

    Returns:
        the table and the split without them, and all rows of the class.

    Raises:
        UsageError: the task has not one label per row, or no row has this one.
        DataError: without it the rows of a part have fewer than two classes.
    """
    if task.kind != "label":
        raise UsageError("a class can be held out where each row has one label, and this task is of another kind.")
    known = sorted({*splits.train.targets, *splits.validation.targets, *splits.test.targets})
    if label not in known:
        raise UsageError(f"no row has the label {shown(label)} to hold out; {did_you_mean(label, known)}")
    parts = {name: _divided(rows, label) for name, rows in _parts(splits).items()}
    for name, (others, _) in parts.items():
        if len(set(others.targets)) < 2:
            raise DataError(f"without the label {shown(label)} the {name} rows have one class; hold out another one.")
    train, validation, test = (others for others, _ in parts.values())
    outside = [rows for _, rows in parts.values()]
    gathered = Rows(
        tuple(name for rows in outside for name in rows.ids),
        tuple(value for rows in outside for value in rows.inputs),
        tuple(target for rows in outside for target in rows.targets),
    )
    less = Splits(train, validation, test, splits.leaked - {*gathered.ids}, parts_sha256(splits.sha256, label))
    return replace(table, rows=_divided(table.rows, label)[0]), less, gathered


def judged(model: Path, records: Sequence[Record], outside: Rows, label: str) -> Finding:
    """Predict held-out texts with a stored model, and compare its confidence with that of its test predictions.

    Args:
        model: the model's folder.
        records: of all trials; that of the model's training has its test predictions.
        outside: the held-out rows.
        label: theirs.
    """
    note = models.note_of(model)
    (own,) = (
        record
        for record in records
        if record.trial.size is None
        and (record.trial.contender, record.trial.seed) == (note["contender"], note["seed"])
    )
    limit = confidence.threshold(model, Abstain("coverage", COVERAGE))
    given = model_folder.open_model(model).predict(outside.inputs)
    found = measured(confidence_of(own.predictions), confidence_of(given), limit)
    return finding(label, own.trial.contender, found)


def measured(inside: np.ndarray, outside: np.ndarray, threshold: float) -> OutOfScope:
    """Compare the confidences of test texts with those of held-out ones.

    Args:
        inside: of the test texts, 0 to 1, at least two.
        outside: of the held-out texts, at least two.
        threshold: of `COVERAGE` on validation rows, see `contest.confidence.threshold`.
    """
    reached = (float((each >= threshold).mean()) for each in (inside, outside))
    return OutOfScope(len(outside), calibration.auroc(inside, outside), *reached)


def finding(label: str, contender: str, found: OutOfScope) -> Finding:
    """Word what was found of a contender."""
    auroc = found.auroc
    sentence = (
        f"Out of scope: {contender} never saw the label {shown(label)}. It is more confident of a test text than of "
        f"one of the {found.rows:,} texts held out in {100 * auroc.value:.0f} % of pairs (AUROC, 95 % interval "
        f"{100 * auroc.low:.0f} to {100 * auroc.high:.0f} %). With --abstain coverage={COVERAGE:g} it answers "
        f"{100 * found.answered_outside:.0f} % of these, and {100 * found.answered:.0f} % of the test texts."
    )
    severity = "note" if auroc.low > 0.5 else "warning"
    return Finding("out-of-scope", severity, found.rows, found.answered_outside, sentence)


def _parts(splits: Splits) -> dict[str, Rows]:
    return {"training": splits.train, "validation": splits.validation, "test": splits.test}


def _divided(rows: Rows, label: str) -> tuple[Rows, Rows]:
    """Return the rows of other labels, and those of one."""
    places: dict[bool, list[int]] = {False: [], True: []}
    for place, target in enumerate(rows.targets):
        places[target == label].append(place)
    return rows.take(places[False]), rows.take(places[True])
