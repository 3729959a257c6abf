"""What is checked and settled about the targets of a table, by the kind of the task."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from headstart.core.contracts import Kind, Value
from headstart.core.errors import DataError, shown
from headstart.data import _labels

# How a row that sums up others begins, in the languages of spreadsheets, with at most a number behind it.
TOTAL = re.compile(
    r"((grand |sub)?totals?|sum|count|average|gesamt|summe|insgesamt|total général|total general|totale|totaal|suma"
    r"|razem|итого|всего|toplam|合计|总计|總計|合計|합계|총계|المجموع)[\s:：=]*[\d.,]*( rows| records)?[.:]?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Read:
    """The targets of a table as they were read.

    name: of the table.
    column: that they were read from.
    targets: one per row.
    last: line and text of the last row.
    ends: whether no row was rejected after the last one.
    known: the labels of the training rows; empty when these are read.
    training: whether these are the training rows.
    """

    name: str
    column: str
    targets: list[Value]
    last: tuple[int, str]
    ends: bool
    known: tuple[str, ...]
    training: bool


def settled(kind: Kind, read: Read) -> tuple[list[Value], list[str]]:
    """Return the targets with their final names, and warnings about them.

    Raises:
        DataError: targets that no model can learn from.
    """
    return SETTLED[kind](read) if kind in SETTLED else (read.targets, [])


def fault(kind: Kind) -> Callable[[Value], str] | None:
    """Return a function that says why a row's target cannot be used, or ''; None if every target of the kind can."""
    return FAULTS.get(kind)


def known(kind: Kind, targets: Sequence[Value]) -> tuple[str, ...]:
    """Return the labels among targets, sorted; none for kinds that have other targets."""
    return tuple(sorted(set(targets))) if kind == "label" else ()


def several(labels: _labels.SeveralLabels, where: str) -> DataError:
    """Return the error for a row with several labels where one is expected."""
    return DataError(
        f"{where} has several labels ({labels}): texts with several labels are for the task 'multilabel' (--task "
        "multilabel); give one label for each row."
    )


def _one_label(read: Read) -> tuple[list[Value], list[str]]:
    """Name the classes, and add warnings about uncertain ones."""
    warnings = _total(read)
    try:
        labels = _labels.without_brackets(read.targets)
    except _labels.SeveralLabels as more:
        raise several(more, read.name) from None
    if read.training:
        labels, renamed = _labels.named_alike(labels, read.column)
        warnings += _check_labels(read.name, read.column, labels)
    else:
        labels, renamed = _labels.named_like(labels, read.column, read.known)
    return labels, [*warnings, *renamed, *_labels.doubts(labels, read.known)]


def _not_finite(target: Value) -> str:
    finite = isinstance(target, int | float) and math.isfinite(target)
    return "" if finite else f"has {shown(target)} where a finite number is expected"


SETTLED: Mapping[Kind, Callable[[Read], tuple[list[Value], list[str]]]] = {"label": _one_label}
FAULTS: Mapping[Kind, Callable[[Value], str]] = {"number": _not_finite}


def _total(read: Read) -> list[str]:
    """Warn where the last row looks like one that sums up the others."""
    line, text = read.last
    if not read.ends or not TOTAL.fullmatch(text.strip()) or read.targets.count(read.targets[-1]) > 1:
        return []
    return [
        f"line {line} of {read.name}, {shown(text)} with the label {shown(read.targets[-1])}, looks like a total below "
        "the table, but counts as a row: delete it if it is one."
    ]


def _check_labels(name: str, column: str, labels: Sequence[str]) -> list[str]:
    """Return warnings about classes of one row.

    Raises:
        DataError: one class, or nearly as many as there are rows.
    """
    counts = Counter(labels)
    if len(counts) == 1:
        raise DataError(
            f"all {len(labels)} rows of {name} have the label {shown(labels[0])}; at least two classes are needed."
        )
    if len(labels) >= 20 and len(counts) > len(labels) / 2:
        raise DataError(
            f"column {shown(column)} of {name} has {len(counts)} different values in {len(labels)} rows: "
            "that is no class label. Say --label NAME."
        )
    return [
        f"class {shown(label)} has one example: it is used for training, and no score can measure it."
        for label, count in sorted(counts.items())
        if count == 1
    ]
