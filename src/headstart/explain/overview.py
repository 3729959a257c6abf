"""A model explained on rows: a few texts, words that speak for each class, and mistakes that share words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.core import seed as seeds
from headstart.core.attribution import Attention
from headstart.core.contracts import Fitted, Kind, Value
from headstart.core.records import Rows
from headstart.explain import explain
from headstart.explain.chosen import Choice, best_of, first_of
from headstart.explain.corpus import Push, Shared, pushes, shared
from headstart.explain.explanation import Explanation
from headstart.explain.faithfulness import Faithfulness

EXAMPLES = 6
ROWS = 100
TOKENS = 40  # of a text whose attention is shown


@dataclass(frozen=True)
class Example:
    """An explained answer, with the right one.

    explanation: the explanation.
    target: the right answer; None if it is not known.
    wrong: whether the explained answer is known to be wrong.
    """

    explanation: Explanation
    target: Value
    wrong: bool


@dataclass(frozen=True)
class Overview:
    """What explanations of some rows say about a model.

    kind: of its task.
    method: of attribution.
    choice: the same method, and why this one.
    rows: number of rows that were explained.
    examples: a few of them, mistakes first.
    pushes: class -> words that speak for it; see `corpus.pushes`.
    shared: mistakes that share words; see `corpus.shared`.
    measured: the methods, the most comprehensive first; empty if they were not measured.
    attention: of the first example's input; None if it is not asked for, or the model has none.
    """

    kind: Kind
    method: str
    choice: Choice
    rows: int
    examples: tuple[Example, ...]
    pushes: Mapping[str, tuple[Push, ...]]
    shared: tuple[Shared, ...]
    measured: tuple[Faithfulness, ...] = ()
    attention: Attention | None = None


def overview(
    model: Fitted,
    rows: Rows,
    *,
    choice: Choice | None = None,
    name: str | None = None,
    measured: Sequence[Faithfulness] = (),
    most_rows: int = ROWS,
    seed: int = 0,
    attention: bool = False,
) -> Overview:
    """Explain rows that are drawn at random, and collect what they have in common.

    Args:
        model: the model.
        rows: with targets, or without any.
        choice: the method that explains; None for the best of `measured`, or else for the model's first one.
        name: see `explain.explain`.
        measured: see `faithfulness.measure`.
        most_rows: number of rows that are drawn.
        seed: of the draw.
        attention: whether to compute the attention for the first example.

    Raises:
        UsageError: see `explain.explain`.
    """
    chosen = choice or (best_of(measured) if measured else first_of(model))
    order = seeds.generator(seed, "explained").permutation(len(rows))
    texts = model.task.texts
    drawn = [int(place) for place in order if any(text.strip() for text in texts(rows.inputs[place]))][:most_rows]
    found = explain(model, [rows.inputs[place] for place in drawn], method=chosen.method, name=name)
    targets = {number: rows.targets[place] for number, place in enumerate(drawn)} if rows.targets else {}
    examples = [Example(each, targets.get(each.row), _wrong(model.task.kind, each, targets)) for each in found]
    mistakes = [each for each in examples if each.wrong][: EXAMPLES // 2]
    others = [each for each in examples if not each.wrong][: EXAMPLES - len(mistakes)]
    shown = (*mistakes, *others)
    first = rows.inputs[drawn[shown[0].explanation.row]] if shown and attention else None
    return Overview(
        model.task.kind,
        chosen.method,
        chosen,
        len(drawn),
        shown,
        pushes(model.task.kind, found),
        shared(model.task.kind, found, targets) if targets else (),
        tuple(measured),
        None if first is None else model.attention(first, TOKENS),
    )


def _wrong(kind: Kind, explanation: Explanation, targets: Mapping[int, Value]) -> bool:
    """Return whether an answer is known to be wrong; numbers are not judged."""
    if explanation.row not in targets or kind == "number":
        return False
    target = targets[explanation.row]
    if kind == "label":
        return bool(explanation.value != target)
    if kind == "text":
        return explanation.value not in {str(each[0]) for each in target or (("",),)}
    return explanation.value not in map(tuple, target) if kind == "facts" else explanation.value not in target
