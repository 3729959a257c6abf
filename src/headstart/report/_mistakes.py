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
    """One contender's answers against the right labels, summed over its seeds.

    counts: int ``(classes, classes)``, a row for each right label, a column for each answer.
    left_out: how many rarer classes are not shown.
    """

    contender: str
    classes: tuple[str, ...]
    counts: np.ndarray
    left_out: int


@dataclass(frozen=True)
class Answer:
    """A label and who gave it: (contender, its confidence from 0 to 1, None where it states none)."""

    label: str
    right: bool
    given_by: tuple[tuple[str, float | None], ...]


@dataclass(frozen=True)
class Example:
    """A test row on which contenders disagree, with every contender's answer, the right one first."""

    id: str
    text: str
    label: str
    leaked: bool
    answers: tuple[Answer, ...]


def full_records(result: Result) -> dict[str, list[Record]]:
    """Return each contender's trials on all training rows, by seed, in the leaderboard's order."""
    most = max((r.train_rows for r in result.records), default=0)
    found = {}
    for standing in result.standings:
        trials = [r for r in result.records if (r.trial.contender, r.train_rows) == (standing.contender, most)]
        if trials:
            found[standing.contender] = sorted(trials, key=lambda r: r.trial.seed)
    return found


def confusions(result: Result) -> list[Confusion]:
    """Count each contender's answers to each right label; 'majority' is left out, as it has one answer only."""
    targets = [str(target) for target in result.splits.test.targets]
    found = []
    for contender, records in full_records(result).items():
        if contender == "majority":
            continue
        pairs = Counter(
            (target, str(said)) for r in records for target, said in zip(targets, r.predictions.values, strict=True)
        )
        frequent = Counter(targets)
        known = sorted({label for pair in pairs for label in pair}, key=lambda label: (-frequent[label], label))
        classes = tuple(sorted(known[:MOST_CLASSES]))
        counts = np.array([[pairs[right, said] for said in classes] for right in classes])
        found.append(Confusion(contender, classes, counts, max(0, len(known) - MOST_CLASSES)))
    return found


def examples(result: Result) -> list[Example]:
    """Pick test texts on which the contenders disagree most, as often with the winner right as with it wrong.

    Each contender speaks with its first seed. 'majority' is shown but does not make a disagreement, as its
    answer says nothing of the text.
    """
    first = {contender: records[0] for contender, records in full_records(result).items()}
    if len(first) < 2:
        return []
    speakers = [contender for contender in first if contender != "majority"]
    targets = [str(target) for target in result.splits.test.targets]
    said = {c: [str(value) for value in r.predictions.values] for c, r in first.items()}
    split = [row for row in range(len(targets)) if len({said[c][row] for c in speakers}) > 1]
    split.sort(key=lambda row: (-_disagreement([said[c][row] for c in speakers]), row))
    winner = said[speakers[0]] if speakers else []
    right = [row for row in split if winner[row] == targets[row]]
    wrong = [row for row in split if winner[row] != targets[row]]
    half = MOST_EXAMPLES // 2
    shown = right[: max(half, MOST_EXAMPLES - len(wrong))] + wrong[: max(half, MOST_EXAMPLES - len(right))]
    return [_example(result, row, said, first) for row in sorted(shown[:MOST_EXAMPLES], key=split.index)]


def _disagreement(answers: Sequence[str]) -> float:
    """Return the chance that two speakers drawn at random give different answers (0 to 1)."""
    shares = np.array(list(Counter(answers).values())) / len(answers)
    return float(1 - np.sum(shares**2))


def _example(result: Result, row: int, said: Mapping[str, Sequence[str]], first: Mapping[str, Record]) -> Example:
    test = result.splits.test
    target = str(test.targets[row])
    labels = sorted({answers[row] for answers in said.values()}, key=lambda label: (label != target, label))
    answers = tuple(
        Answer(
            label,
            label == target,
            tuple((c, _confidence(first[c], row)) for c, given in said.items() if given[row] == label),
        )
        for label in labels
    )
    return Example(test.ids[row], str(test.inputs[row]), target, test.ids[row] in result.splits.leaked, answers)


def _confidence(record: Record, row: int) -> float | None:
    probabilities = record.predictions.probabilities
    return None if probabilities is None else float(probabilities[row].max())
