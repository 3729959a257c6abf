"""What columns beside the text, the text and both are worth, in sentences."""

from __future__ import annotations

from headstart.contest.columns import BOTH
from headstart.contest.rank import LEVEL
from headstart.contest.subsets import distance
from headstart.core.errors import shown
from headstart.core.results import BaselineComparison, Result, Standing, deciding
from headstart.metrics import format as form

PARTS = {"alone": "The columns alone", "none": "The text alone"}
OTHERS = {"text": "the text alone", "columns": "the columns alone"}


def sentences(result: Result) -> tuple[str, ...]:
    """Say what each part is worth, with differences and their intervals; nothing if no columns were read."""
    if not result.rules.tabular.names:
        return ()
    ways = {record.trial.contender: record.trial.options.get("columns") for record in result.records}
    lines = [
        f"{PARTS[way]} ({line.contender}): {_score(result, line)}{_differences(result, line)}."
        for way in PARTS
        for line in result.standings
        if ways.get(line.contender) == way
    ]
    both = [line for line in result.standings if ways.get(line.contender) in BOTH]
    lines += [f"Both ({line.contender}): {_score(result, line)}{_differences(result, line)}." for line in both]
    without = [line.contender for line in both if "text" not in {one.role for one in _own(result, line)}]
    if without:
        lines.append(f"What the columns add to the text in {', '.join(without)} was not measured.")
    names = ", ".join(map(shown, result.rules.tabular.names))
    return (f"Columns beside the text: {names}.", *lines)


def _own(result: Result, line: Standing) -> list[BaselineComparison]:
    return [comparison for comparison in result.columns if comparison.contender == line.contender]


def _score(result: Result, line: Standing) -> str:
    return f"{result.metric} {form.plus_minus(deciding(result), line.score)}"


def _differences(result: Result, line: Standing) -> str:
    worded = [_difference(result, comparison) for comparison in _own(result, line)]
    return f", {'; '.join(worded)}" if worded else ""


def _difference(result: Result, comparison: BaselineComparison) -> str:
    other = OTHERS.get(comparison.role, comparison.other)
    said = distance(comparison.difference, deciding(result), f"better than {other}", f"worse than {other}")
    return said if comparison.p_value <= LEVEL else f"{said}, which is no evidence of a difference"
