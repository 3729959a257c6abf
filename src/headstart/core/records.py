"""The frozen dataclasses that packages exchange. Each is plain data: no methods that compute, no references back.

A comparison turns Rows -> Splits -> (contender) -> Predictions -> Record -> Result; for results see `core.results`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from headstart.core.contracts import Fitted, Value

NO_VALUE = "(none)"  # subset of a row without a value

# --- data ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Labelled examples in columns; the task defines inputs and targets.

    ids: stable names such as ``reviews.csv:17`` (file and line, the header being line 1).
    inputs: one per row, a JSON value; for classification a text.
    targets: one per row, a JSON value; for classification a label, always a string. Empty if rows are unlabelled.
    groups: what each row belongs to (a person, a document); rows of a group are never split. Empty if unknown.
    times: when each row was made, numbers that grow with time. Empty if unknown.
    subsets: the value by which scores are also given, such as a language; never part of an input. Empty if unknown.
    """

    ids: tuple[str, ...]
    inputs: tuple[Value, ...]
    targets: tuple[Value, ...] = ()
    groups: tuple[str, ...] = ()
    times: tuple[float, ...] = ()
    subsets: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int] | np.ndarray) -> Rows:
        """Return the rows at these positions, in this order."""
        return Rows(
            tuple(self.ids[i] for i in indices),
            tuple(self.inputs[i] for i in indices),
            tuple(self.targets[i] for i in indices) if self.targets else (),
            tuple(self.groups[i] for i in indices) if self.groups else (),
            tuple(self.times[i] for i in indices) if self.times else (),
            tuple(self.subsets[i] for i in indices) if self.subsets else (),
        )


@dataclass(frozen=True)
class Rejected:
    """A row that could not be used: its line, counted from 1 with the header, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class ReadWarning:
    """A warning about how a file was read, as one sentence."""

    sentence: str


@dataclass(frozen=True)
class Table:
    """A file (or frame) that was read: its usable rows and everything that was not usable.

    columns: role -> names of the columns that were read for it; one, except for roles of several columns.
    """

    name: str
    rows: Rows
    columns: Mapping[str, tuple[str, ...]]
    sha256: str
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[str, ...] = ()
    group_column: str | None = None
    time_column: str | None = None


@dataclass(frozen=True)
class Splits:
    """A split of the data, the same for every contender.

    train: training rows.
    validation: validation rows.
    test: test rows.
    leaked: ids of test rows whose text, or a near copy of it, or whose group also occurs in train or validation. Empty
        if Headstart made the split itself by other than time, since near-duplicates are then on the same side.
    sha256: hash of all inputs and targets in order; runs with equal hashes used the same split.
    """

    train: Rows
    validation: Rows
    test: Rows
    leaked: frozenset[str]
    sha256: str


@dataclass(frozen=True)
class Finding:
    """A finding of the audit.

    kind: 'duplicates', 'near-duplicates', 'leakage', 'conflicts', 'imbalance', 'unseen-labels', 'truncation', ...
    severity: 'fine', 'note' or 'warning'.
    count: number of rows concerned.
    share: their share, 0 to 1.
    sentence: what was found and what it means for the results.
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
    """A progress update of a training.

    stage: what is being done.
    done: share of the stage, 0 to 1.
    seconds_left: estimated seconds until the training ends; None if unknown.
    values: the latest values, such as the loss.
    """

    stage: str
    done: float
    seconds_left: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempt:
    """A finished training of a trial: the only one, or one of two after a collapse.

    rate_factor: factor of the learning rates.
    collapsed: why it counts as collapsed; '' if it does not.
    """

    rate_factor: float = 1.0
    collapsed: str = ""


@dataclass(frozen=True)
class Tracking:
    """The trackers of a training besides ``metrics.jsonl``, and where they write.

    names: file names in `trackers`.
    folder: named after the training; a training inside `work` gets a folder next to it.
    work: the training's own folder.
    """

    names: tuple[str, ...]
    folder: Path
    work: Path


@dataclass(frozen=True)
class Run:
    """The context of one training besides data: seed, folder, limits and callbacks.

    seed: seed of all random numbers.
    folder: for checkpoints and ``metrics.jsonl``; a training killed at any moment resumes from here.
    device: 'cpu' or 'cuda'.
    minutes: wall-clock limit of the training, None for none.
    metric: name of the score by which the best checkpoint is chosen on validation.
    progress: called with progress updates.
    shared: a folder for results that other trainings of the same contest can reuse, such as states of frozen layers;
        None if there are no others.
    unlabelled: further texts of the same kind, none of them in the test rows, for contenders that use them.
    fitted: returns the model that another contender, named as on the leaderboard, has fitted on the same rows with the
        same seed, and the seconds that took; None outside a contest.
    attempted: called with each finished training, by contenders that can collapse.
    resumed: called with the seconds that were spent on a training before it was interrupted, when it resumes.
    tracking: None for no trackers besides ``metrics.jsonl``.
    replace_others: replace a checkpoint of a training with other settings, data or initial weights instead of refusing
        it. For a `folder` where it can only be out of date: a model or states that it started from were made again.
    """

    seed: int
    folder: Path
    metric: str = "accuracy"
    minutes: float | None = None
    device: str = "cpu"
    progress: Callable[[Progress], None] = lambda _: None
    shared: Path | None = None
    unlabelled: tuple[str, ...] = ()
    fitted: Callable[[str], tuple[Fitted, float]] | None = None
    attempted: Callable[[Attempt], None] = lambda _: None
    resumed: Callable[[float], None] = lambda _: None
    tracking: Tracking | None = None
    replace_others: bool = False


@dataclass(frozen=True)
class Predictions:
    """The predictions of a fitted model for inputs, in their order.

    values: one decoded prediction per input; for classification a label.
    classes: the class of each column of `probabilities`.
    probabilities: float32 ``(rows, classes)``, 0 to 1; each row sums to 1 where a row has one label, and does not where
        it may have several. None if the task has none.
    candidates: of each row the best values with their probabilities, best first, which sum to 1; empty if the task has
        none. They are not stored with a record.
    parts: probabilities of what the values consist of, such as of each tag of each word, float32 ``(parts, outputs)``,
        the parts of one input after those of another; None if the task has none. They are not stored with a record.
    confidence: probability of each value, float64 ``(rows,)``, 0 to 1, where `probabilities` do not give it: of an
        answer among its candidates, or of all entities of a text together. None if the model has none.
    likelihoods: what the model says of the right text of each row, float64 ``(rows, sums)``, see `metrics.likelihood`;
        None for tasks that are judged by what is written.
    """

    values: tuple[Value, ...]
    classes: tuple[str, ...] = ()
    probabilities: np.ndarray | None = None
    candidates: tuple[tuple[tuple[Value, float], ...], ...] = ()
    parts: np.ndarray | None = None
    confidence: np.ndarray | None = None
    likelihoods: np.ndarray | None = None


@dataclass(frozen=True)
class Trial:
    """One training to run: a contender with its options, a number of training rows, a seed.

    contender: the leaderboard name, such as 'linear' or 'finetuned:full'.
    size: training rows, None for all.
    members: the trainings whose models it builds on, of the same rows.
    tuning: all options of the strategy that the contender follows, those left as they are too; empty without one.
    """

    contender: str
    options: Mapping[str, Value]
    size: int | None
    seed: int
    members: tuple[Trial, ...] = ()
    tuning: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """The cost of a trial and of its model.

    train_seconds: wall-clock time of `fit`, before and after interruptions, plus the time saved by reuse
        (`reused_seconds`: other trials had already computed the states of frozen layers, or trained the models it
        builds on).
    peak_bytes: peak memory (see `core.memory.resident`) above that before the trial.
    parameters: number of weights.
    trained_parameters: number of trained weights.
    disk_bytes: size of the saved folder.
    latency_p50: median milliseconds for a single text.
    latency_p95: 95th percentile of the milliseconds for a single text.
    throughput: texts per second in bulk.
    cut_off: share of test tokens (0 to 1) beyond the model's window.
    reused_seconds: seconds saved by reuse.
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
    """A finished trial: the JSON file behind every figure.

    trial: what was trained.
    train_rows: number of training rows.
    scores: metric -> value on all test rows; its unit and direction are those of the task's metric.
    clean_scores: the same without leaked rows; None if none leaked.
    validation: the same on validation.
    calibration: of the test rows, see `contest.confidence.scores`; empty for kinds other than one label.
    cost: time, memory and size.
    data_sha256: hash of the splits.
    machine: see `core.device.describe`.
    commit: commit of Headstart's source, '' outside a checkout.
    made: ISO time.
    path: path of the record.
    predictions: every test row's predicted value, and its probabilities ``(rows, classes)``, from the file next to it.
    built_on: model that was read, as named in the trial's options -> SHA-256 of its content.
    collapsed: whether the model learnt nothing, in the second training too.
    retried: whether there was a second training, with the learning rates times `rate_factor`.
    rate_factor: factor of the learning rates of the last training.
    collapse: why the first, or only, training counts as collapsed.
    """

    trial: Trial
    train_rows: int
    scores: Mapping[str, float]
    clean_scores: Mapping[str, float] | None
    validation: Mapping[str, float]
    calibration: Mapping[str, float]
    cost: Cost
    data_sha256: str
    machine: Mapping[str, Value]
    commit: str
    made: str
    path: str
    predictions: Predictions
    built_on: Mapping[str, str] = field(default_factory=dict)
    collapsed: bool = False
    retried: bool = False
    rate_factor: float = 1.0
    collapse: str = ""
