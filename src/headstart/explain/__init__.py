"""Why a model gives an answer, as far as single words say it.

Each file of a method says what its attributions mean. No method is right by itself: `faithfulness` measures, on rows of
a person's own, how well each one finds the words that a model needs.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headstart.core.contracts import Fitted, Value
from headstart.core.errors import UsageError, did_you_mean, shown

if TYPE_CHECKING:
    from headstart.explain._words import WordScores
    from headstart.explain.answers import Answer, Source
    from headstart.explain.explanation import Explanation

Method = Callable[[Fitted, "Sequence[Source]", "Sequence[Answer]"], "list[WordScores]"]
METHODS = ("contributions", "integrated-gradients", "gradient-x-input", "occlusion")


def methods(model: Fitted) -> tuple[str, ...]:
    """Return the methods that a model has; the first one is used unless another one is named."""
    return (
        *(("contributions",) if model.has_contributions else ()),
        *(("integrated-gradients", "gradient-x-input") if model.has_gradients else ()),
        "occlusion",
    )


def check_method(method: str, known: Sequence[str] = METHODS) -> None:
    """Make sure that there is a method of this name.

    Raises:
        UsageError: there is none.
    """
    if method not in known:
        raise UsageError(f"no method {shown(method)}; {did_you_mean(method, known)}")


def explain(
    model: Fitted, inputs: Sequence[Value], *, method: str | None = None, name: str | None = None
) -> tuple[Explanation, ...]:
    """Return what each word of some inputs adds to what a model predicts for them.

    Each input has one explanation, or one for each of several labels or facts; an input without facts has none.

    Args:
        model: the model.
        inputs: what its task reads; for classification texts.
        method: one of :func:`methods`; None for the first one.
        name: the class to explain instead of the predicted one; of facts, their type. None for what is predicted.

    Raises:
        UsageError: the model does not have this method or class.
        DataError: an input without words.
    """
    import numpy as np

    from headstart.explain.answers import Reduced, Source, find, judge
    from headstart.explain.explanation import Explanation, Word

    chosen = methods(model)[0] if method is None else method
    check_method(chosen)
    if chosen not in methods(model):
        raise UsageError(f"the method {shown(chosen)} is not one of this model's; it has {', '.join(methods(model))}.")
    task = model.task
    sources = [Source.of(task, value) for value in inputs]
    predictions = model.predict(inputs)
    answers = find(task, sources, predictions, name)
    if not answers:
        return ()
    asked = [Reduced(sources[answer.aim.row], answer, ()) for answer in answers]
    rows = np.array([answer.aim.row for answer in answers], dtype=np.int64)
    ends = np.cumsum([0, *(len(source.words) for source in sources)])
    _, confidences = judge(task.kind, asked, predictions, rows, ends)
    attribute: Method = importlib.import_module(f"headstart.explain.{chosen.replace('-', '_')}").attribute
    found = attribute(model, sources, answers)
    explanations = []
    for answer, confidence, scores in zip(answers, confidences.tolist(), found, strict=True):
        source, own = sources[answer.aim.row], set(answer.own)
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
                chosen,
                words,
                scores.score,
                scores.base,
            )
        )
    return tuple(explanations)
