"""The frozen dataclasses that cross rooms. Each is plain data: no methods that compute, no references back.

Rows -> Splits -> (contender) -> Predictions -> Record -> Result is the walk of a comparison; from records to the result
see `core.results`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# --- data ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Labelled examples in columns; what an input and a target are is the task's business.

    ids: stable names such as ``reviews.csv:17`` (file and line, the header being line 1).
    inputs: one per row; for classification a text.
    targets: one per row; for classification a label, always a string. Empty where rows are unlabelled.
    """

    ids: tuple[str, ...]
    inputs: tuple[Any, ...]
    targets: tuple[Any, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int] | np.ndarray) -> Rows:
        """Return the rows at these positions, in this order."""
        return Rows(
            tuple(self.ids[i] for i in indices),
            tuple(self.inputs[i] for i in indices),
            tuple(self.targets[i] for i in indices) if self.targets else (),
        )


@dataclass(frozen=True)
class Rejected:
    """A row that could not be used: where it stood, counted from 1 with the header, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class ReadWarning:
    """A doubt about how a file was read, as one sentence for a person."""

    sentence: str


@dataclass(frozen=True)
class Table:
    """A file (or frame) that was read: its usable rows and all that was not usable."""

    name: str
    rows: Rows
    text_column: str
    label_column: str | None
    sha256: str
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Splits:
    """One division of the data, the same for every contender.

    leaked: ids of test rows whose text, or a near copy of it, also stands in train or validation. Empty where
        Headstart made the split itself, since near-duplicates then never cross.
    sha256: of all inputs and targets in order; two runs with equal hashes saw the same split.
    """

    train: Rows
    validation: Rows
    test: Rows
    leaked: frozenset[str]
    sha256: str


@dataclass(frozen=True)
class Finding:
    """One thing the audit found.

    kind: 'duplicates', 'near-duplicates', 'leakage', 'conflicts', 'imbalance', 'unseen-labels', 'truncation', ...
    severity: 'fine', 'note' or 'warning'.
    count, share: how many rows, and of how many (0 to 1).
    sentence: for a person; what was found and what it means for the numbers.
    examples: groups of row ids (or texts) that show it.
    """

    kind: str
    severity: str
    count: int
    share: float
    sentence: str
    examples: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Audit:
    """All findings about a data set, before anything is trained on it."""

    rows: Mapping[str, int]
    labels: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]


# --- one trial -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """A word from inside a training: what is going on, how far (0 to 1), what was last seen."""

    stage: str
    done: float
    seconds_left: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """A training of a trial that has ended: the only one, or of two after a collapse.

    rate_factor: of the learning rates. collapsed: why it counts as collapsed; '' where it does not.
    """

    rate_factor: float = 1.0
    collapsed: str = ""


@dataclass(frozen=True)
class Tracking:
    """Which trackers are told of a training besides ``metrics.jsonl``, and where they write.

    names: file names in `trackers`. folder: named after the training; one inside `work` gets a folder beside it.
    work: the training's own folder.
    """

    names: tuple[str, ...]
    folder: Path
    work: Path


@dataclass(frozen=True)
class Run:
    """What one training is given besides data: a seed, a place, a budget and someone to tell.

    folder: for checkpoints and ``metrics.jsonl``; a training killed at any moment goes on from here.
    minutes: wall-clock limit of the training, None for none.
    metric: the name of the score by which the best checkpoint is chosen on validation.
    shared: a folder for what other trainings of the same contest can use as well, such as states of frozen layers;
        None where there are no others.
    unlabelled: further texts of the same kind, none of them of the test rows, for contenders that learn from such.
    fitted: gives the model that another contender, named as on the leaderboard, has fitted on the same rows with the
        same seed, and the seconds that took; None outside a contest.
    attempted: is told of each training that has ended, by contenders that can collapse.
    tracking: None for no other trackers than ``metrics.jsonl``.
    """

    seed: int
    folder: Path
    metric: str = "accuracy"
    minutes: float | None = None
    device: str = "cpu"
    progress: Callable[[Progress], None] = lambda _: None
    shared: Path | None = None
    unlabelled: tuple[str, ...] = ()
    fitted: Callable[[str], tuple[Any, float]] | None = None
    attempted: Callable[[Attempt], None] = lambda _: None
    tracking: Tracking | None = None


@dataclass(frozen=True)
class Predictions:
    """What a fitted model says of inputs, in their order.

    values: one decoded answer per input; for classification a label.
    classes: the meaning of the columns of `probabilities`.
    probabilities: float32 ``(rows, classes)``, each row summing to 1; None where the task has none.
    """

    values: tuple[Any, ...]
    classes: tuple[str, ...] = ()
    probabilities: np.ndarray | None = None


@dataclass(frozen=True)
class Trial:
    """One training to run: a contender with its options, a number of training rows, a seed.

    contender: the leaderboard name, such as 'linear' or 'finetuned:full'.
    size: training rows, None for all.
    members: the trainings whose models it builds on, of the same rows.
    tuning: all options of the strategy that the contender follows, those left as they are too; empty without one.
    """

    contender: str
    options: Mapping[str, Any]
    size: int | None
    seed: int
    members: tuple[Trial, ...] = ()
    tuning: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a trial took and what its model takes.

    train_seconds: wall clock of `fit`, and what it would have taken longer alone (`reused_seconds`: other trials had
        already computed the states of frozen layers, or trained the models it builds on).
    peak_bytes: the most memory (see `core.memory.resident`) above that before the trial.
    parameters, trained_parameters: counts. disk_bytes: the saved folder.
    latency_p50, latency_p95: milliseconds for one text, batch of one. throughput: texts a second in bulk.
    cut_off: share of test tokens (0 to 1) beyond the model's window.
    """

    train_seconds: float
    peak_bytes: int
    parameters: int
    trained_parameters: int
    disk_bytes: int
    latency_p50: float
    latency_p95: float
    throughput: float
    cut_off: float
    reused_seconds: float = 0.0


@dataclass(frozen=True)
class Record:
    """A finished trial: the JSON file that stands behind every figure.

    scores: metric -> value (0 to 1, higher is better) on all test rows; `clean_scores` without leaked rows, None
        where none leaked. validation: the same on validation.
    predictions: every test row's predicted value, and its probabilities ``(rows, classes)``, from the file beside it.
    data_sha256: that of the splits. made: ISO time. commit: of Headstart's source, '' outside a checkout.
    built_on: model that was read, as the trial's options name it -> SHA-256 of its content.
    collapsed: whether the model learnt nothing, in the second training too. retried: whether there was a second one,
        with the learning rates times `rate_factor`. collapse: why the first, or only, training counts as collapsed.
    """

    trial: Trial
    train_rows: int
    scores: Mapping[str, float]
    clean_scores: Mapping[str, float] | None
    validation: Mapping[str, float]
    calibration: Mapping[str, float]
    cost: Cost
    data_sha256: str
    machine: Mapping[str, Any]
    commit: str
    made: str
    path: str
    predictions: Predictions
    built_on: Mapping[str, str] = field(default_factory=dict)
    collapsed: bool = False
    retried: bool = False
    rate_factor: float = 1.0
    collapse: str = ""
