"""The most frequent class for every text: the floor of all scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from headstart.checkpoints import manifest
from headstart.contenders import _untrained
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value
from headstart.core.errors import CheckpointError
from headstart.core.files import write_text
from headstart.core.opening import read_object
from headstart.core.records import Predictions, Rows, Run


@dataclass(frozen=True)
class FittedMajority(Fitted):
    """Shares of the classes among the training rows, in the order of the task's classes."""

    task: Task
    shares: tuple[float, ...]

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict the most frequent class for every input, with the class shares as probabilities; of facts, none."""
        if self.task.kind == "facts":
            return Predictions(((),) * len(inputs))
        best = self.task.classes[int(np.argmax(self.shares))]
        probabilities = np.tile(np.array(self.shares, dtype=np.float32), (len(inputs), 1))
        return Predictions((best,) * len(inputs), self.task.classes, probabilities)

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write the shares as JSON."""
        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            write_text(fresh / "majority.json", json.dumps({"shares": self.shares}))
            manifest.write(fresh, "majority", self.task, {})


@dataclass(frozen=True)
class Majority(Contender):
    """The most frequent training label for every text: the floor any model must beat."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "facts", "text"})
    name: ClassVar[str] = "majority"
    level: ClassVar[str] = "floor"
    deterministic: ClassVar[bool] = True

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Count the training labels; among equally frequent ones the first in the task's order is used."""
        if task.kind == "text":
            return _untrained.fit(train, task, run.metric)
        if task.kind == "facts":
            return FittedMajority(task, (0.0,) * len(task.classes))
        counts = Counter(train.targets)
        return FittedMajority(task, tuple(counts[label] / len(train) for label in task.classes))

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read a saved model.

        Raises:
            CheckpointError: its shares are not those of the task's classes.
        """
        if task.kind == "text":
            return _untrained.load(task, extra.get("silent"))
        path = folder / "majority.json"
        shares = read_object(path).get("shares")
        if (
            not isinstance(shares, list)
            or len(shares) != len(task.classes)
            or not all(type(share) in (int, float) and 0 <= share <= 1 for share in shares)
        ):
            raise CheckpointError(
                f"'{path}' must hold a share from 0 to 1 for each of the {len(task.classes)} classes; copy the folder "
                "again, or save it again."
            )
        return FittedMajority(task, tuple(shares))


PLUGIN = Majority
