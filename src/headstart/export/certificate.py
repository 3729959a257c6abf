"""How an exported folder is checked: all rows through its own program, beside the predictions of the original.

certificate.json    hashes of data, model and export; equal predictions, largest difference, scores, latency, size
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.contest import int8, meter
from headstart.core.contracts import Kind, Task, Value, metric_values
from headstart.core.errors import ExportError
from headstart.core.records import Predictions, Rows
from headstart.core.tally import Metric
from headstart.metrics import format as form
from headstart.metrics import stats
from headstart.metrics.agreement import agreement
from headstart.tasks.regression import Regression

DIFFERENCE = 1e-4  # the largest one of a float export
LISTED = 20  # changed rows in a message
# The key of the predicted value in a line of run.py.
_VALUES: Mapping[Kind, str] = {
    "label": "label",
    "labels": "labels",
    "number": "number",
    "facts": "facts",
    "text": "answer",
}
_MEASURE = Path(__file__).with_name("_measure.py")


@dataclass(frozen=True)
class Measured:
    """What an exported folder predicts for rows.

    predictions: of the rows.
    latency: milliseconds of a single input, median and 95th percentile.
    """

    predictions: Predictions
    latency: tuple[float, float]


def measure(folder: Path, task: Task, inputs: Sequence[Value]) -> Measured:
    """Predict inputs by the folder's run.py, in a process without torch and Headstart.

    Raises:
        ExportError: it failed.
    """
    with tempfile.TemporaryDirectory() as place:
        given, out = Path(place) / "inputs.jsonl", Path(place) / "predictions.jsonl"
        given.write_text("".join(json.dumps(value) + "\n" for value in inputs), encoding="utf-8")
        calls = str(meter.LATENCY_CALLS)
        # -I: nothing but the folder and what is installed can be imported; -B: nothing is added to the folder.
        command = [sys.executable, "-I", "-B", str(_MEASURE), str(folder.absolute()), str(given), str(out), calls]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ExportError(f"the exported program failed ({reason}); nothing was written.")
        lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
        median, slow = json.loads(done.stdout.splitlines()[-1])
    return Measured(read(task, lines), (median, slow))


def read(task: Task, lines: Sequence[Mapping[str, Value]]) -> Predictions:
    """Turn the output of run.py into predictions."""
    values = tuple(_frozen(line[_VALUES[task.kind]]) for line in lines)
    if task.kind == "number":
        return Predictions(values)
    if task.kind in ("facts", "text"):
        return Predictions(values, confidence=np.array([line["confidence"] for line in lines], dtype=np.float64))
    shares = [[line["probabilities"][name] for name in task.classes] for line in lines]
    probabilities = np.array(shares, dtype=np.float32).reshape(len(lines), len(task.classes))
    return Predictions(values, task.classes, probabilities)


def _frozen(value: Value) -> Value:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@dataclass(frozen=True)
class Part:
    """An export compared with the original on some rows.

    rows: their number.
    equal: number of rows with the same predicted value; of numbers, with one that differs by at most `DIFFERENCE`.
    largest: largest difference of probabilities, or of numbers as a part of their standard deviation in training.
    changed: ids of the other rows, each with what the original predicts and what the export does.
    agreement: mean of `metrics.agreement`.
    original: score of the original.
    export: score of the export.
    better_by: how much better the export scores, with its 95 % interval over the rows.
    """

    rows: int
    equal: int
    largest: float
    changed: tuple[tuple[str, Value, Value], ...]
    agreement: float
    original: float
    export: float
    better_by: tuple[float, float, float]

    @property
    def exact(self) -> bool:
        """Whether a float export may differ so little."""
        return self.equal == self.rows and self.largest <= DIFFERENCE


def compare(task: Task, metric: Metric, rows: Rows, original: Predictions, export: Predictions) -> Part:
    """Compare what an export and its original predict for the same rows, at least one."""
    apart = differences(task, original, export)
    if task.kind == "number":
        same = apart <= DIFFERENCE
    else:
        same = np.array([one == other for one, other in zip(original.values, export.values, strict=True)])
    places = np.flatnonzero(~same).tolist()
    tallies = [task.tally(each, rows.targets) for each in (export, original)]
    groups = np.unique(rows.groups, return_inverse=True)[1] if rows.groups else None
    better = stats.difference(stats.joint([tallies[:1], tallies[1:]], metric, groups=groups), 0, 1).difference
    scores = [metric_values(task, each, rows)[metric.name] for each in (original, export)]
    return Part(
        len(rows),
        int(same.sum()),
        float(apart.max()),
        tuple((rows.ids[place], original.values[place], export.values[place]) for place in places),
        float(agreement(task.kind, original.values, export.values).mean()),
        scores[0],
        scores[1],
        (better.value, better.low, better.high),
    )


def differences(task: Task, original: Predictions, export: Predictions) -> np.ndarray:
    """Return how far two predictions for each row are apart, see :class:`Part`: float64 ``(rows,)``."""
    gaps: np.ndarray
    if isinstance(task, Regression):
        values = [np.array(each.values, dtype=np.float64) for each in (original, export)]
        gaps = np.abs(values[0] - values[1]) / task.scale
        return gaps
    shares = [each.confidence if each.probabilities is None else each.probabilities for each in (original, export)]
    assert shares[0] is not None  # as tasks of these kinds give them
    assert shares[1] is not None
    gaps = np.abs(shares[0].astype(np.float64) - shares[1].astype(np.float64))
    return gaps if gaps.ndim == 1 else gaps.max(axis=1, initial=0.0)


def gate(task: Task, metric: Metric, part: Part) -> int8.Agreement:
    """Judge an 8-bit export as a comparison judges 8-bit weights."""
    most = int8.MOVE * form.whole(metric, part.original)
    return int8.Agreement(
        part.rows, part.agreement, metric.name, part.original, part.export, task.kind, metric.unit, most
    )


def changed_lines(part: Part) -> list[str]:
    """Return one line for each of the first changed rows, and one for the rest."""
    lines = [f"  {name}: {before!r} became {after!r}" for name, before, after in part.changed[:LISTED]]
    rest = len(part.changed) - LISTED
    return [*lines, f"  and {rest:,} more"] if rest > 0 else lines
