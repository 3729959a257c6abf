"""What breaks a contender: transformations of the texts, in a table, sentences and JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headstart.contest.rank import LEVEL
from headstart.contest.stress import FEWEST_ROWS
from headstart.core.contracts import Value
from headstart.core.results import Interval, StressResult, StressScore
from headstart.core.tally import Metric
from headstart.metrics import format as form
from headstart.report import _format as write
from headstart.stress._copies import sentence

if TYPE_CHECKING:
    from rich.table import Table

NOTHING = "–"
# What a person would answer, if not always as before.
ANSWERS = {"mostly same": "mostly the same answers", "other": "often another answer"}
NAMED = 3  # transformations in a sentence
BROKEN = 8  # rows that are shown
TEXTS = ("text", "changed_text")  # fields of a broken row that may be private


@dataclass(frozen=True)
class StressCell:
    """What a transformation does to a contender; everything as text.

    after: the score after it.
    loss: how much worse that is, with its interval.
    verdict: 'worse' or 'better' if there is evidence of a difference.
    changed: how much worse the score of the changed rows alone is.
    altered: share of the changed rows whose prediction is another one.
    calibration: the calibration error after it.
    """

    after: str
    loss: str
    verdict: str
    changed: str
    altered: str
    calibration: str


@dataclass(frozen=True)
class StressLine:
    """A transformation and its effect on each contender.

    name: its name.
    answer: what a person would answer after it; '' for the same.
    scored: whether there are scores after it.
    changed: number of rows that it changes.
    cells: one for each contender.
    """

    name: str
    answer: str
    scored: bool
    changed: str
    cells: tuple[StressCell, ...]


@dataclass(frozen=True)
class StressView:
    """What stress.html shows.

    sentences: what breaks each contender.
    contenders: in leaderboard order.
    before: of each contender the score and the calibration error before any transformation.
    lines: one per transformation.
    promises: transformation, without its variant -> what it does.
    broken: the fields of some broken rows.
    labelled: whether there are calibration errors.
    least: rows that a score needs.
    note: which rows, and what is left out.
    """

    sentences: tuple[str, ...]
    contenders: tuple[str, ...]
    before: tuple[tuple[str, str], ...]
    lines: tuple[StressLine, ...]
    promises: dict[str, str]
    broken: tuple[dict[str, Value], ...]
    labelled: bool
    least: int
    note: str


def view(stress: StressResult | None, metric: Metric) -> StressView | None:
    """Return what the page shows; None if nothing was transformed."""
    if stress is None or not stress.scores:
        return None
    contenders = tuple(dict.fromkeys(score.contender for score in stress.scores))
    by = {(score.transformation, score.contender): score for score in stress.scores}
    names = tuple(dict.fromkeys(score.transformation for score in stress.scores))
    first = [by[names[0], contender] for contender in contenders]
    lines = tuple(
        StressLine(
            name,
            ANSWERS.get(stress.expected[name], ""),
            stress.expected[name] != "other",
            write.count(by[name, contenders[0]].changed),
            tuple(_cell(by[name, contender], metric) for contender in contenders),
        )
        for name in names
    )
    broken = tuple(
        {**dataclasses.asdict(row), "confidence": f"{100 * row.confidence:.0f} %"} for row in stress.broken[:BROKEN]
    )
    return StressView(
        sentences(stress, metric),
        contenders,
        tuple((form.score(metric, score.before), _error(score.calibration_before)) for score in first),
        lines,
        {name.partition(":")[0]: promise for name, promise in stress.promises.items()},
        broken,
        any(score.calibration_before is not None for score in stress.scores),
        FEWEST_ROWS,
        note(stress),
    )


def note(stress: StressResult) -> str:
    """Say which rows were transformed, and which transformations are left out."""
    chosen = f"{write.count(stress.rows)} of {write.count(stress.all_rows)} rows, chosen at random"
    rows = chosen if stress.rows < stress.all_rows else write.plural(stress.rows, "row")
    return f"Measured on {rows}. {sentence(stress.left_out)}".strip()


def caution(stress: StressResult) -> tuple[str, ...]:
    """Say after which transformations a person would not answer every row as before."""
    return tuple(
        f"{name}: {ANSWERS[expected]} by a person. {stress.promises[name]}"
        for name, expected in stress.expected.items()
        if expected in ANSWERS
    )


def sentences(stress: StressResult | None, metric: Metric) -> tuple[str, ...]:
    """Say for each contender after which transformations its score is worse, the largest loss first."""
    if stress is None:
        return ()
    worded = []
    for contender in dict.fromkeys(score.contender for score in stress.scores):
        own = [score for score in stress.scores if score.contender == contender]
        worse = [
            (score.loss, score.transformation) for score in own if score.loss is not None and _verdict(score) == "worse"
        ]
        worse.sort(key=lambda pair: -pair[0].value)
        if worse:
            listed = [
                f"{name} ({form.difference(metric, loss.value, loss)}, 95 % interval {form.ends(metric, loss)})"
                for loss, name in worse[:NAMED]
            ]
            more = f" and {len(worse) - NAMED} more" if len(worse) > NAMED else ""
            worded.append(f"What breaks {contender}: {', '.join(listed)}{more}.")
        else:
            worded.append(f"What breaks {contender}: no loss was found after any transformation.")
    return tuple(worded)


def table(stress: StressResult, metric: Metric) -> Table:
    """Build the table of one contender for a terminal."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2), header_style="dim", collapse_padding=True)
    table.add_column("transformation", no_wrap=True)
    for title in ("changes", form.heading(metric), "worse by", "of changed rows", "altered", "ECE"):
        table.add_column(title, justify="right", no_wrap=True)
    for score in stress.scores[:1]:  # before any transformation
        before = form.score(metric, score.before)
        table.add_row("(none)", "", before, "", "", "", _error(score.calibration_before))
    for score in stress.scores:
        cell = _cell(score, metric)
        style = {"worse": "bold yellow", "better": "green"}.get(cell.verdict, "")
        loss = f"{cell.loss} {cell.verdict}".strip()
        changed = f"{score.changed} of {score.rows}"
        texts = (score.transformation, changed, cell.after, loss, cell.changed, cell.altered, cell.calibration)
        table.add_row(*(Text(text, style=style) for text in texts))
    return table


def as_json(stress: StressResult | None) -> dict[str, Value] | None:
    """Return the result as plain dictionaries without texts, which may be private."""
    if stress is None:
        return None
    values = dataclasses.asdict(stress)
    values["broken"] = [{key: value for key, value in row.items() if key not in TEXTS} for row in values["broken"]]
    return values


def lines(stress: StressResult | None) -> list[dict[str, Value]]:
    """Return one dictionary per contender and transformation, in leaderboard order."""
    return [dataclasses.asdict(score) for score in (stress.scores if stress else ())]


def _cell(score: StressScore, metric: Metric) -> StressCell:
    return StressCell(
        NOTHING if score.after is None else form.score(metric, score.after),
        _loss(metric, score.loss) if score.changed else NOTHING,
        _verdict(score),
        _loss(metric, score.loss_of_changed),
        NOTHING if score.altered is None else f"{100 * score.altered:.0f} %",
        _error(score.calibration_after),
    )


def _loss(metric: Metric, loss: Interval | None) -> str:
    return NOTHING if loss is None else form.signed(metric, loss)


def _error(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"


def _verdict(score: StressScore) -> str:
    """Return whether there is evidence of a difference; '' for none."""
    if score.loss is None or score.p_value is None or score.p_value > LEVEL:
        return ""
    return "worse" if score.loss.value > 0 else "better"


def broken_lines(stress: StressResult, most: int = NAMED) -> Sequence[str]:
    """Word the rows that were right before and are wrong, with most confidence, after a transformation."""
    worded = []
    for row in stress.broken[:most]:
        confidence = f"{100 * row.confidence:.0f} %"
        worded.append(f"{row.transformation}: {row.id} is {row.target}, now {row.predicted} ({confidence})")
        worded.append(f"  {row.text}")
        worded.append(f"  {row.changed_text}")
    return worded
