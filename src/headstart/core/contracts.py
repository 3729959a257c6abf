"""The contracts between packages, as types: a task, a tokenizer, a contender and its fitted model.

Two contracts depend on more than this package may import: `strategies.Strategy` and `trackers.Tracker`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, TypeAlias

from headstart.core.attribution import Aim, Attention, Attributed, Span, Steps
from headstart.core.sequences import IGNORED, Encoded, Ragged
from headstart.core.tabular import Tabular, Way
from headstart.core.tally import Metric, Tally

if TYPE_CHECKING:
    import numpy as np

    from headstart.core.records import Predictions, Rows, Run

# The form of an answer: one label, several labels, a number, a set of tuples such as entities, or a text.
Kind = Literal["label", "labels", "number", "facts", "text"]
# An input, a target, a predicted value or an option: plain data that JSON can represent. Only the task (or the plugin)
# knows its shape, and checks it when it is read.
Value: TypeAlias = Any

# Hugging Face's suffix of the class that a model opens in, which names the kind of its head.
# The last one is of LUKE (Yamada et al. 2020) alone; of other such models, transformers opens only the encoder.
Suffix = Literal[
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForConditionalGeneration",
    "ForEntityPairClassification",
]
# The loss of a head that scores whole texts, as Hugging Face names it in config.json.
Problem = Literal["single_label_classification", "multi_label_classification", "regression"]


@dataclass(frozen=True)
class HeadPlan:
    """What the head of a model computes.

    labels: name of each output, in order.
    suffix: which kind of head.
    problem: its loss, for heads that score whole texts.
    crf: for heads that score tokens, whether each label also has a score after another; see `nn.crf.CrfHead`.
    """

    labels: tuple[str, ...]
    suffix: Suffix = "ForSequenceClassification"
    problem: Problem = "single_label_classification"
    crf: bool = False

    @staticmethod
    def numbered(outputs: int) -> HeadPlan:
        """Plan a classifier of texts whose classes have no names but Hugging Face's.

        >>> HeadPlan.numbered(2).labels
        ('LABEL_0', 'LABEL_1')
        """
        return HeadPlan(tuple(f"LABEL_{number}" for number in range(outputs)))


@dataclass(frozen=True)
class Column:
    """A column that a task reads, and how it is recognised where the user does not name it.

    role: what the column holds, such as 'text', 'label' or 'question'.
    names: further usual names of such a column, in lower case, letters and digits only.
    form: what its cells look like. 'text': prose, in which lists of words are joined, and 'label': few values that
        repeat; columns of both forms are also recognised by their values. 'any': others, such as lists.
    target: whether it belongs to the target, and so is not read for predictions.
    required: whether the task needs it.
    several: whether it may be more than one column, as for labels. :meth:`Task.read` then gets an object, name -> cell.
    inside: role of the column that also holds this one if it has none of its own, as a talk its answer; '' for none.
    """

    role: str
    names: frozenset[str] = frozenset()
    form: Literal["text", "label", "any"] = "any"
    target: bool = False
    required: bool = True
    several: bool = False
    inside: str = ""


class Tokenizer(Protocol):
    """The part of a tokenizer that a task uses."""

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Turn texts into token ids, each truncated to the tokenizer's window or divided into several windows."""

    def encode_pairs(self, first: Sequence[str], second: Sequence[str]) -> Encoded:
        """Turn pairs of texts into token ids and segments, each pair truncated to the tokenizer's window."""

    def encode_words(self, rows: Sequence[Sequence[str]]) -> Encoded:
        """Turn rows of words into token ids with the word of each, in overlapping windows if they are long."""

    def encode_windows(self, questions: Sequence[str], contexts: Sequence[str]) -> Encoded:
        """Turn questions with contexts into pairs of texts, a long context in several overlapping windows."""

    def encode_turns(self, rows: Sequence[Sequence[tuple[str, str]]]) -> Encoded:
        """Turn conversations, each of roles with what is said, into token ids up to the next turn."""

    def encode_marked(self, rows: Sequence[Sequence[str]], numbers: Sequence[Sequence[int]]) -> Encoded:
        """Turn texts that are divided into parts into token ids, with the places of the parts of some numbers."""


class Task(Protocol):
    """The plugin of a task: a frozen dataclass whose fields are its options and what it learns from the training rows.

    kind: the form of its answers, which decides which contenders support it.
    metrics: its scores; the first one is the default.
    columns: what its rows consist of, inputs before targets.
    SAMPLE: six examples, pairs of input and target, that a contender can learn from.
    classes: the possible labels, sorted; empty before :meth:`fitted`, and for kinds without labels.
    input_columns: columns that the training inputs were read from, each as 'ROLE=NAME'; empty if they are not known.
    generates: whether its answers are texts that a model has to write, not parts of its inputs; only for the kind
        'text'. Decoders learn and write them, so that :meth:`targets` and :meth:`decode` are not used.
    settles: whether :meth:`settled` chooses anything; contenders then call it after training.
    tabular: columns that it reads beside the text; none for kinds that are not among `tabular.KINDS`.
    """

    kind: ClassVar[Kind]
    generates: ClassVar[bool]
    settles: ClassVar[bool]
    columns: ClassVar[tuple[Column, ...]]
    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]]
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    @property
    def classes(self) -> tuple[str, ...]: ...

    @property
    def input_columns(self) -> tuple[str, ...]: ...

    @property
    def tabular(self) -> Tabular: ...

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Turn the cells of a row into its input and its target, both JSON values; see `data.cells` for helpers.

        Args:
            cells: role -> cell, as plain Python values. Without the targets' roles if no targets are read, in which
                case the target is None, and without optional roles that the table does not have.

        Raises:
            DataError: the row cannot be used; its message continues "line 7 ...", as in "has no text".
        """

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the texts of one input, for copies, leakage, vocabularies and n-grams."""

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return an input without the words from `removed`: of each of its :meth:`texts` start and end, ascending."""

    def stratum(self, target: Value) -> str:
        """Return the group of a target whose share every split preserves; '' for none."""

    def fitted(self, train: Rows) -> Self:
        """Return the task with what it learns from the training rows, such as the classes."""

    def head(self) -> HeadPlan:
        """Return what the head of a model for this task computes."""

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn inputs into token ids."""

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Return what the head should predict for each sequence of the encoded rows; see `nn.heads` for its form.

        A head that scores whole texts pools the windows of a row, and so predicts one value for each row.
        Integers are -100 where there is nothing to learn from.
        """

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn a head's outputs (floats) for each sequence of encoded inputs into one prediction per input."""

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Self:
        """Return the task with the settings of :meth:`decode`, such as thresholds, that suit predictions best.

        Args:
            predictions: of a trained model for the validation rows; their values are not used.
            targets: of the same rows.
        """

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Return what each row adds to the sums that the metrics are functions of."""


def class_numbers(classes: Sequence[str], targets: Sequence[Value]) -> np.ndarray:
    """Return the number of each target among the classes, int64 ``(rows,)``; -100 for one that is not among them.

    >>> class_numbers(("ham", "spam"), ("spam", "eggs")).tolist()
    [1, -100]
    """
    import numpy as np

    known = {label: number for number, label in enumerate(classes)}
    return np.array([known.get(label, IGNORED) for label in targets], dtype=np.int64)


def settled(task: Task, decode: Callable[[Task], Predictions], targets: Sequence[Value]) -> tuple[Task, Predictions]:
    """Settle a task on the validation rows; return it with what it predicts for them.

    Args:
        task: the task, fitted.
        decode: returns a model's predictions for these rows, decoded by the given task.
        targets: of these rows.
    """
    predictions = decode(task)
    if not task.settles:
        return task, predictions
    own = task.settled(predictions, targets)
    return own, predictions if own == task else decode(own)


def metric_values(task: Task, predictions: Predictions, rows: Rows) -> dict[str, float]:
    """Score predictions against the targets of the same rows: metric name -> value."""
    total = task.tally(predictions, rows.targets).total
    return {metric.name: float(metric.of(total)) for metric in task.metrics}


def one_text(task: Task) -> bool:
    """Return whether an input of a task is one text, so that a text without a target is an input too."""
    return [column.form for column in task.columns if not column.target] == ["text"]


def reading_columns(task: Task, way: Way) -> Task:
    """Return a task that reads the columns beside its text in some way; without columns it is unchanged."""
    return dataclasses.replace(task, tabular=dataclasses.replace(task.tabular, way=way)) if task.tabular.names else task


def joined_texts(task: Task, inputs: Iterable[Value]) -> list[str]:
    """Return one text per input, joined from its texts."""
    return [" ".join(task.texts(value)) for value in inputs]


def all_texts(task: Task, inputs: Iterable[Value]) -> list[str]:
    """Return the texts of all inputs, one input after the other."""
    return [text for value in inputs for text in task.texts(value)]


class Fitted:
    """A model that a contender has trained; a dataclass.

    task: the fitted task.
    reused_seconds: training time saved by results of other trainings.
    has_temperature: whether probabilities of labels can be changed by a temperature, see :meth:`with_temperature`.
    has_thresholds: whether one label is what `task` decides by the probabilities, so that another one may be put there.
    has_gradients: whether :meth:`gradients` is implemented.
    has_contributions: whether :meth:`contributions` is implemented.
    """

    task: Task
    reused_seconds: float = 0.0
    has_temperature: ClassVar[bool] = False
    has_thresholds: ClassVar[bool] = False
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    has_gradients: ClassVar[bool] = False
    has_contributions: ClassVar[bool] = False

    @property
    def has_int8(self) -> bool:
        """Whether there is a copy with 8-bit weights, see :meth:`with_int8`."""
        return False

    @property
    def parameters(self) -> int:
        """Number of all weights."""
        return 0

    @property
    def trained_parameters(self) -> int:
        """Number of weights that were trained."""
        return 0

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict any number of inputs, in order."""
        raise NotImplementedError  # every model has its own

    def judge(self, rows: Rows) -> Predictions:
        """Predict labelled rows to be scored; where the task is judged by likelihood, with that of their targets."""
        return self.predict(rows.inputs)

    def cut_off(self, inputs: Sequence[Value]) -> float:
        """Return the share (0 to 1) of the inputs' tokens that the model's window truncates."""
        return 0.0

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write the model into a folder that `Contender.load` reads.

        Args:
            folder: the folder.
            whole: False to leave out weights that are unchanged from the initial model, if that saves much.
        """
        raise NotImplementedError  # every model has its own

    def with_int8(self) -> Fitted:
        """Return the model with 8-bit weights; only for models with `has_int8`."""
        raise NotImplementedError  # not called without has_int8

    def with_temperature(self, temperature: float) -> Fitted:
        """Return the model with all logits divided by a temperature; only for one label and with `has_temperature`.

        It is part of the weights if the last layer is linear, so that all that reads them gives the same probabilities.
        """
        raise NotImplementedError  # not called without has_temperature

    def gradients(self, inputs: Sequence[Value], aims: Sequence[Aim], steps: Steps) -> tuple[Attributed, ...]:
        """Return mean gradients of scores times the distance from a baseline; only for models with `has_gradients`."""
        raise NotImplementedError  # not called without has_gradients

    def contributions(self, inputs: Sequence[Value], aims: Sequence[Aim]) -> tuple[Attributed, ...]:
        """Divide scores exactly into what each part of the texts adds; only for models with `has_contributions`."""
        raise NotImplementedError  # not called without has_contributions

    def attention(self, value: Value, most: int) -> Attention | None:
        """Return how much the first `most` tokens of an input attend to each other; None without attention."""
        return None


class Contender:
    """The plugin of a contender: a frozen dataclass that derives from this class; its fields are its options.

    kinds: the kinds of task that it supports.
    generates: whether it supports tasks whose answers are generated, see `Task.generates`: 'never', 'also' or 'only'.
    has_likelihoods: whether its models say how likely a given text is, for tasks that are judged by that.
    level: its level on the ladder from the floor to the most expensive way of training, see `contest.ladder`; '' for
        none.
    reads_unlabelled: whether it uses `Run.unlabelled`.
    reads_columns: whether it can read columns beside the text, see `core.tabular`.
    ways_with_columns: further ways of it, as in its leaderboard name, that compete if there are such columns.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"label"})
    generates: ClassVar[Literal["never", "also", "only"]] = "never"
    has_likelihoods: ClassVar[bool] = False
    level: ClassVar[str] = ""
    reads_unlabelled: ClassVar[bool] = False
    reads_columns: ClassVar[bool] = False
    ways_with_columns: ClassVar[tuple[str, ...]] = ()
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def name(self) -> str:
        """Its leaderboard name: the file's, and after a colon what distinguishes these options."""
        raise NotImplementedError  # every contender has its own

    @property
    def deterministic(self) -> bool:
        """Whether the model does not depend on the seed."""
        return False

    @property
    def members(self) -> tuple[str, ...]:
        """Leaderboard names of the contenders that it builds on; 'all' for those that build on none."""
        return ()

    @property
    def tuning(self) -> Mapping[str, Value]:
        """All options of its strategy, with defaults; empty without a strategy."""
        return {}

    @staticmethod
    def named(way: str) -> dict[str, Value]:
        """Parse the part of a leaderboard name after the colon: option -> value; empty if it has none."""
        return {}

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Train on the training rows and choose by the validation rows.

        Args:
            train: training rows.
            validation: validation rows.
            task: fitted to the training rows.
            run: the context of the training.

        Raises:
            HeadstartError: the training is not possible, or failed.
        """
        raise NotImplementedError  # every contender has its own

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read a model that :meth:`Fitted.save` wrote.

        Args:
            folder: the folder.
            task: the fitted task.
            extra: what the model wrote to its manifest.
        """
        raise NotImplementedError  # every contender has its own
