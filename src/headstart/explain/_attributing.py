"""The steps of an explanation: inputs divided into words, the answers to explain, and what each word adds to them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.core.contracts import Fitted, Value
from headstart.core.errors import UsageError
from headstart.explain._words import WordScores
from headstart.explain.answers import Answer, Reduced, Source, find, judge
from headstart.explain.explanation import Explanation, Word


@dataclass(frozen=True)
class Asked:
    """Answers to explain.

    sources: the inputs.
    answers: to these inputs, in their order.
    confidences: probability of each answer, or the number, float64 ``(answers,)``.
    """

    sources: list[Source]
    answers: list[Answer]
    confidences: np.ndarray


def prepare(model: Fitted, inputs: Sequence[Value], name: str | None = None) -> Asked:
    """Predict inputs and find the answers to explain, see `answers.find`.

    Raises:
        UsageError: the model does not have the class `name`, or writes its answers freely.
        DataError: an input without words.
    """
    if model.task.generates:
        raise UsageError(
            "this model writes its answers word by word, and no single score of them could be divided among words; "
            "explain models that choose their answers."
        )
    sources = [Source.of(model.task, value) for value in inputs]
    predictions = model.predict(inputs)
    answers = find(model.task, sources, predictions, name)
    if not answers:
        return Asked(sources, [], np.zeros(0))
    reduced = [Reduced(sources[answer.aim.row], answer, ()) for answer in answers]
    rows = np.array([answer.aim.row for answer in answers], dtype=np.int64)
    ends = np.cumsum([0, *(len(source.words) for source in sources)])
    return Asked(sources, answers, judge(model.task.kind, reduced, predictions, rows, ends)[1])


def attribute(model: Fitted, asked: Asked, method: str) -> list[WordScores]:
    """Return what each word adds to each answer by a method that the model has."""
    call: Callable[[Fitted, Sequence[Source], Sequence[Answer]], list[WordScores]]
    call = importlib.import_module(f"headstart.explain.{method.replace('-', '_')}").attribute
    return call(model, asked.sources, asked.answers)


def explained(asked: Asked, found: Sequence[WordScores], method: str) -> tuple[Explanation, ...]:
    """Return what a method found, with the words themselves."""
    explanations = []
    for answer, confidence, scores in zip(asked.answers, asked.confidences.tolist(), found, strict=True):
        source, own = asked.sources[answer.aim.row], set(answer.own)
        words = tuple(
            Word(source.texts[text][start:end], text, start, end, value, number in own)
            for number, ((text, start, end), value) in enumerate(zip(source.words, scores.values.tolist(), strict=True))
        )
        explanations.append(
            Explanation(
                answer.aim.row,
                source.texts,
                answer.name,
                answer.value,
                confidence,
                method,
                words,
                scores.score,
                scores.base,
            )
        )
    return tuple(explanations)
