"""Exact contributions of a linear model: each feature's weight times its value, divided among the words it is in."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.core.contracts import Fitted
from headstart.explain._words import WordScores, by_word
from headstart.explain.answers import Answer, Source


def attribute(model: Fitted, sources: Sequence[Source], answers: Sequence[Answer]) -> list[WordScores]:
    """Return what each word adds to the score of each answer.

    Args:
        model: a model with contributions.
        sources: the inputs.
        answers: to these inputs.
    """
    found = model.contributions([source.value for source in sources], [answer.aim for answer in answers])
    return by_word(model.task, sources, answers, found)
