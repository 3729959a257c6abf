"""Explain what a saved model predicts for texts that a person types."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.core.contracts import Task, Value
from headstart.core.errors import DataError, UsageError


def inputs_of(task: Task, texts: Sequence[str]) -> tuple[Value, ...]:
    """Turn texts into inputs of a task: one each, or for pairs and questions several texts after each other.

    Raises:
        UsageError: no text, or another number than the task's inputs have.
        DataError: a text that the task cannot read.
    """
    roles = [column.role for column in task.columns if not column.target and column.required]
    if not texts:
        raise UsageError("nothing to explain; give a file, or a text with --text.")
    if len(texts) % len(roles):
        raise UsageError(f"an input of this model is a {' and a '.join(roles)}; give --text for each, in this order.")
    inputs = []
    for place in range(0, len(texts), len(roles)):
        cells = dict(zip(roles, texts[place : place + len(roles)], strict=True))
        try:
            inputs.append(task.read(cells)[0])
        except DataError as error:
            raise DataError(f"the text {place + 1} of --text {error}.") from error
    return tuple(inputs)
