"""Where contenders go wrong: which labels they mix up, and the test texts on which they disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from headstart.core.records import Record
from headstart.core.results import Result

MOST_CLASSES = 20
MOST_EXAMPLES = 16


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of one contender, summed over its seeds.

    contender: its name.
    classes: the labels shown, at most MOST_CLASSES.
    counts: int ``(classes, classes)``, one row per true label, one column per predicted label.
    left_out: number of less frequent classes that are not shown.
    """

    contender: str
    classes: tuple[str, ...]
    counts: np.ndarray
    left_out: int


@dataclass(frozen=True)
class Answer:
    """A predicted label and the contenders that predicted it.

    label: the predicted label.
    right: whether it is the true label.
    given_by: (contender, its confidence from 0 to 1, or None if it gives no probabilities).
    """

    label: str
    right: bool
    given_by: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class Example:
    """A test row on which contenders disagree.

    id: the row's id.
    text: its text.
    label: its true label.
    leaked: whether the text also occurs in the training data.
    answers: the predicted labels, the true one first.
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


def confusions(result: Result) -> list[Confusion]:
    """Compute each contender's confusion matrix, without 'majority', which predicts only one label."""
    targets = [str(target) for target in result.splits.test.targets]
    matrices = []
    for contender, records in full_records(result).items():
        if contender == "majority":
            continue
        pairs = Counter(
            (target, str(value)) for r in records for target, value in zip(targets, r.predictions.values, strict=True)
        )
        frequent = Counter(targets)
        known = sorted({label for pair in pairs for label in pair}, key=lambda label: (-frequent[label], label))
        classes = tuple(sorted(known[:MOST_CLASSES]))
        counts = np.array([[pairs[target, value] for value in classes] for target in classes])
        matrices.append(Confusion(contender, classes, counts, max(0, len(known) - MOST_CLASSES)))
    return matrices


def examples(result: Result) -> list[Example]:
    """Pick the test texts on which the contenders disagree most; the winner is right on half of them.

    Each contender is represented by its first seed. 'majority' is shown but does not count as disagreement, since its
    prediction does not depend on the text.
    """
    first = {contender: records[0] for contender, records in full_records(result).items()}
    if len(first) < 2:
        return []
    voters = [contender for contender in first if contender != "majority"]
    targets = [str(target) for target in result.splits.test.targets]
    labels = {c: [str(value) for value in r.predictions.values] for c, r in first.items()}
    split = [row for row in range(len(targets)) if len({labels[c][row] for c in voters}) > 1]
    split.sort(key=lambda row: (-_disagreement([labels[c][row] for c in voters]), row))
    winner = labels[voters[0]] if voters else []
    right = [row for row in split if winner[row] == targets[row]]
    wrong = [row for row in split if winner[row] != targets[row]]
    half = MOST_EXAMPLES // 2
    shown = right[: max(half, MOST_EXAMPLES - len(wrong))] + wrong[: max(half, MOST_EXAMPLES - len(right))]
    return [_example(result, row, labels, first) for row in sorted(shown[:MOST_EXAMPLES], key=split.index)]


def _disagreement(answers: Sequence[str]) -> float:
    """Return the probability that two answers drawn at random differ (0 to 1)."""
    shares = np.array(list(Counter(answers).values())) / len(answers)
    return float(1 - np.sum(shares**2))


def _example(result: Result, row: int, predicted: Mapping[str, Sequence[str]], first: Mapping[str, Record]) -> Example:
    test = result.splits.test
    target = str(test.targets[row])
    labels = sorted({answers[row] for answers in predicted.values()}, key=lambda label: (label != target, label))
    answers = tuple(
        Answer(
            label,
            label == target,
            tuple((c, _confidence(first[c], row)) for c, answers in predicted.items() if answers[row] == label),
        )
        for label in labels
    )
    return Example(test.ids[row], str(test.inputs[row]), target, test.ids[row] in result.splits.leaked, answers)


def _confidence(record: Record, row: int) -> float | None:
    probabilities = record.predictions.probabilities
    return None if probabilities is None else float(probabilities[row].max())
