"""Precision, recall and F1 of each label, or of each type of fact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from headstart.report import _format as write

MOST_TYPES = 40


@dataclass(frozen=True)
class TypeScore:
    """One label, or type of fact, of one contender; everything as text.

    name: the label or type.
    trained: how often the training rows have it.
    true: how often the test rows have it.
    predicted: how often it is predicted for them, the mean over seeds.
    precision: share of the predictions that are right.
    recall: share of the true ones that are predicted.
    f1: harmonic mean of the two.
    share: F1, 0 to 1, for the colour of the cell.
    """

    name: str
    trained: str
    true: str
    predicted: str
    precision: str
    recall: str
    f1: str
    share: float


@dataclass(frozen=True)
class TypeTable:
    """The labels, or types, of one contender, the most frequent in the test rows first.

    contender: its name.
    rows: at most MOST_TYPES.
    left_out: number of others.
    """

    contender: str
    rows: tuple[TypeScore, ...]
    left_out: int


Answers = Sequence[frozenset[tuple[Hashable, ...]]]


def table(contender: str, train: Answers, targets: Answers, by_seed: Sequence[Answers]) -> TypeTable:
    """Count hits, predictions and targets of each type over all seeds.

    Args:
        contender: its name.
        train: of each training row the facts, whose last part is their type.
        targets: of each test row.
        by_seed: for each seed, of each test row the predicted ones.
    """
    trained, true, predicted, hits = _count(train), _count(targets), Counter[str](), Counter[str]()
    for answers in by_seed:
        predicted += _count(answers)
        hits += _count(truth & answer for truth, answer in zip(targets, answers, strict=True))
    names = sorted(true | predicted, key=lambda name: (-true[name], -predicted[name], name))
    rows = []
    for name in names[:MOST_TYPES]:
        precision = hits[name] / predicted[name] if predicted[name] else float("nan")
        recall = hits[name] / (len(by_seed) * true[name]) if true[name] else float("nan")
        f1 = 2 * hits[name] / (predicted[name] + len(by_seed) * true[name])
        rows.append(
            TypeScore(
                name,
                trained=write.count(trained[name]),
                true=write.count(true[name]),
                predicted=write.count(predicted[name] / len(by_seed)),
                precision=write.percent(precision),
                recall=write.percent(recall),
                f1=write.percent(f1),
                share=f1,
            )
        )
    return TypeTable(contender, tuple(rows), max(0, len(names) - MOST_TYPES))


def _count(rows: Iterable[frozenset[tuple[Hashable, ...]]]) -> Counter[str]:
    return Counter(str(fact[-1]) for facts in rows for fact in facts)
