"""Word occlusion (Zeiler & Fergus 2014, for words): how much the score falls without a word.

A word is removed by deleting it from the text. It needs predictions only, so any model has it, but as many of them as
the text has words. In a text of more than `MOST` words, neighbours are removed together and share what they add.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from headstart.core.contracts import Fitted
from headstart.explain._words import WordScores
from headstart.explain.answers import Answer, Reduced, Source, ask

MOST = 128  # removals in one text


def attribute(model: Fitted, sources: Sequence[Source], answers: Sequence[Answer]) -> list[WordScores]:
    """Return how much the score of each answer falls without each word; 0 for words of the answer itself.

    Args:
        model: any model.
        sources: the inputs.
        answers: to these inputs.
    """
    asked: list[Reduced] = []
    for answer in answers:
        source = sources[answer.aim.row]
        asked.append(Reduced(source, answer, ()))
        asked += [Reduced(source, answer, tuple(part)) for part in _parts(source, answer)]
    scores, _ = ask(model, asked)
    found = []
    place = 0
    for answer in answers:
        source = sources[answer.aim.row]
        values = np.zeros(len(source.words))
        whole = scores[place]
        place += 1
        for part in _parts(source, answer):
            values[part] = (whole - scores[place]) / len(part)
            place += 1
        found.append(WordScores(values, float(whole), float(whole - values.sum())))
    return found


def _parts(source: Source, answer: Answer) -> list[list[int]]:
    """Return the numbers of the words that are removed together: one word each, or neighbours in a long text."""
    words = [number for number in range(len(source.words)) if number not in set(answer.own)]
    groups = np.array_split(np.array(words, dtype=np.int64), min(MOST, len(words))) if words else []
    return [group.tolist() for group in groups]
