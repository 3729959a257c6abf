"""Facts such as entities: each type's precision and recall, new and known ones, and what kinds of error there are."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import product

from headstart.core.contracts import Task, Value
from headstart.core.results import Result
from headstart.report import _format as write
from headstart.report._mistakes import Example, examples, full_records
from headstart.report._values import fact_parts, spans
from headstart.report.kinds._types import TypeTable, table

Fact = tuple[Hashable, ...]
Facts = frozenset[Fact]
FOUND, TYPE, PLACE, BOTH, MISSED, SPURIOUS = range(6)


@dataclass(frozen=True)
class ErrorLine:
    """What one contender does with the facts of the test texts, over all seeds; everything as text.

    contender: its name.
    found: share of the true facts that are predicted exactly.
    wrong_type: share of those in the right place with another type.
    wrong_place: share of those with the right type, in a place that only overlaps.
    both: share of those in a place that only overlaps, with another type.
    missed: share of those with no prediction in their place.
    spurious: share of the predictions that are in no true fact's place.
    known: share that is found of the facts that are in the training texts too.
    new: share that is found of the others.
    """

    contender: str
    found: str
    wrong_type: str
    wrong_place: str
    both: str
    missed: str
    spurious: str
    known: str
    new: str


@dataclass(frozen=True)
class FactsView:
    """What facts.html shows.

    true: number of true facts in the test texts, as text.
    known: number of those that are in the training texts too, as text.
    new: number of the others, as text.
    """

    lines: tuple[ErrorLine, ...]
    true: str
    known: str
    new: str
    tables: tuple[TypeTable, ...]
    examples: tuple[Example, ...]

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return (anchor, title) of each section, in the page's order."""
        return (
            ("errors", "Errors"),
            ("by-type", "Type by type"),
            *((("mistakes", "Mistakes"),) if self.examples else ()),
        )


def view(result: Result) -> FactsView:
    """Return errors, types and disagreements of the contenders on all training rows."""
    splits = result.splits
    train, targets = _facts(splits.train.targets), _facts(splits.test.targets)
    names = {
        name for value, facts in zip(splits.train.inputs, train, strict=True) for name in _names(result, value, facts)
    }
    known = _known(result, targets, names)
    seeds = {
        name: [_facts(record.predictions.values) for record in records]
        for name, records in full_records(result).items()
        if name != "majority"
    }
    total, seen = sum(map(len, targets)), sum(map(len, known))
    return FactsView(
        tuple(_line(name, targets, known, by_seed) for name, by_seed in seeds.items()),
        write.count(total),
        write.count(seen),
        write.count(total - seen),
        tuple(table(name, train, targets, by_seed) for name, by_seed in seeds.items()),
        tuple(examples(result)),
    )


def errors(truth: Facts, answer: Facts) -> list[int]:
    """Count what happens to the facts of one row, after the error types of SemEval-2013 task 9.1.

    Each true fact is matched with at most one predicted fact, and each predicted one with at most one true: first with
    the same fact, then with one in the same place, then with one that overlaps and has the same type, then with any
    that overlaps.

    Returns:
        numbers of true facts that are found, of a wrong type, in a wrong place, both, and missed; and of spurious
        predictions.

    >>> truth = frozenset({(0, 4, "PER"), (8, 12, "LOC"), (20, 30, "ORG")})
    >>> errors(truth, frozenset({(0, 4, "LOC"), (8, 10, "LOC"), (40, 44, "PER")}))
    [0, 1, 1, 0, 1, 1]
    """
    counts = [len(truth & answer), 0, 0, 0, 0, 0]
    true, given = (sorted(facts, key=str) for facts in (truth - answer, answer - truth))
    for error in (TYPE, PLACE, BOTH):
        for one, other in product(list(true), list(given)):
            if one in true and other in given and _error(one, other) == error:
                true.remove(one)
                given.remove(other)
                counts[error] += 1
    counts[MISSED], counts[SPURIOUS] = len(true), len(given)
    return counts


def _error(one: Fact, other: Fact) -> int:
    """Say what is wrong with a predicted fact in view of a true one that it is not."""
    if one[:-1] == other[:-1]:
        return TYPE
    if not _overlaps(one, other):
        return SPURIOUS
    return PLACE if one[-1] == other[-1] else BOTH


def _overlaps(one: Fact, other: Fact) -> bool:
    """Say whether two facts are in part in the same place: all places overlap, or without places any part is equal."""
    places, others = spans(one), spans(other)
    if places and len(places) == len(others):
        return all(
            start < stop_too and start_too < stop
            for (start, stop), (start_too, stop_too) in zip(places, others, strict=True)
        )
    return not places and not others and bool(set(one[:-1]) & set(other[:-1]))


def _line(
    contender: str, targets: Sequence[Facts], known: Sequence[Facts], by_seed: Sequence[Sequence[Facts]]
) -> ErrorLine:
    counts, predicted, old, new = [0] * 6, 0, 0, 0
    for answers in by_seed:
        for truth, familiar, answer in zip(targets, known, answers, strict=True):
            counts = [count + more for count, more in zip(counts, errors(truth, answer), strict=True)]
            predicted += len(answer)
            old += len(familiar & answer)
            new += len((truth - familiar) & answer)
    total, seen = (len(by_seed) * sum(map(len, rows)) for rows in (targets, known))
    return ErrorLine(
        contender,
        found=_share(counts[FOUND], total),
        wrong_type=_share(counts[TYPE], total),
        wrong_place=_share(counts[PLACE], total),
        both=_share(counts[BOTH], total),
        missed=_share(counts[MISSED], total),
        spurious=_share(counts[SPURIOUS], predicted),
        known=_share(old, seen),
        new=_share(new, total - seen),
    )


def _share(count: int, total: int) -> str:
    return write.percent(count / total) if total else "–"


def _facts(rows: Sequence[Value]) -> list[Facts]:
    return [frozenset(tuple(fact) for fact in facts) for facts in rows]


def _known(result: Result, targets: Sequence[Facts], names: set[Fact]) -> list[Facts]:
    """Return of each test row the facts that are in the training texts too, with the same words and type."""
    inputs = result.splits.test.inputs
    return [
        frozenset(fact for fact in facts if _name(result.rules, value, fact) in names)
        for value, facts in zip(inputs, targets, strict=True)
    ]


def _names(result: Result, value: Value, facts: Facts) -> list[Fact]:
    return [_name(result.rules, value, fact) for fact in facts]


def _name(task: Task, value: Value, fact: Fact) -> Fact:
    """Return the words of a fact and its type."""
    return *fact_parts(fact, (task.texts(value) or ("",))[0]), fact[-1]
