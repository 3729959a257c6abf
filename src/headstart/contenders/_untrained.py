"""The floor of tasks that are answered with texts: what a task answers without training, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from headstart.checkpoints import manifest
from headstart.core.contracts import Fitted, Task, TextTask, Value, metric_values
from headstart.core.records import Predictions, Rows
from headstart.core.tally import named


@dataclass(frozen=True)
class FittedText(Fitted):
    """One text per input that depends on no other.

    silent: whether it is the empty text.
    """

    task: TextTask
    silent: bool

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict one text per input."""
        return Predictions(tuple("" if self.silent else self.task.untrained(value) for value in inputs))

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write a manifest alone."""
        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            manifest.write(fresh, "majority", self.task, {"silent": self.silent})


def fit(train: Rows, task: Task, metric: str) -> FittedText:
    """Choose between the texts and silence by the training rows; the text if both score the same."""
    judged = named(task.metrics, metric)

    def score(fitted: FittedText) -> float:
        return judged.sign * metric_values(task, fitted.predict(train.inputs), train)[metric]

    return max((FittedText(cast(TextTask, task), silent) for silent in (False, True)), key=score)


def load(task: Task, silent: Value) -> FittedText:
    """Return what :meth:`FittedText.save` wrote."""
    return FittedText(cast(TextTask, task), silent is True)
