"""The commonest class for every text: the floor under all scores."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from headstart.checkpoints import manifest
from headstart.contenders import _saved
from headstart.core.errors import CheckpointError
from headstart.core.opening import read_object
from headstart.core.records import Predictions, Rows, Run


@dataclass(frozen=True)
class FittedMajority:
    """Shares of the classes among the training rows, in the order of the task's classes."""

    task: Any
    shares: tuple[float, ...]

    parameters: ClassVar[int] = 0
    trained_parameters: ClassVar[int] = 0

    def predict(self, inputs: Sequence[Any]) -> Predictions:
        """Answer every input with the commonest class and the classes' shares."""
        best = self.task.classes[int(np.argmax(self.shares))]
        probabilities = np.tile(np.array(self.shares, dtype=np.float32), (len(inputs), 1))
        return Predictions((best,) * len(inputs), self.task.classes, probabilities)

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write the shares as JSON."""
        with _saved.saving(folder) as fresh:
            (fresh / "majority.json").write_text(json.dumps({"shares": self.shares}), encoding="utf-8")
            manifest.write(fresh, "majority", self.task, {})

    def cut_off(self, inputs: Sequence[Any]) -> float:
        """Return 0: no text is read, so none is cut."""
        return 0.0


@dataclass(frozen=True)
class Majority:
    """The commonest training label for every text: the floor any model must beat."""

    name: ClassVar[str] = "majority"
    rung: ClassVar[str] = "floor"
    deterministic: ClassVar[bool] = True

    def supports(self, task: Any) -> str:
        """Return '' when the task can be learnt, else the reason."""
        return "" if hasattr(task, "classes") else "the task has no classes of which one could be the commonest"

    def fit(self, train: Rows, validation: Rows, task: Any, run: Run) -> FittedMajority:
        """Count the training labels; among equally common ones the first in the task's order wins."""
        counts = Counter(train.targets)
        return FittedMajority(task, tuple(counts[label] / len(train) for label in task.classes))

    @staticmethod
    def load(folder: Path, task: Any, extra: dict[str, Any]) -> FittedMajority:
        """Read a saved model.

        Raises:
            CheckpointError: its shares are not those of the task's classes.
        """
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
