"""The test rows on which contenders disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.core.records import Record
from headstart.core.results import Result
from headstart.report._values import shown_answer, shown_input

MOST_EXAMPLES = 16


@dataclass(frozen=True)
class Answer:
    """A predicted value and the contenders that predicted it.

    label: the predicted value as text.
    right: whether it is the true one.
    given_by: (contender, its confidence from 0 to 1, or None if it gives no probabilities).
    """

    label: str
    right: bool
    given_by: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class Example:
    """A test row on which contenders disagree.

    id: the row's id.
    text: its input as text.
    label: its true value as text.
    leaked: whether the text also occurs in the training data.
    answers: the predicted values, the true one first.
    """

    id: str
    text: str
    label: str
    leaked: bool
    answers: tuple[Answer, ...]


def full_records(result: Result) -> dict[str, list[Record]]:
    """Return each contender's trials on all training rows, sorted by seed, in the leaderboard's order."""
    most = max((r.train_rows for r in result.records), default=0)
    by_contender = {}
    for standing in result.standings:
        trials = [r for r in result.records if (r.trial.contender, r.train_rows) == (standing.contender, most)]
        if trials:
            by_contender[standing.contender] = sorted(trials, key=lambda r: r.trial.seed)
    return by_contender


def examples(result: Result) -> list[Example]:
    """Pick the test rows on which the contenders disagree most; the winner is right on half of them.

    Each contender is represented by its first seed. 'majority' is shown but does not count as disagreement, since its
    prediction does not depend on the text.
    """
    first = {contender: records[0] for contender, records in full_records(result).items()}
    if len(first) < 2:
        return []
    voters = [contender for contender in first if contender != "majority"]
    test = result.splits.test
    targets = _written(result, test.targets)
    labels = {c: _written(result, r.predictions.values) for c, r in first.items()}
    split = [row for row in range(len(targets)) if len({labels[c][row] for c in voters}) > 1]
    split.sort(key=lambda row: (-_disagreement([labels[c][row] for c in voters]), row))
    winner = labels[voters[0]] if voters else []
    right = [row for row in split if winner[row] == targets[row]]
    wrong = [row for row in split if winner[row] != targets[row]]
    half = MOST_EXAMPLES // 2
    shown = right[: max(half, MOST_EXAMPLES - len(wrong))] + wrong[: max(half, MOST_EXAMPLES - len(right))]
    return [
        _example(result, row, targets[row], labels, first) for row in sorted(shown[:MOST_EXAMPLES], key=split.index)
    ]


def _written(result: Result, answers: Sequence[object]) -> list[str]:
    """Return answers to the test rows as text."""
    inputs = result.splits.test.inputs
    return [shown_answer(result.rules, answer, value) for answer, value in zip(answers, inputs, strict=True)]


def _disagreement(answers: Sequence[str]) -> float:
    """Return the probability that two answers drawn at random differ (0 to 1)."""
    shares = np.array(list(Counter(answers).values())) / len(answers)
    return float(1 - np.sum(shares**2))


def _example(
    result: Result, row: int, target: str, predicted: Mapping[str, Sequence[str]], first: Mapping[str, Record]
) -> Example:
    test = result.splits.test
    labels = sorted({answers[row] for answers in predicted.values()}, key=lambda label: (label != target, label))
    answers = tuple(
        Answer(
            label,
            label == target,
            tuple((c, _confidence(result, first[c], row)) for c, answers in predicted.items() if answers[row] == label),
        )
        for label in labels
    )
    text = shown_input(result.rules, test.inputs[row])
    return Example(test.ids[row], text, target, test.ids[row] in result.splits.leaked, answers)


def _confidence(result: Result, record: Record, row: int) -> float | None:
    given = record.predictions
    if given.probabilities is None or result.rules.kind != "label":
        return None
    return float(given.probabilities[row, given.classes.index(given.values[row])])
