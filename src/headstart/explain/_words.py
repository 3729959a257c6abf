"""Attributions of parts of texts, such as tokens, as attributions of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.core.attribution import Attributed
from headstart.core.contracts import Task
from headstart.core.sequences import Encoded, Ragged
from headstart.explain.answers import Answer, Source

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class WordScores:
    """What each word of an input adds to the score of an answer.

    values: float64 ``(words,)``.
    score: of the input.
    base: of the input without what its words add; see `Explanation.base`.
    """

    values: np.ndarray
    score: float
    base: float


def by_word(
    task: Task, sources: Sequence[Source], answers: Sequence[Answer], found: Sequence[Attributed]
) -> list[WordScores]:
    """Divide what each part of a text adds among the words that it overlaps, by their characters.

    Args:
        task: the task.
        sources: the inputs.
        answers: to these inputs.
        found: of each answer.
    """
    zero, unit = unit_of(task)
    return [
        WordScores(unit * _divided(sources[answer.aim.row], each), zero + unit * each.score, zero + unit * each.base)
        for answer, each in zip(answers, found, strict=True)
    ]


def unit_of(task: Task) -> tuple[float, float]:
    """Return the number that an output of 0 is decoded to, and how much larger it is for an output of 1.

    Outputs of other kinds of tasks are scores as they are.
    """
    import numpy as np

    if task.kind != "number":
        return 0.0, 1.0
    outputs = Ragged.single(np.array([[0.0], [1.0]], dtype=np.float32))
    zero, one = task.decode(outputs, Encoded.without_tokens(2), ("", "")).values
    return zero, one - zero


def _divided(source: Source, found: Attributed) -> np.ndarray:
    import numpy as np

    lengths = np.array([0, *map(len, source.texts)])
    starts = np.cumsum(lengths)[:-1]  # of each text, if all are one after the other
    owner = np.full(int(lengths.sum()), -1, dtype=np.int64)  # the word of each character
    for number, (text, start, end) in enumerate(source.words):
        owner[starts[text] + start : starts[text] + end] = number
    values = np.zeros(len(source.words))
    first, last = (starts[found.texts] + found.characters[:, side] for side in (0, 1))
    for start, end, value in zip(first, last, found.values, strict=True):
        words = owner[start:end]
        words = words[words >= 0]
        if len(words):
            np.add.at(values, words, value / len(words))
    return values
