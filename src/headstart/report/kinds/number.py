"""Numbers: how far predictions are off, over the true number, and the texts on which the best contender is worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from headstart.core.results import Result
from headstart.report import _values, plots
from headstart.report._mistakes import full_records

MOST_ROWS = 12


@dataclass(frozen=True)
class ErrorLine:
    """How far one contender is off, over all seeds; everything as text, in the unit of the targets.

    contender: its name.
    bias: mean of prediction minus target.
    median: half of the predictions are at most so far off.
    most: nine of ten predictions are at most so far off.
    worst: the largest error.
    spread: standard deviation of the predictions.
    """

    contender: str
    bias: str
    median: str
    most: str
    worst: str
    spread: str


@dataclass(frozen=True)
class Residuals:
    """The errors of one contender over the target, an SVG element."""

    contender: str
    figure: Markup


@dataclass(frozen=True)
class WorstRow:
    """A test row on which the best contender is far off; numbers as text.

    id: the row's id.
    text: its input as text.
    target: the true number.
    leaked: whether the text also occurs in the training data.
    answers: (contender, its prediction, prediction minus target with a sign), in the leaderboard's order.
    """

    id: str
    text: str
    target: str
    leaked: bool
    answers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class NumberView:
    """What number.html shows.

    lines: of each contender.
    spread: standard deviation of the targets of the test rows, as text.
    residuals: of each contender but 'majority'.
    binned: whether they show groups of rows, not rows.
    worst: the worst rows of `best`, the worst first.
    best: the best contender.
    """

    lines: tuple[ErrorLine, ...]
    spread: str
    residuals: tuple[Residuals, ...]
    binned: bool
    worst: tuple[WorstRow, ...]
    best: str

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return (anchor, title) of each section, in the page's order."""
        return ("residuals", "Errors"), ("worst", "Worst predictions")


def view(result: Result) -> NumberView:
    """Return errors and worst rows of the contenders on all training rows."""
    targets = np.asarray(result.splits.test.targets, dtype=np.float64)
    seeds = {
        name: np.asarray([record.predictions.values for record in records], dtype=np.float64)  # (seeds, rows)
        for name, records in full_records(result).items()
    }
    order = [standing.contender for standing in result.standings]
    best = next((name for name in seeds if name != "majority"), next(iter(seeds)))
    return NumberView(
        tuple(_line(name, values, targets) for name, values in seeds.items()),
        _values.number(_rounded(float(targets.std()))),
        tuple(
            # Safe HTML: plots escapes what it writes, and no text from the data enters a figure.
            Residuals(
                name, Markup(plots.residuals(name, order.index(name), targets, values[0], _range(seeds, targets)))
            )
            for name, values in seeds.items()
            if name != "majority"
        ),
        len(targets) > plots.MOST_DOTS,
        _worst(result, targets, {name: values[0] for name, values in seeds.items()}, best),
        best,
    )


def _range(seeds: dict[str, np.ndarray], targets: np.ndarray) -> tuple[float, float]:
    """Return the ends of the errors' axis, the same in all figures: of groups of rows those of most errors."""
    errors = np.concatenate([values[0] - targets for name, values in seeds.items() if name != "majority"] or [targets])
    ends = (0.02, 0.98) if len(targets) > plots.MOST_DOTS else (0.0, 1.0)
    low, high = np.quantile(errors, ends)
    return float(min(low, 0.0)), float(max(high, 0.0))


def _line(contender: str, values: np.ndarray, targets: np.ndarray) -> ErrorLine:
    errors = values - targets
    median, most, worst = np.quantile(np.abs(errors), (0.5, 0.9, 1.0))
    bias = float(errors.mean())
    return ErrorLine(
        contender,
        _signed(bias),
        *(_values.number(_rounded(float(value))) for value in (median, most, worst, values.std(axis=1).mean())),
    )


def _worst(result: Result, targets: np.ndarray, first: dict[str, np.ndarray], best: str) -> tuple[WorstRow, ...]:
    """Pick the test rows with the largest errors of the best contender, first seed."""
    test = result.splits.test
    rows: Sequence[int] = np.argsort(-np.abs(first[best] - targets), kind="stable")[:MOST_ROWS].tolist()
    return tuple(
        WorstRow(
            test.ids[row],
            _values.shown_input(result.rules, test.inputs[row]),
            _values.number(float(targets[row])),
            test.ids[row] in result.splits.leaked,
            tuple(
                (
                    name,
                    _values.number(float(f"{values[row]:.{_values.FIGURES}g}")),
                    _signed(float(values[row] - targets[row])),
                )
                for name, values in first.items()
            ),
        )
        for row in rows
    )


def _rounded(value: float) -> float:
    """Round a computed number to three significant figures."""
    return float(f"{value:.3g}")


def _signed(value: float) -> str:
    text = _values.number(_rounded(value))
    return text if text == "0" or value < 0 else f"+{text}"
