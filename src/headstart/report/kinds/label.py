"""One label a text: how well probabilities are calibrated, and which labels are confused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from markupsafe import Markup

from headstart.core.abstain import confidence_of
from headstart.core.records import Predictions, Record
from headstart.core.results import Result
from headstart.metrics import calibration
from headstart.metrics.temperature import tempered
from headstart.report import _format as write
from headstart.report import plots
from headstart.report._mistakes import Example, examples, full_records

MOST_CLASSES = 20


@dataclass(frozen=True)
class Reliability:
    """The calibration of one contender.

    contender: its name.
    error: expected calibration error with its interval, as text.
    before: the same without the temperature; '' without one.
    temperature: as text.
    aurc: area under the curve of risk by coverage, as text; '' in records of earlier versions.
    thresholds: whether each class has a threshold.
    figure: an SVG element.
    """

    contender: str
    error: str
    before: str
    temperature: str
    aurc: str
    thresholds: bool
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
    coverage: Markup | None
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
    """Return calibration, accuracy by coverage, disagreements and confusion of the contenders on all training rows."""
    return LabelView(_reliability(result), _coverage(result), tuple(examples(result)), confusions(result))


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
    records = full_records(result)
    shown = []
    for place, standing in enumerate(result.standings):
        name, error = standing.contender, standing.calibration_error
        bins = result.reliability.get(name, ())
        if name == "majority" or error is None or not any(rows for *_, rows in bins):
            continue
        team = records.get(name, [])
        # Records of earlier versions have less.
        known = bool(team) and all("aurc" in record.calibration for record in team)
        scores = [record.calibration for record in team] if known else []
        changed = any(each["temperature"] != 1 for each in scores)
        before = _bins_before(team, result.splits.test.targets) if changed else ()
        shown.append(
            Reliability(
                name,
                _error(scores, "ece") if known else write.percent(error),
                _error(scores, "ece_before") if changed else "",
                ", ".join(f"{each['temperature']:.2f}" for each in scores) if changed else "",
                write.percent(fmean(each["aurc"] for each in scores)) if known else "",
                any("thresholds" in each for each in scores),
                # Safe HTML: plots escapes what it writes, and no text from the data enters a figure.
                Markup(plots.reliability(name, place, bins, before)),
            )
        )
    return tuple(shown)


def _error(scores: Sequence[Mapping[str, float]], name: str) -> str:
    """Write a calibration error with its interval, means over seeds."""
    value, low, high = (100 * fmean(each[f"{name}{end}"] for each in scores) for end in ("", "_low", "_high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _bins_before(team: Sequence[Record], targets: Sequence[str]) -> tuple[tuple[float, float, int], ...]:
    """Return the reliability of a contender's probabilities without their temperatures, over all its seeds."""
    values = tuple(value for record in team for value in record.predictions.values)
    probabilities = [
        tempered(record.predictions.probabilities, 1 / record.calibration["temperature"])
        for record in team
        if record.predictions.probabilities is not None
    ]
    pooled = Predictions(values, team[0].predictions.classes, np.concatenate(probabilities))
    return calibration.reliability(pooled, tuple(targets) * len(team))


def _coverage(result: Result) -> Markup | None:
    """Draw the accuracy of each contender on its most confident test texts, over all its seeds."""
    curves = {}
    for name, team in full_records(result).items():
        if name == "majority" or any(record.predictions.probabilities is None for record in team):
            continue
        right = [np.array(record.predictions.values) == np.array(result.splits.test.targets) for record in team]
        confidence = [confidence_of(record.predictions) for record in team]
        curves[name] = calibration.by_coverage(np.concatenate(confidence), np.concatenate(right))
    if not curves:
        return None
    return Markup(plots.coverage(curves, [standing.contender for standing in result.standings]))
