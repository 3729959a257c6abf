"""Integrated gradients (Sundararajan et al. 2017): the gradient's mean on the way from a masked text to the text.

The attributions sum to the difference of the scores of both. The integral is a Gauss-Legendre sum, whose error falls
exponentially with its number of steps; inputs with a large error are computed again with more steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from headstart.core.attribution import Attributed, Steps
from headstart.core.contracts import Fitted
from headstart.explain._words import WordScores, by_word
from headstart.explain.answers import Answer, Source

STEPS = (12, 36, 108)
TOLERANCE = 0.01  # of the sum, as a part of the difference of the scores


def attribute(model: Fitted, sources: Sequence[Source], answers: Sequence[Answer]) -> list[WordScores]:
    """Return what each word adds to the score of each answer.

    Args:
        model: a model with gradients.
        sources: the inputs.
        answers: to these inputs.
    """
    found: list[Attributed | None] = [None] * len(answers)
    left = list(range(len(answers)))
    for count in STEPS:
        rows = sorted({answers[number].aim.row for number in left})
        aims = [replace(answers[number].aim, row=rows.index(answers[number].aim.row)) for number in left]
        computed = model.gradients([sources[row].value for row in rows], aims, steps(count))
        for number, each in zip(left, computed, strict=True):
            found[number] = each
        left = [number for number, each in zip(left, computed, strict=True) if not _complete(each)]
        if not left:
            break
    complete = [each for each in found if each is not None]
    return by_word(model.task, sources, answers, complete)


def steps(count: int) -> Steps:
    """Return the places and weights of a Gauss-Legendre sum over a line.

    >>> steps(1)
    Steps(positions=(0.5,), weights=(1.0,), baseline='mask')
    """
    places, weights = np.polynomial.legendre.leggauss(count)
    return Steps(tuple(((places + 1) / 2).tolist()), tuple((weights / 2).tolist()), "mask")


def _complete(found: Attributed) -> bool:
    missing = abs(found.base + float(found.values.sum()) - found.score)
    return missing <= TOLERANCE * max(1.0, abs(found.score - found.base))
