"""How well attributions find the words that a model needs, measured by removing words from rows of a person's own.

Comprehensiveness and sufficiency of DeYoung et al. 2020 ("ERASER", section 4): how much the probability of the answer
falls without the words that count most, and with these words alone, each the mean over several shares of the words.
Comprehensiveness is the area over the deletion curve; the same of words in random order shows what any removal does.
Words are removed by deleting them, so that the model reads texts that are shorter than those it has learnt from.

For numbers it is the absolute change, in units of the training rows' spread, by the words that change the number most
in either direction. Words of a fact or of an answer in a text are never removed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from headstart.core import seed as seeds
from headstart.core.contracts import Fitted, Value
from headstart.core.errors import DataError
from headstart.core.results import Interval
from headstart.core.tally import Metric, Tally
from headstart.explain import methods as methods_of
from headstart.explain._attributing import Asked, attribute, prepare
from headstart.explain._words import unit_of
from headstart.explain.answers import Answer, Reduced, Source, ask
from headstart.metrics import stats

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)  # of the words, as in ERASER; at least one word
ORDERS = 3  # random ones
ROWS = 100
MEAN = Metric("mean", lambda sums: sums[..., 0] / sums[..., 1], unit="")


@dataclass(frozen=True)
class Faithfulness:
    """What was measured of one method; each mean over rows has a 95 % interval.

    method: name of the method.
    rows: number of rows.
    comprehensiveness: how much the probability falls without the words that count most; higher is better.
    sufficiency: how much it falls with these words alone; lower is better.
    above_random: comprehensiveness minus that of words in random order.
    milliseconds: per row.
    """

    method: str
    rows: int
    comprehensiveness: Interval
    sufficiency: Interval
    above_random: Interval
    milliseconds: float


def measure(
    model: Fitted,
    inputs: Sequence[Value],
    *,
    methods: Sequence[str] | None = None,
    most_rows: int = ROWS,
    seed: int = 0,
) -> tuple[Faithfulness, ...]:
    """Measure methods on the same rows; the most comprehensive one is first.

    Args:
        model: the model.
        inputs: rows, best those that the model has not learnt from; of each the first answer counts.
        methods: None for all that the model has.
        most_rows: number of rows that are drawn at random.
        seed: of this draw and of the random orders.

    Raises:
        DataError: no row has an answer and words to remove.
    """
    asked = sample(model, inputs, most_rows, seed)
    values, taken = {}, {}
    for method in methods or methods_of(model):
        began = time.perf_counter()
        values[method] = [each.values for each in attribute(model, asked, method)]
        taken[method] = 1000 * (time.perf_counter() - began) / len(asked.answers)
    return judge(model, asked, values, taken, seed)


def judge(
    model: Fitted,
    asked: Asked,
    values: Mapping[str, Sequence[np.ndarray]],
    milliseconds: Mapping[str, float],
    seed: int = 0,
) -> tuple[Faithfulness, ...]:
    """Measure attributions of the same answers; the most comprehensive method is first.

    Args:
        model: the model.
        asked: the answers.
        values: method -> for each answer the attribution of each word, float64.
        milliseconds: method -> how long that took per row.
        seed: of the random orders.
    """
    words = removable(asked)
    orders = {
        method: [ranked(model, own, each) for own, each in zip(words, found, strict=True)]
        for method, found in values.items()
    }
    chance = [in_random_order(words, seed, number) for number in range(ORDERS)]
    removed = [[_without(order) for order in each] for each in (*orders.values(), *chance)]
    alone = [[_alone(order) for order in each] for each in orders.values()]
    # (ways to remove words, answers, shares)
    by_way = fall(model, asked, [*removed, *alone]).mean(axis=2)
    count = len(orders)
    by_chance = by_way[count : count + ORDERS].mean(axis=0)
    measured = [
        Faithfulness(
            method,
            len(words),
            mean(by_way[number]),
            mean(by_way[count + ORDERS + number]),
            mean(by_way[number] - by_chance),
            milliseconds[method],
        )
        for number, method in enumerate(orders)
    ]
    return tuple(sorted(measured, key=lambda each: -each.comprehensiveness.value))


def removable(asked: Asked) -> list[list[int]]:
    """Return for each answer the numbers of the words that may be removed."""
    return [_removable(asked.sources[answer.aim.row], answer) for answer in asked.answers]


def sample(model: Fitted, inputs: Sequence[Value], most_rows: int, seed: int) -> Asked:
    """Draw rows at random and return the first answer to each of those that have one, and words to remove.

    Raises:
        DataError: none has.
    """
    order = seeds.generator(seed, "explained").permutation(len(inputs))
    chosen = [inputs[place] for place in order if _has_words(model, inputs[place])][:most_rows]
    asked = prepare(model, chosen)
    rows = [answer.aim.row for answer in asked.answers]
    kept = [
        number
        for number, answer in enumerate(asked.answers)
        if answer.aim.row not in rows[:number] and _removable(asked.sources[answer.aim.row], answer)
    ]
    if not kept:
        raise DataError("no row has an answer and words to remove, so no method can be measured; give other rows.")
    return replace(asked, answers=[asked.answers[number] for number in kept], confidences=asked.confidences[kept])


def ranked(model: Fitted, words: Sequence[int], values: np.ndarray) -> list[int]:
    """Return words in the order in which they count, first those with the largest attribution (absolute, of numbers).

    Args:
        model: the model.
        words: numbers of the words that may be removed.
        values: attribution of each word of the input, float64.
    """
    weights = np.abs(values) if model.task.kind == "number" else values
    return sorted(words, key=lambda number: -weights[number])


def in_random_order(words: Sequence[Sequence[int]], seed: int, number: int) -> list[list[int]]:
    """Return the words of each answer in a random order."""
    random = seeds.generator(seed, "order", number)
    return [random.permutation(own).tolist() for own in words]


def fall(model: Fitted, asked: Asked, removed: Sequence[Sequence[Sequence[Sequence[int]]]]) -> np.ndarray:
    """Return how much the probability of each answer falls without some words: float64 ``(ways, answers, times)``.

    Of numbers the absolute change, in units of the training rows' spread.

    Args:
        model: the model.
        asked: the answers.
        removed: for each way and answer, numbers of the words that are removed each time.
    """
    reduced = [
        Reduced(asked.sources[answer.aim.row], answer, tuple(sorted(words)))
        for way in removed
        for answer, times in zip(asked.answers, way, strict=True)
        for words in times
    ]
    _, probabilities = ask(model, reduced)
    shape = len(removed), len(asked.answers), len(removed[0][0])
    change = asked.confidences[None, :, None] - probabilities.reshape(shape)
    falls: np.ndarray = np.abs(change) / unit_of(model.task)[1] if model.task.kind == "number" else change
    return falls


def mean(values: np.ndarray) -> Interval:
    """Return the mean of values ``(rows,)`` with its 95 % bootstrap interval."""
    rows = sparse.csr_array(np.stack([values, np.ones(len(values))], axis=1))
    return stats.interval([Tally(rows)], MEAN, resamples=2000)


def _has_words(model: Fitted, value: Value) -> bool:
    return any(text.strip() for text in model.task.texts(value))


def _removable(source: Source, answer: Answer) -> list[int]:
    return [number for number in range(len(source.words)) if number not in answer.own]


def _without(order: Sequence[int]) -> list[list[int]]:
    """Return the words to remove for each share: the first ones."""
    return [list(order[: math.ceil(share * len(order))]) for share in SHARES]


def _alone(order: Sequence[int]) -> list[list[int]]:
    """Return the words to remove for each share so that the first ones remain."""
    return [list(order[math.ceil(share * len(order)) :]) for share in SHARES]
