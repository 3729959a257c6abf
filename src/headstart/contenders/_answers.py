"""What several models answer to the same inputs, as numbers that can be averaged whatever the models are.

Labels have probabilities and numbers are numbers. Facts are tags of words, which every model divides alike, so that the
probabilities of tags are averaged word by word. Texts have candidates, whose probabilities are added up.

Shapes: M models, N items (inputs; words, for facts), C columns (labels; 1 for numbers; tags; candidates of an input).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from headstart.contenders._crf import WordTokens
from headstart.core.contracts import Fitted, Task, Value, class_numbers
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import IGNORED, Encoded, Ragged
from headstart.core.text_tasks import TextTask

LEAST = 1e-6  # lower limit of a probability in logarithms


@dataclass(frozen=True)
class Answers:
    """What models answer to some inputs.

    inputs: the inputs.
    numbers: each model's probabilities, float32 ``(M, N, C)``, or its numbers, float64 ``(M, N, 1)``.
    encoded: the inputs as words, for facts; otherwise rows without tokens.
    names: for texts, the candidates of each input, to which its columns belong; those left over are 0.
    """

    inputs: Sequence[Value]
    numbers: np.ndarray
    encoded: Encoded
    names: tuple[tuple[str, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)


def ask(models: Sequence[Fitted], task: Task, inputs: Sequence[Value]) -> Answers:
    """Ask every model.

    Args:
        models: of the same task.
        task: the task, fitted.
        inputs: any number.
    """
    predictions = [model.predict(inputs) for model in models]
    encoded = Encoded.without_tokens(len(inputs))
    if task.kind == "text":
        names, numbers = _by_candidate([_candidates(each) for each in predictions])
        return Answers(inputs, numbers, encoded, names)
    if task.kind == "facts":
        encoded = task.encode(inputs, WordTokens())
        return Answers(inputs, np.stack([_by_word(each, task, inputs, encoded) for each in predictions]), encoded)
    if task.kind == "number":
        return Answers(inputs, np.array([each.values for each in predictions], dtype=np.float64)[:, :, None], encoded)
    return Answers(inputs, np.stack([np.asarray(each.probabilities) for each in predictions]), encoded)


def decode(answers: Answers, mixed: np.ndarray, task: Task) -> Predictions:
    """Turn combined probabilities, or numbers, ``(N, C)`` into predictions.

    Args:
        answers: what they were combined from.
        mixed: float64 ``(N, C)``.
        task: the task, fitted and settled.
    """
    if task.kind == "number":
        return Predictions(tuple(mixed[:, 0].tolist()))
    if task.kind == "text":
        rows = (
            sorted(zip(names, row.tolist(), strict=False), key=_falling)
            for names, row in zip(answers.names, mixed, strict=True)
        )
        return cast(TextTask, task).chosen([tuple(row) for row in rows])
    if task.kind == "facts":
        scores = np.log(np.maximum(mixed, LEAST)).astype(np.float32)
        return task.decode(Ragged(scores, answers.encoded.boundaries), answers.encoded, answers.inputs)
    if task.kind == "labels":
        from scipy.special import logit

        return task.decode(Ragged.single(logit(mixed)), answers.encoded, answers.inputs)
    with np.errstate(divide="ignore"):  # the logit of a probability of 0
        return task.decode(Ragged.single(np.log(mixed)), answers.encoded, answers.inputs)


def likelihood(answers: Answers, mixed: np.ndarray, rows: Rows, task: Task) -> float:
    """Return the mean log likelihood of the rows' targets by combined answers, of numbers without constants.

    Args:
        answers: see :func:`decode`.
        mixed: see :func:`decode`.
        rows: those of `answers`.
        task: the task, fitted.
    """
    if task.kind == "label":
        return log_likelihood(mixed, class_numbers(task.classes, rows.targets))
    if task.kind == "number":
        return -float(np.square(mixed[:, 0] - np.array(rows.targets, dtype=np.float64)).mean())
    if task.kind == "text":
        right = map(cast(TextTask, task).accepted, rows.targets)
        parts = zip(answers.names, mixed, right, strict=True)
        shares = [sum(row[place] for place, name in enumerate(names) if name in texts) for names, row, texts in parts]
        return float(np.log(np.maximum(shares, LEAST)).mean())
    truth = task.targets(rows, answers.encoded).values
    if task.kind == "facts":
        known = np.flatnonzero(truth != IGNORED)
        return log_likelihood(mixed[known], truth[known])
    return float(np.log(np.maximum(np.where(truth > 0, mixed, 1 - mixed), LEAST)).mean())


def log_likelihood(probabilities: np.ndarray, numbers: np.ndarray) -> float:
    """Return the mean log likelihood of class numbers ``(N,)`` by probabilities ``(N, C)``; 0 for none."""
    if not len(numbers):
        return 0.0
    return float(np.log(np.maximum(probabilities[np.arange(len(numbers)), numbers], LEAST)).mean())


def _by_word(predictions: Predictions, task: Task, inputs: Sequence[Value], encoded: Encoded) -> np.ndarray:
    """Return the probability of each tag of each word, float32 ``(N, C)``: 1 or 0 if a model gives none."""
    if predictions.parts is not None:
        return predictions.parts
    rows = Rows(tuple(map(str, range(len(inputs)))), tuple(inputs), predictions.values)
    tags = task.targets(rows, encoded).values
    certain: np.ndarray = np.eye(len(task.head().labels), dtype=np.float32)[np.maximum(tags, 0)]
    return certain


def _candidates(predictions: Predictions) -> tuple[tuple[tuple[str, float], ...], ...]:
    return predictions.candidates or tuple(((value, 1.0),) for value in predictions.values)


def _by_candidate(
    rows_of: Sequence[Sequence[Sequence[tuple[str, float]]]],
) -> tuple[tuple[tuple[str, ...], ...], np.ndarray]:
    """Give each candidate of an input, whichever models name it, a column: their names, and ``(M, N, C)``."""
    names = tuple(tuple(dict.fromkeys(text for row in rows for text, _ in row)) for rows in zip(*rows_of, strict=True))
    numbers = np.zeros((len(rows_of), len(names), max(map(len, names), default=0)), dtype=np.float32)
    for model, rows in enumerate(rows_of):
        for number, row in enumerate(rows):
            for text, share in row:
                numbers[model, number, names[number].index(text)] = share
    return names, numbers


def _falling(candidate: tuple[str, float]) -> float:
    return -candidate[1]
