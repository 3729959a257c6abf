"""Scores by the values of a column of the test rows, such as a language, from predictions that exist already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.contest import rank
from headstart.core.contracts import Task
from headstart.core.errors import shown
from headstart.core.records import NO_VALUE, Finding, Record, Rows, Splits
from headstart.core.results import Interval, Shift, SubsetScore, SubsetScores
from headstart.core.tally import Metric, Tally
from headstart.metrics import format as form
from headstart.metrics import stats
from headstart.metrics.contrast import contrast

FEWEST_ROWS = 20
NAMED = 5  # values listed in a sentence


@dataclass(frozen=True)
class _Scored:
    """A contender's tallies of the test rows.

    rows: the test rows.
    seeds: one tally per seed.
    """

    rows: Rows
    seeds: Sequence[Tally]
    metric: Metric

    def take(self, places: np.ndarray) -> _Scored:
        seeds = [replace(tally, rows=tally.rows[places]) for tally in self.seeds]
        return _Scored(self.rows.take(places), seeds, self.metric)

    def score(self, here: np.ndarray) -> Interval | None:
        """Return the score on some rows; None if they are too few.

        Args:
            here: bool ``(rows,)``.
        """
        if here.sum() < FEWEST_ROWS:
            return None
        some = self.take(np.flatnonzero(here))
        return stats.interval(some.seeds, self.metric, groups=stats.group_numbers(some.rows))

    def contrast(self, here: np.ndarray) -> stats.Comparison | None:
        """Compare the score on some rows with that on the others; None if either are too few."""
        if min(here.sum(), (~here).sum()) < FEWEST_ROWS:
            return None
        return contrast(self.seeds, self.metric, here, groups=stats.group_numbers(self.rows))


def scores(
    column: str, records: Sequence[Record], order: Sequence[str], splits: Splits, task: Task, metric: Metric
) -> SubsetScores:
    """Score each contender on the test rows of each value of a column, and compare it with the other test rows.

    Args:
        column: its name.
        records: of any sizes; only those on all training rows count here.
        order: the contenders, the winner first.
        splits: the split of the data, whose test rows have subsets.
        task: of these rows.
        metric: the score that decides.
    """
    teams, test = rank.full_size(records), splits.test
    test_rows = dict(sorted(Counter(test.subsets).items(), key=lambda item: (-item[1], item[0])))
    train_rows = dict(Counter(splits.train.subsets))
    values = np.array(test.subsets, dtype=object)
    cells = []
    compared: list[float] = []
    for name in order:
        scored = _Scored(test, [task.tally(record.predictions, test.targets) for record in teams[name]], metric)
        for value, count in test_rows.items():
            here = values == value
            found = scored.contrast(here)
            compared += [found.p_value] if found else []
            difference, p_value = (found.difference, found.p_value) if found else (None, None)
            cells.append(SubsetScore(name, value, count, scored.score(here), difference, p_value))
        if name == order[0]:
            shift = _shift(name, scored, test_rows, train_rows)
    corrected = iter(stats.holm(compared))
    return SubsetScores(
        column,
        test_rows,
        train_rows,
        tuple(cell if cell.p_value is None else replace(cell, p_value=next(corrected)) for cell in cells),
        shift,
    )


def distance(difference: Interval, metric: Metric, more: str, less: str) -> str:
    """Word a difference of which a positive value is better, whatever the metric, with its interval.

    >>> points = Metric("accuracy", abs)
    >>> distance(Interval(-0.05, -0.07, -0.03), points, "above the rest", "below the rest")
    '5.0 points below the rest (95 % interval 3.0 to 7.0)'
    """
    side, size = (more, difference) if difference.value >= 0 else (less, _negative(difference))
    return f"{form.difference(metric, size.value, size)} {side} (95 % interval {form.ends(metric, size)})"


def _negative(interval: Interval) -> Interval:
    return Interval(-interval.value, -interval.high, -interval.low)


def _shift(
    contender: str, scored: _Scored, test_rows: Mapping[str, int], train_rows: Mapping[str, int]
) -> Shift | None:
    """Compare the rows with values that training rows have with the others; rows without a value are neither."""
    new = tuple(value for value in test_rows if value not in train_rows and value != NO_VALUE)
    if not train_rows or not new:
        return None
    scored = scored.take(np.flatnonzero([value != NO_VALUE for value in scored.rows.subsets]))
    seen = np.array([value in train_rows for value in scored.rows.subsets])
    compared = scored.contrast(seen)
    return Shift(
        contender,
        scored.score(seen),
        scored.score(~seen),
        compared.difference if compared else None,
        new,
        int((~seen).sum()),
    )


def findings(by: SubsetScores, metric: Metric) -> tuple[Finding, ...]:
    """Say which values of the column no training row has, and how much that costs the winner."""
    if not by.train_rows:
        sentence = (
            f"The training rows have no column {shown(by.column)}, so it is unknown which of its values they contain "
            "and how scores differ on others."
        )
        return (Finding("shift", "note", 0, 0.0, sentence),)
    shift = by.shift
    if shift is None:
        return (Finding("shift", "fine", 0, 0.0, f"Training rows have every {by.column} that the test rows have."),)
    total = sum(by.test_rows.values())
    named = ", ".join(map(shown, shift.values[:NAMED]))
    more = f" and {len(shift.values) - NAMED} more" if len(shift.values) > NAMED else ""
    sentence = f"No training row has the {by.column} {named}{more} of {shift.rows:,} of {total:,} test rows: "
    if shift.seen is None or shift.unseen is None or shift.drop is None:
        sentence += f"fewer than {FEWEST_ROWS} rows with these values or with others, so no drop can be measured."
        return (Finding("shift", "note", shift.rows, shift.rows / total, sentence),)
    change = distance(_negative(shift.drop), metric, "better", "worse")
    if shift.drop.low <= 0 <= shift.drop.high:
        change += ", which is no evidence of a difference"
    sentence += (
        f"{shift.contender} scores {metric.name} {form.plus_minus(metric, shift.seen)} on the values that it was "
        f"trained on and {form.plus_minus(metric, shift.unseen)} on these, {change}."
    )
    severity = "warning" if shift.drop.low > 0 else "note"
    return (Finding("shift", severity, shift.rows, shift.rows / total, sentence),)
