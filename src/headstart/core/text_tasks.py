"""The contract of tasks that are answered with texts, beside that of all tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from headstart.core.contracts import Task, Value

if TYPE_CHECKING:
    from headstart.core.records import Predictions


class TextTask(Task, Protocol):
    """What tasks of the kind 'text' have besides.

    ways: number of ways of answering without training, the best of which is the floor of all scores.
    by_likelihood: whether it is judged by how likely models find the right texts, see `Predictions.likelihoods`, and
        not by what they write.
    """

    ways: ClassVar[int]
    by_likelihood: ClassVar[bool]

    def untrained(self, value: Value, way: int) -> str:
        """Answer one input in one of these ways, counted from 0."""

    def accepted(self, target: Value) -> Sequence[str]:
        """Return the texts that are right; the empty text where nothing is."""

    def chosen(self, candidates: Sequence[tuple[tuple[str, float], ...]]) -> Predictions:
        """Return the predictions that the candidates of each input and their probabilities give, the best first."""


def by_likelihood(task: Task | type[Task]) -> bool:
    """Return whether a task is judged by how likely models find the right texts, see `TextTask`."""
    return task.kind == "text" and task.generates and cast(TextTask, task).by_likelihood
