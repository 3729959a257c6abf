"""One label a text: how well probabilities are calibrated, and which labels are confused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from headstart.core.results import Result
from headstart.report import _format as write
from headstart.report import plots
from headstart.report._mistakes import Example, examples, full_records

MOST_CLASSES = 20


@dataclass(frozen=True)
class Reliability:
    """The calibration of one contender.

    contender: its name.
    error: expected calibration error, as text.
    figure: an SVG element.
    """

    contender: str
    error: str
    figure: Markup


@dataclass(frozen=True)
class ConfusionRow:
    """The texts of one true label.

    label: the true label.
    total: their number, over all seeds, as text.
    cells: for each predicted label the count, its share of the row (0 to 1), and whether it is the true label.
    """

    label: str
    total: str
    cells: tuple[tuple[int, float, bool], ...]


@dataclass(frozen=True)
class Confusion:
    """The confusion matrix of one contender, summed over its seeds.

    contender: its name.
    classes: the labels shown, at most MOST_CLASSES.
    rows: one per true label.
    left_out: number of less frequent classes that are not shown.
    """

    contender: str
    classes: tuple[str, ...]
    rows: tuple[ConfusionRow, ...]
    left_out: int


@dataclass(frozen=True)
class LabelView:
    """What label.html shows."""

    reliability: tuple[Reliability, ...]
    examples: tuple[Example, ...]
    confusions: tuple[Confusion, ...]

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return (anchor, title) of each section, in the page's order."""
        named = (
            ("calibration", "Calibration", self.reliability),
            ("mistakes", "Mistakes", self.examples),
            ("confusion", "Confusion", self.confusions),
        )
        return tuple((anchor, title) for anchor, title, content in named if content)


def view(result: Result) -> LabelView:
    """Return calibration, disagreements and confusion of the contenders on all training rows."""
    return LabelView(_reliability(result), tuple(examples(result)), confusions(result))


def confusions(result: Result) -> tuple[Confusion, ...]:
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
        rows = tuple(_row(label, place, counts[place]) for place, label in enumerate(classes))
        matrices.append(Confusion(contender, classes, rows, max(0, len(known) - MOST_CLASSES)))
    return tuple(matrices)


def _row(label: str, place: int, counts: np.ndarray) -> ConfusionRow:
    total = int(counts.sum())
    cells = ((int(count), int(count) / total if total else 0.0, column == place) for column, count in enumerate(counts))
    return ConfusionRow(label, write.count(total), tuple(cells))


def _reliability(result: Result) -> tuple[Reliability, ...]:
    order = [standing.contender for standing in result.standings]
    errors = {s.contender: s.calibration_error for s in result.standings if s.calibration_error is not None}
    return tuple(
        # Safe HTML: plots escapes what it writes, and no text from the data enters a figure.
        Reliability(name, write.percent(errors[name]), Markup(plots.reliability(name, place, result.reliability[name])))
        for place, name in enumerate(order)
        if name != "majority" and name in errors and any(rows for *_, rows in result.reliability.get(name, ()))
    )
