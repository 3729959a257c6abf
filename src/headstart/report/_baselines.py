"""Sentences on what ensembles and students gain over their members or teacher, on the same test rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.core.results import BaselineComparison, Standing
from headstart.report._format import percent, points, savings

LEVEL = 0.05


def worth_it(comparison: BaselineComparison) -> bool:
    """Return whether there is evidence that the contender is better than its baseline."""
    return comparison.difference.value > 0 and comparison.p_value <= LEVEL


def sentences(comparisons: Sequence[BaselineComparison], standings: Mapping[str, Standing]) -> list[str]:
    """Say what one contender gains and what it costs.

    Args:
        comparisons: those of this contender, at least one.
        standings: contender -> its line of the leaderboard.
    """
    name = comparisons[0].contender
    by_role = {comparison.role: comparison for comparison in comparisons}
    lines = []
    if member := by_role.get("member"):
        cost = savings(standings[name].cost, standings[member.other].cost)
        if worth_it(member):
            lines.append(
                f"{name} is {_gain(member)} better than its best member {member.other}; in exchange it {cost}."
            )
        else:
            lines.append(
                f"There is no evidence that {name} is better than its best member {member.other} "
                f"({_signed(member)}), and it {cost}."
            )
    if teacher := by_role.get("teacher"):
        theirs = standings[teacher.other]
        share = standings[name].score.value / max(theirs.score.value, 1e-9)
        lines.append(
            f"{name} reaches {percent(share)} of the score of its teacher {teacher.other}; compared with the teacher "
            f"it {savings(standings[name].cost, theirs.cost)}."
        )
    if alone := by_role.get("alone"):
        own = f"without it the same student reaches {percent(standings[alone.other].score.value)}"
        gain = (
            f"The teacher adds {_gain(alone)}"
            if worth_it(alone)
            else f"There is no evidence that the teacher helps ({_signed(alone)})"
        )
        lines.append(f"{gain}: {own}.")
    elif teacher:
        other = f"{name}{'-' if ':' in name else ':'}alone"
        lines.append(f"To see what the teacher adds, include {other}, the same student without a teacher.")
    return lines


def _gain(comparison: BaselineComparison) -> str:
    low, high = 100 * comparison.difference.low, 100 * comparison.difference.high
    return f"{points(comparison.difference.value)} (95 % interval {low:.1f} to {high:.1f})"


def _signed(comparison: BaselineComparison) -> str:
    difference = comparison.difference
    value, low, high = (100 * share for share in (difference.value, difference.low, difference.high))
    return f"a difference of {value:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
