"""Scores by the values of a column: a table for the page, and a sentence about the winner's best and worst value."""

from __future__ import annotations

from dataclasses import dataclass

from headstart.contest.rank import LEVEL, winner
from headstart.contest.subsets import FEWEST_ROWS, distance
from headstart.core.contracts import Value
from headstart.core.errors import shown
from headstart.core.results import Interval, Result, SubsetScore, deciding
from headstart.metrics import format as form
from headstart.report import _format as write


@dataclass(frozen=True)
class SubsetLine:
    """The test rows with one value; everything as text.

    value: the value.
    trained: number of training rows with it; '' if the training rows lack the column.
    tested: number of test rows with it.
    cells: of each contender the score, the difference from its score on all other rows, and 'better' or 'worse' if
        there is evidence of a difference.
    """

    value: str
    trained: str
    tested: str
    cells: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class SubsetView:
    """What by.html shows.

    column: name of the column.
    sentences: about the winner.
    contenders: in leaderboard order.
    lines: one per value, the most frequent first.
    trained: whether the numbers of training rows are known.
    least: rows that a score needs.
    """

    column: str
    sentences: tuple[str, ...]
    contenders: tuple[str, ...]
    lines: tuple[SubsetLine, ...]
    trained: bool
    least: int


def view(result: Result) -> SubsetView | None:
    """Return the table of scores by the values of a column; None if no column was named."""
    by = result.by
    if by is None:
        return None
    metric = deciding(result)
    cells = {(cell.contender, cell.value): cell for cell in by.scores}
    contenders = tuple(standing.contender for standing in result.standings)

    def worded(cell: SubsetScore) -> tuple[str, str, str]:
        score = form.plus_minus(metric, cell.score) if cell.score else "–"
        difference = form.signed(metric, cell.difference) if cell.difference else ""
        return score, difference, _side(cell)

    lines = tuple(
        SubsetLine(
            value,
            write.count(by.train_rows.get(value, 0)) if by.train_rows else "",
            write.count(rows),
            tuple(worded(cells[contender, value]) for contender in contenders),
        )
        for value, rows in by.test_rows.items()
    )
    return SubsetView(by.column, sentences(result), contenders, lines, bool(by.train_rows), FEWEST_ROWS)


def sentences(result: Result) -> tuple[str, ...]:
    """Say on which values the winner is best and worst; nothing if no column was named."""
    by = result.by
    if by is None:
        return ()
    metric, leader = deciding(result), winner(result.standings).contender
    scored = [(metric.sign * cell.score.value, cell) for cell in by.scores if cell.contender == leader and cell.score]
    scored.sort(key=lambda pair: pair[0])
    if len(scored) < 2:
        count = "only one value" if scored else "no value"
        return (f"By {by.column}: {count} has the {FEWEST_ROWS} test rows that a score needs.",)
    (_, worst), (_, best) = scored[0], scored[-1]

    def place(cell: SubsetScore) -> str:
        score = form.plus_minus(metric, cell.score) if cell.score else ""
        return f"{shown(cell.value)} ({score} on {write.plural(cell.rows, 'row')})"

    sentence = f"By {by.column}: {metric.name} of {leader} is best on {place(best)} and worst on {place(worst)}"
    if worst.difference:
        sentence += ", " + distance(
            worst.difference,
            metric,
            "above all other rows",
            "below all other rows" if metric.higher else "worse than on all other rows",
        )
        if not _side(worst):
            sentence += ", which is no evidence of a difference"
    return (sentence + ".",)


def lines(result: Result) -> list[dict[str, Value]]:
    """Return one dictionary per contender and value, in leaderboard order, with None where there are too few rows."""
    return [
        {
            "contender": cell.contender,
            "value": cell.value,
            "rows": cell.rows,
            **_spread("score", "", cell.score),
            **_spread("difference", "difference_", cell.difference),
            "p_value": cell.p_value,
        }
        for cell in (result.by.scores if result.by else ())
    ]


def _spread(name: str, prefix: str, interval: Interval | None) -> dict[str, Value]:
    """Return an estimate and the ends of its interval under three keys; None for each without one."""
    value, low, high = (interval.value, interval.low, interval.high) if interval else (None, None, None)
    return {name: value, f"{prefix}low": low, f"{prefix}high": high}


def _side(cell: SubsetScore) -> str:
    """Return whether there is evidence that a score is better or worse than on all other rows; '' for none."""
    if cell.difference is None or cell.p_value is None or cell.p_value > LEVEL:
        return ""
    return "better" if cell.difference.value > 0 else "worse"
