"""Gradient x input (Shrikumar et al. 2017): each token's embedding times the gradient of the score there.

One gradient per text. Its attributions do not sum to the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from headstart.core.attribution import Steps
from headstart.core.contracts import Fitted
from headstart.explain._words import WordScores, by_word
from headstart.explain.answers import Answer, Source

AT_INPUT = Steps((1.0,), (1.0,), "zero")


def attribute(model: Fitted, sources: Sequence[Source], answers: Sequence[Answer]) -> list[WordScores]:
    """Return what each word adds to the score of each answer.

    Args:
        model: a model with gradients.
        sources: the inputs.
        answers: to these inputs.
    """
    found = model.gradients([source.value for source in sources], [answer.aim for answer in answers], AT_INPUT)
    words = by_word(model.task, sources, answers, found)
    return [replace(each, base=each.score - float(each.values.sum())) for each in words]
