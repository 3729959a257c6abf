"""The best answer that no text changes, such as the most frequent class: the floor of all scores."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from headstart.checkpoints import manifest
from headstart.contenders import _unigram, _untrained
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value
from headstart.core.errors import CheckpointError
from headstart.core.files import write_text
from headstart.core.opening import read_object
from headstart.core.records import Predictions, Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.core.text_tasks import by_likelihood


@dataclass(frozen=True)
class FittedMajority(Fitted):
    """One predicted value for all inputs.

    shares: of the training rows with each of the task's classes, in their order; empty for tasks without probabilities.
    value: as the task's targets are; None for the label that the task decides on by the shares.
    """

    task: Task
    shares: tuple[float, ...]
    value: Value = None

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict the value for every input, with the class shares as probabilities; one label by these."""
        import numpy as np

        if self.value is None:
            with np.errstate(divide="ignore"):  # the logit of a share of 0
                logits = np.tile(np.log(np.array(self.shares)), (len(inputs), 1))
            return self.task.decode(Ragged.single(logits), Encoded.without_tokens(len(inputs)), inputs)
        values = (self.value,) * len(inputs)
        if not self.shares:
            return Predictions(values)
        probabilities = np.tile(np.array(self.shares, dtype=np.float32), (len(inputs), 1))
        return Predictions(values, self.task.classes, probabilities)

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write the value and the shares as JSON."""
        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            write_text(fresh / "majority.json", json.dumps({"value": self.value, "shares": self.shares}))
            manifest.write(fresh, "majority", self.task, {})


@dataclass(frozen=True)
class Majority(Contender):
    """The most frequent answer of the training rows, or the mean number, for every text: the floor of all scores."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "number", "facts", "text"})
    name: ClassVar[str] = "majority"
    generates: ClassVar = "also"
    has_likelihoods: ClassVar[bool] = True
    level: ClassVar[str] = "floor"
    deterministic: ClassVar[bool] = True
    reads_columns: ClassVar[bool] = True  # as little as the text

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Compute the value from the training targets, see `FLOORS`; of texts see `_untrained` and `_unigram`."""
        if by_likelihood(task):
            return _unigram.fit(train, task)
        if task.kind == "text":
            return _untrained.fit(train, task, run.metric)
        shares, value = FLOORS[task.kind](train.targets, task.classes)
        return FittedMajority(task, shares, value)

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read a saved model.

        Raises:
            CheckpointError: its shares are not those of the task's classes, or its value is none of the task's kind.
        """
        if by_likelihood(task):
            return _unigram.load(task, extra)
        if task.kind == "text":
            return _untrained.load(task, extra)
        path = folder / "majority.json"
        stored = read_object(path)
        shares = stored.get("shares")
        wanted = len(task.classes) if task.kind in ("label", "labels") else 0
        if (
            not isinstance(shares, list)
            or len(shares) != wanted
            or not all(type(share) in (int, float) and 0 <= share <= 1 for share in shares)
        ):
            raise CheckpointError(
                f"'{path}' must hold a share from 0 to 1 for each of the {wanted} classes; copy the folder again, or "
                "save it again."
            )
        value = stored.get("value")  # earlier versions wrote the shares alone
        if not _is_value(value, task):
            raise CheckpointError(
                f"'{path}' holds no value that the task predicts; copy the folder again, or save it again."
            )
        return FittedMajority(task, tuple(shares), tuple(value) if isinstance(value, list) else value)


Floor = Callable[[Sequence[Value], Sequence[str]], tuple[tuple[float, ...], Value]]


def most_frequent(targets: Sequence[Value], classes: Sequence[str]) -> tuple[tuple[float, ...], Value]:
    """Return the share of each class, the largest of which decides; of equal ones the first.

    >>> most_frequent(("ham", "spam", "spam", "spam"), ("ham", "spam"))
    ((0.25, 0.75), None)
    """
    counts = Counter(targets)
    return tuple(counts[label] / len(targets) for label in classes), None


def common(targets: Sequence[Value], classes: Sequence[str]) -> tuple[tuple[float, ...], Value]:
    """Return the shares of all labels, and those of more than half of the rows, or the most frequent set if none are.

    >>> common((("a",), ("a", "b"), ("b", "c"), ("a",)), ("a", "b", "c"))
    ((0.75, 0.5, 0.25), ('a',))
    """
    counts = Counter(label for labels in targets for label in labels)
    shares = tuple(counts[label] / len(targets) for label in classes)
    above = tuple(label for label, share in zip(classes, shares, strict=True) if share > 0.5)
    sets = Counter(tuple(labels) for labels in targets if labels)
    return shares, above or min(sets, key=lambda labels: (-sets[labels], labels), default=())


def mean(targets: Sequence[Value], classes: Sequence[str]) -> tuple[tuple[float, ...], Value]:
    """Return the mean of numbers.

    >>> mean((1.0, 4.0), ())
    ((), 2.5)
    """
    return (), math.fsum(targets) / len(targets)


def nothing(targets: Sequence[Value], classes: Sequence[str]) -> tuple[tuple[float, ...], Value]:
    """Return the empty set of facts."""
    return (), ()


FLOORS: Mapping[Kind, Floor] = {"label": most_frequent, "labels": common, "number": mean, "facts": nothing}


def _is_value(value: object, task: Task) -> bool:
    if task.kind == "number":
        return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]  # a number by its type
    if task.kind == "label":
        return value is None
    return isinstance(value, list) and all(label in task.classes for label in value)


PLUGIN = Majority
