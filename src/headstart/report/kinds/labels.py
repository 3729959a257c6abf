"""Several labels a text: each label's precision and recall, and how many labels are missing or too many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from headstart.core.contracts import Value
from headstart.core.results import Result
from headstart.report import _format as write
from headstart.report._mistakes import Example, examples, full_records
from headstart.report.kinds._types import Answers, TypeTable, table


@dataclass(frozen=True)
class SetLine:
    """How one contender's label sets compare with the true ones: shares of the test texts over all seeds, as text.

    contender: its name.
    exact: all labels right.
    missing: some labels missing, none too many.
    surplus: some labels too many, none missing.
    both: some missing and some too many.
    each: mean number of labels of a text.
    missing_each: mean number of missing labels of a text.
    surplus_each: mean number of labels too many of a text.
    """

    contender: str
    exact: str
    missing: str
    surplus: str
    both: str
    each: str
    missing_each: str
    surplus_each: str


@dataclass(frozen=True)
class LabelsView:
    """What labels.html shows.

    true_each: mean number of true labels of a test text, as text.
    """

    lines: tuple[SetLine, ...]
    true_each: str
    tables: tuple[TypeTable, ...]
    examples: tuple[Example, ...]

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return (anchor, title) of each section, in the page's order."""
        return (
            ("sets", "Label sets"),
            ("by-label", "Label by label"),
            *((("mistakes", "Mistakes"),) if self.examples else ()),
        )


def view(result: Result) -> LabelsView:
    """Return label sets, labels and disagreements of the contenders on all training rows."""
    train, targets = _facts(result.splits.train.targets), _facts(result.splits.test.targets)
    teams = full_records(result)
    seeds = {name: [_facts(record.predictions.values) for record in records] for name, records in teams.items()}
    return LabelsView(
        tuple(_line(name, targets, by_seed) for name, by_seed in seeds.items()),
        f"{sum(map(len, targets)) / len(targets):.2f}",
        tuple(table(name, train, targets, by_seed) for name, by_seed in seeds.items() if name != "majority"),
        tuple(examples(result)),
    )


def _line(contender: str, targets: Answers, by_seed: Sequence[Answers]) -> SetLine:
    pairs = [(truth, answer) for answers in by_seed for truth, answer in zip(targets, answers, strict=True)]
    missing = [len(truth - answer) for truth, answer in pairs]
    surplus = [len(answer - truth) for truth, answer in pairs]

    def share(holds: Iterable[bool]) -> str:
        return write.percent(sum(holds) / len(pairs))

    both = list(zip(missing, surplus, strict=True))
    return SetLine(
        contender,
        share(not less and not more for less, more in both),
        share(bool(less and not more) for less, more in both),
        share(bool(more and not less) for less, more in both),
        share(bool(less and more) for less, more in both),
        f"{sum(len(answer) for _, answer in pairs) / len(pairs):.2f}",
        f"{sum(missing) / len(pairs):.2f}",
        f"{sum(surplus) / len(pairs):.2f}",
    )


def _facts(rows: Sequence[Value]) -> list[frozenset[tuple[str]]]:
    return [frozenset((str(label),) for label in labels) for labels in rows]
