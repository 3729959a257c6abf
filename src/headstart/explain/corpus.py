"""What explanations of many rows have in common: words that speak for each class, and words behind mistakes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.core.contracts import Kind, Value
from headstart.explain.explanation import Explanation

MOST_WORDS = 12  # shown of each class
LEAST_ROWS = 2  # in which a word must be
TOP = 3  # words of an explanation that count as its reason
HIGHER, LOWER = "higher", "lower"


@dataclass(frozen=True)
class Push:
    """A word that speaks for a class.

    word: in lower case.
    rows: number of rows in which it was read.
    mean: of its attributions in these rows, for the class.
    """

    word: str
    rows: int
    mean: float


@dataclass(frozen=True)
class Shared:
    """Mistakes that share a word which is among the first reasons for the wrong answer.

    word: in lower case.
    mistakes: numbers of the rows.
    rows: number of all rows with the word.
    """

    word: str
    mistakes: tuple[int, ...]
    rows: int


def pushes(kind: Kind, explanations: Sequence[Explanation]) -> dict[str, tuple[Push, ...]]:
    """Return the words that speak most for each class, by their sums over all rows; for a number, higher and lower.

    Classes are those that the explanations are about: labels, or types of facts. There are none for texts.

    Args:
        kind: of the task.
        explanations: of many rows.
    """
    sums: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    rows: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in explanations if kind != "text" else ():
        name = str(each.value[-1]) if kind == "facts" else "" if kind == "number" else each.name
        seen: defaultdict[str, float] = defaultdict(float)
        for word in each.words:
            seen[word.text.lower()] += word.attribution
        for text, value in seen.items():
            sums[name][text] += value
            rows[name][text] += 1
    signs = {HIGHER: ("", 1), LOWER: ("", -1)} if kind == "number" else {name: (name, 1) for name in sorted(sums)}
    found = {}
    for shown, (name, sign) in signs.items():
        count, total = rows[name], sums[name]
        least = LEAST_ROWS if len(explanations) >= 10 * LEAST_ROWS else 1
        known = [(-sign * value, text) for text, value in total.items() if count[text] >= least and sign * value > 0]
        best = [text for _, text in sorted(known)[:MOST_WORDS]]
        found[shown] = tuple(Push(text, count[text], total[text] / count[text]) for text in best)
    return {name: words for name, words in found.items() if words}


def shared(kind: Kind, explanations: Sequence[Explanation], targets: Mapping[int, Value]) -> tuple[Shared, ...]:
    """Group the mistakes among explained labels by the words that are their first reasons, the largest groups first.

    Only groups of two mistakes or more; a mistake may be in several.

    Args:
        kind: of the task; there are groups only for labels.
        explanations: of what a model predicts for some rows.
        targets: of these rows, by number.
    """
    mistakes: defaultdict[str, list[int]] = defaultdict(list)
    rows: Counter[str] = Counter()
    for each in explanations if kind in ("label", "labels") else ():
        rows.update({word.text.lower() for word in each.words})
        target = targets[each.row]
        right = each.value == target if kind == "label" else each.value in target
        if not right:
            for name in dict.fromkeys(word.text.lower() for word in each.top[:TOP] if any(map(str.isalnum, word.text))):
                mistakes[name].append(each.row)
    groups = [Shared(word, tuple(numbers), rows[word]) for word, numbers in mistakes.items() if len(numbers) > 1]
    return tuple(sorted(groups, key=lambda group: (-len(group.mistakes), group.rows, group.word))[:MOST_WORDS])
