"""Texts: the best and the worst answers side by side, what written texts are like, and the score by length."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headstart.core.records import Predictions
from headstart.core.results import Result, deciding
from headstart.core.tally import Metric, Tally
from headstart.metrics import format as form
from headstart.metrics.likelihood import RANKED
from headstart.report import _format as write
from headstart.report._mistakes import full_records
from headstart.report._values import NO_TEXT, shown_answer, shown_input, texts
from headstart.report.kinds import _writing

EACH = 6  # rows shown as best and as worst
LENGTHS = 4  # groups of equally many inputs, from short to long
CHUNK = 4096  # rows scored at once


@dataclass(frozen=True)
class Output:
    """A contender's text for one row, divided by what the references say too, and its score on that row alone."""

    contender: str
    parts: tuple[_writing.Part, ...]
    score: str


@dataclass(frozen=True)
class TextRow:
    """A test row with everything that was written for it.

    id: the row's id.
    source: its input as text.
    references: the texts that are right.
    leaked: whether the input also occurs in the training data.
    outputs: of each contender, in the leaderboard's order.
    """

    id: str
    source: str
    references: tuple[str, ...]
    leaked: bool
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class LengthLine:
    """One contender's score on each group of inputs, as text."""

    contender: str
    scores: tuple[str, ...]


@dataclass(frozen=True)
class TextView:
    """What text.html shows.

    best: the contender by whose scores the rows were picked.
    worst_rows: those with its lowest scores, the lowest first.
    best_rows: those with its highest scores, the highest first.
    groups: (range of characters, number of inputs) of each group by length, as text; empty if all are of one length.
    lengths: the scores on these groups.
    writing: what the references and the texts of each contender are like; empty if answers are parts of their inputs.
    warnings: sentences about contenders that repeat themselves or copy.
    """

    best: str
    worst_rows: tuple[TextRow, ...]
    best_rows: tuple[TextRow, ...]
    groups: tuple[tuple[str, str], ...]
    lengths: tuple[LengthLine, ...]
    writing: tuple[_writing.WritingLine, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Return (anchor, title) of each section, in the page's order."""
        return (
            *((("lengths", "By length"),) if self.groups else ()),
            *((("writing", "Repeated and copied"),) if self.writing else ()),
            ("texts", "Side by side"),
        )


def view(result: Result) -> TextView:
    """Return texts side by side and scores by length of the contenders on all training rows."""
    metric, test = deciding(result), result.splits.test
    first = {name: records[0].predictions for name, records in full_records(result).items()}
    tallies = {name: result.rules.tally(predictions, test.targets) for name, predictions in first.items()}
    best = next((name for name in first if name != "majority"), next(iter(first)))
    scores = {name: row_scores(metric, tally) for name, tally in tallies.items()}
    # Among rows that the deciding metric does not tell apart, such as those without an exact match, the others decide.
    others = [other.sign * row_scores(other, tallies[best]) for other in result.rules.metrics if other is not metric]
    order = np.lexsort((np.arange(len(test)), -sum(others, np.zeros(len(test))), -metric.sign * scores[best]))
    judged = first[best].likelihoods
    if judged is not None:  # few of these rows have a text to show
        order = order[judged[order, RANKED] > 0]
    half = min(EACH, (len(order) + 1) // 2)
    chosen = {row: _row(result, int(row), first, scores, metric) for row in (*order[:half], *order[: -half - 1 : -1])}
    groups, lengths = _by_length(result, tallies, metric)
    worst_rows = tuple(chosen[row] for row in order[: -half - 1 : -1] if row not in order[:half])
    best_rows = tuple(chosen[row] for row in order[:half])
    return TextView(best, worst_rows, best_rows, groups, lengths, *_habits(result, first))


def row_scores(metric: Metric, tally: Tally) -> np.ndarray:
    """Score each row as if it were the only one: ``(rows,)``."""
    starts = range(0, tally.rows.shape[0], CHUNK)
    return np.concatenate([metric.of(tally.rows[start : start + CHUNK].toarray()) for start in starts])


def _row(
    result: Result, row: int, first: dict[str, Predictions], scores: dict[str, np.ndarray], metric: Metric
) -> TextRow:
    test, task = result.splits.test, result.rules
    value, target = test.inputs[row], test.targets[row]
    references = tuple(dict.fromkeys(texts(target))) or (NO_TEXT,)
    return TextRow(
        test.ids[row],
        shown_input(task, value),
        references,
        test.ids[row] in result.splits.leaked,
        tuple(
            Output(
                name,
                _writing.differences(shown_answer(task, predictions.values[row], value), references),
                form.score(metric, float(scores[name][row])),
            )
            for name, predictions in first.items()
        ),
    )


def _habits(result: Result, first: dict[str, Predictions]) -> tuple[tuple[_writing.WritingLine, ...], tuple[str, ...]]:
    """Return what written texts are like, and warnings; nothing if answers are parts of their inputs."""
    test = result.splits.test
    if not result.rules.generates:
        return (), ()
    references = [next(iter(texts(target)), "") for target in test.targets]
    written = {name: predictions.values for name, predictions in first.items()}
    return _writing.lines(written, references, [shown_input(result.rules, value) for value in test.inputs])


def _by_length(
    result: Result, tallies: dict[str, Tally], metric: Metric
) -> tuple[tuple[tuple[str, str], ...], tuple[LengthLine, ...]]:
    """Score groups of inputs of similar length in characters, which every script has."""
    inputs = result.splits.test.inputs
    lengths = np.array([sum(map(len, result.rules.texts(value))) for value in inputs])
    limits = np.unique(np.quantile(lengths, np.linspace(0, 1, LENGTHS + 1)[1:-1], method="nearest"))
    group = np.searchsorted(limits, lengths)
    members = [np.flatnonzero(group == number) for number in np.unique(group)]
    if len(members) < 2:
        return (), ()
    heads = tuple(
        (f"{write.count(lengths[rows].min())} to {write.count(lengths[rows].max())}", write.count(len(rows)))
        for rows in members
    )
    lines = tuple(
        LengthLine(
            name,
            tuple(form.score(metric, float(metric.of(np.asarray(tally.rows[rows].sum(axis=0))))) for rows in members),
        )
        for name, tally in tallies.items()
    )
    return heads, lines
