"""Sentences on what ensembles and students gain over their members or teacher, on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.core.results import BaselineComparison, Standing
from headstart.core.tally import Metric
from headstart.metrics import format as form
from headstart.report._format import percent, savings

LEVEL = 0.05


def worth_it(comparison: BaselineComparison) -> bool:
    """Return whether there is evidence that the contender is better than its baseline."""
    return comparison.difference.value > 0 and comparison.p_value <= LEVEL


def sentences(
    comparisons: Sequence[BaselineComparison], standings: Mapping[str, Standing], metric: Metric
) -> list[str]:
    """Say what one contender gains and what it costs.

    Args:
        comparisons: those of this contender, at least one.
        standings: contender -> its line of the leaderboard.
        metric: the score that decides.
    """
    name = comparisons[0].contender
    by_role = {comparison.role: comparison for comparison in comparisons}
    lines = []
    if member := by_role.get("member"):
        cost = savings(standings[name].cost, standings[member.other].cost)
        if worth_it(member):
            lines.append(
                f"{name} is {_gain(member, metric)} better than its best member {member.other}; in exchange it {cost}."
            )
        else:
            lines.append(
                f"There is no evidence that {name} is better than its best member {member.other} "
                f"({_signed(member, metric)}), and it {cost}."
            )
    if teacher := by_role.get("teacher"):
        theirs = standings[teacher.other]
        lines.append(
            f"{name} reaches {_reached(standings[name], theirs, metric)}; compared with the teacher "
            f"it {savings(standings[name].cost, theirs.cost)}."
        )
    if alone := by_role.get("alone"):
        score = standings[alone.other].score
        own = f"without it the same student reaches {form.score(metric, score.value, score)}"
        gain = (
            f"The teacher adds {_gain(alone, metric)}"
            if worth_it(alone)
            else f"There is no evidence that the teacher helps ({_signed(alone, metric)})"
        )
        lines.append(f"{gain}: {own}.")
    elif teacher:
        other = f"{name}{'-' if ':' in name else ':'}alone"
        lines.append(f"To see what the teacher adds, include {other}, the same student without a teacher.")
    return lines


def _reached(student: Standing, teacher: Standing, metric: Metric) -> str:
    """Word a student's score beside its teacher's: as a part of it only if it is a share, whose lowest value is 0."""
    if metric.unit == "%" and metric.higher:
        share = student.score.value / max(teacher.score.value, 1e-9)
        return f"{percent(share)} of the score of its teacher {teacher.contender}"
    own, theirs = (form.score(metric, line.score.value, line.score) for line in (student, teacher))
    return f"{metric.name} {own}, and its teacher {teacher.contender} {theirs}"


def _gain(comparison: BaselineComparison, metric: Metric) -> str:
    difference = comparison.difference
    return f"{form.difference(metric, difference.value, difference)} (95 % interval {form.ends(metric, difference)})"


def _signed(comparison: BaselineComparison, metric: Metric) -> str:
    value, _, ends = form.signed(metric, comparison.difference).partition(" ")
    unit = {"%": " points", "": ""}.get(metric.unit, f" {metric.unit}")
    return f"a difference of {value}{unit}, 95 % interval {ends.strip('()')}"
