"""What each character of a text adds to the score of a linear model on n-grams.

A feature adds its weight times its value, in equal parts to each place where its n-gram occurs, and there in equal
parts to its characters other than spaces. Together with the intercept and the columns beside the text they sum to the
score.

Shapes: F features, C columns of weights.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from headstart.contenders._ngrams import SIZES, Reader, presence_of, with_columns
from headstart.contenders._pair_words import TOKEN, joined, lowered, marked_words, n_gram_texts
from headstart.core.attribution import Aim, Attributed
from headstart.core.contracts import Task, Value

if TYPE_CHECKING:
    from headstart.contenders.linear import FittedLinear

_token = re.compile(TOKEN)
_spaces = re.compile(r"\s\s+")


def of(model: FittedLinear, inputs: Sequence[Value], aims: Sequence[Aim]) -> tuple[Attributed, ...]:
    """Return what each character of the inputs' texts adds to the scores of answers."""
    rows = sorted({aim.row for aim in aims})
    chosen = [inputs[row] for row in rows]
    texts = n_gram_texts(model.task, chosen)
    features = with_columns(model.reader.read(texts), model.task, chosen)  # (rows, F)
    if model.presence:
        features = presence_of(features, model.task.tabular.width)
    occurrences = [_occurrences(model.reader, text) for text in texts]
    beside = model.task.tabular.width
    found = []
    for aim in aims:
        place = rows.index(aim.row)
        weights, intercept = _column(model, aim.outputs[0])  # (F,)
        row = features[[place]]
        added = row.data * weights[row.indices]  # of each feature of the input
        by_character = np.zeros(len(texts[place]))
        base = float(intercept)
        for feature, value in zip(row.indices.tolist(), added.tolist(), strict=True):
            if feature < beside:
                base += value
                continue
            spans = occurrences[place][feature - beside]
            for start, end in spans:
                inside = [number for number in range(start, end) if not texts[place][number].isspace()]
                by_character[inside] += value / len(spans) / len(inside)
        found.append(_attributed(model.task, chosen[place], by_character, base))
    return tuple(found)


def _column(model: FittedLinear, output: int) -> tuple[np.ndarray, float]:
    """Return the weights ``(F,)`` and the intercept of an answer's score."""
    weights, intercept = model.weights.astype(np.float64), model.intercept.astype(np.float64)
    if model.task.kind != "label" or (model.presence and weights.shape[1] > 1):
        return weights[:, output], float(intercept[output])
    if weights.shape[1] == 1:  # the logit of the second class, that of the first being 0
        sign = 1 if output else -1
        return sign * weights[:, 0], float(sign * intercept[0])
    factors = np.full(weights.shape[1], -1 / (weights.shape[1] - 1))
    factors[output] = 1
    return weights @ factors, float(intercept @ factors)


def _occurrences(reader: Reader, text: str) -> dict[int, list[tuple[int, int]]]:
    """Return the places of each n-gram of a text that a reader has, by its column."""
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    low, owners = lowered(text)
    words, characters = reader.numbers
    spans = [match.span() for match in _token.finditer(low)]
    ends = [*((span, span) for span in spans), *pairwise(spans)]
    for (start, stop), (last, end) in ends:
        n_gram = low[start:end] if start == last else f"{low[start:stop]} {low[last:end]}"
        if n_gram in words:
            found[words[n_gram]].append((owners[start], owners[end - 1] + 1))
    # Runs of white space are read as one space.
    places = [place for place in range(len(low)) if not (place and low[place - 1 : place + 1].isspace())]
    read = _spaces.sub(" ", low)
    for size in SIZES if characters else ():
        for start in range(len(read) - size + 1):
            column = characters.get(read[start : start + size])
            if column is not None:
                found[len(words) + column].append((owners[places[start]], owners[places[start + size - 1]] + 1))
    return found


def _attributed(task: Task, value: Value, by_character: np.ndarray, base: float) -> Attributed:
    """Return what the characters of an input's text, or of its marked words (see `_pair_words`), add to a score."""
    texts = task.texts(value)
    if len(texts) != 2:
        places = np.arange(len(by_character))
        spans = np.stack([places, places + 1], axis=1)
        return _found(np.zeros(len(places), dtype=np.int64), spans, by_character, base)
    words = marked_words(*texts)
    ends = [match.end() for match in re.finditer(r"\S+", joined(*texts))]
    sums = np.diff(np.concatenate([[0.0], np.cumsum(by_character)])[[0, *ends]])  # of each word and each share
    table = np.array(words, dtype=np.int64).reshape(-1, 3)
    return _found(table[:, 0], table[:, 1:], sums[: len(words)], base + float(sums[len(words) :].sum()))


def _found(texts: np.ndarray, spans: np.ndarray, values: np.ndarray, base: float) -> Attributed:
    return Attributed(texts, spans, values, base + float(values.sum()), base)
