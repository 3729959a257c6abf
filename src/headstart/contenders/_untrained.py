"""The floor of tasks that are answered with texts: the best of what a task answers without training, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from headstart.checkpoints import manifest
from headstart.core.contracts import Fitted, Task, Value, metric_values
from headstart.core.records import Predictions, Rows
from headstart.core.tally import named
from headstart.core.text_tasks import TextTask

MOST_ROWS = 2000  # training rows by which the way is chosen
NOTHING = -1  # the way that answers nothing


@dataclass(frozen=True)
class FittedText(Fitted):
    """One text per input that depends on no other.

    way: which of the task's answers without training, from 0 up; `NOTHING` for the empty text.
    """

    task: TextTask
    way: int

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict one text per input."""
        if self.way == NOTHING:
            return Predictions(("",) * len(inputs))
        return Predictions(tuple(self.task.untrained(value, self.way) for value in inputs))

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write a manifest alone."""
        from headstart.saved import model_folder

        with model_folder.saving(folder) as fresh:
            manifest.write(fresh, "majority", self.task, {"way": self.way})


def fit(train: Rows, task: Task, metric: str) -> FittedText:
    """Choose the way by the training rows; of those that score the same the first, and silence last."""
    rows = train.take(range(min(len(train), MOST_ROWS)))
    judged = named(task.metrics, metric)
    writing = cast(TextTask, task)

    def score(way: int) -> float:
        answers = FittedText(writing, way).predict(rows.inputs)
        return judged.sign * metric_values(task, answers, rows)[metric]

    return FittedText(writing, max([*range(writing.ways), NOTHING], key=score))


def load(task: Task, extra: Mapping[str, Value]) -> FittedText:
    """Return what :meth:`FittedText.save` wrote."""
    # Earlier versions knew one way, or silence.
    way = extra.get("way", NOTHING if extra.get("silent") is True else 0)
    return FittedText(cast(TextTask, task), int(way))
