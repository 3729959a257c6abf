"""Sentences on how many labels pretraining is worth, from the label equivalents of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.core.results import Equivalent, Interval, Standing
from headstart.report._format import about, count, plural, ratio


def main_comparison(equivalents: Sequence[Equivalent], standings: Sequence[Standing]) -> list[Equivalent]:
    """Return the equivalents of the best reference and 'scratch' (or else 'linear', or another), by growing size."""
    rank = {s.contender: place for place, s in enumerate(standings)}
    reference = min((e.reference for e in equivalents), key=lambda name: rank.get(name, len(rank)))
    rivals = {e.contender for e in equivalents if e.reference == reference}
    rival = next((name for name in ("scratch", "linear") if name in rivals), min(rivals))
    chosen = [e for e in equivalents if (e.reference, e.contender) == (reference, rival)]
    return sorted(chosen, key=lambda e: e.size)


def largest_measured(line: Sequence[Equivalent]) -> Equivalent | None:
    """Return the largest size at which the rival needs more labels and its learning curve shows how many."""
    measured = [e for e in line if e.labels is not None and e.labels.value > e.size]
    return measured[-1] if measured else None


def worth_nothing(full: Equivalent) -> bool:
    """Return whether the rival reaches the reference's score with no more labels than the reference had."""
    return full.labels is not None and full.labels.value <= full.size


def amount(labels: Interval, smallest: int) -> str:
    """Write a number of labels; 'at most' at the smallest size of the curve, since smaller sizes were not run."""
    return f"{'about' if labels.value > smallest else 'at most'} {about(labels.value)}"


def labels_range(labels: Interval, beyond: int) -> str:
    """Write the interval of a number of labels; '' if there is only one seed.

    Args:
        labels: the estimate with its interval over seeds.
        beyond: the largest size tried; an end above it is written as 'more than' this size.
    """
    if labels.low == labels.high:
        return ""
    high = about(labels.high) if labels.high <= beyond else f"more than {count(beyond)}"
    return f"{about(labels.low)} to {high}"


def sentence(equivalents: Sequence[Equivalent], standings: Sequence[Standing]) -> str:
    """Say how many labels pretraining is worth, from the learning curves.

    Args:
        equivalents: the label equivalents, at least one.
        standings: the leaderboard.
    """
    line = main_comparison(equivalents, standings)
    full, measured = line[-1], largest_measured(line)
    rival, reference = full.contender, full.reference
    smallest = line[0].size
    if worth_nothing(full):
        assert full.labels is not None
        sure = full.labels.high <= full.size
        claim = "The pretrained head start is worth nothing" if sure else "There is no evidence of a head start"
        result = (
            f"{claim} at {plural(full.size, 'row')}: {rival} reaches the score of "
            f"{reference} with {amount(full.labels, smallest)}{_bracketed(full)}"
        )
        if measured is None or measured.labels is None:
            return f"{result}."
        saved = ratio(measured.labels.value / measured.size)
        return f"{result}; at {count(measured.size)} it was worth about {saved} as many labels."
    if measured is None:
        first = next(e for e in line if e.labels is None)
        return (
            f"The pretrained head start is worth more labels than this data can measure: with {count(first.beyond)} "
            f"rows, the most that were tried, {rival} does not reach the score of {reference} with "
            f"{count(first.size)}{_linear_needs(equivalents, first)}."
        )
    assert measured.labels is not None
    result = (
        f"The pretrained head start in labels: for the score of {reference} with {plural(measured.size, 'row')}, "
        f"{rival} would need {amount(measured.labels, smallest)} rows{_bracketed(measured)}"
        f"{_linear_needs(equivalents, measured)}"
    )
    if full is measured:
        return f"{result}."
    return (
        f"{result}; for its score with {count(full.size)}, {rival} would need more than {count(full.beyond)}, the most "
        "that were tried."
    )


def _bracketed(equivalent: Equivalent) -> str:
    ends = labels_range(equivalent.labels, equivalent.beyond) if equivalent.labels else ""
    return f" (95 % interval {ends})" if ends else ""


def _linear_needs(equivalents: Sequence[Equivalent], chosen: Equivalent) -> str:
    """Add how many labels the linear model would need for the same score, if that is known."""
    for other in equivalents:
        same = (other.reference, other.size) == (chosen.reference, chosen.size)
        if same and other.contender == "linear" != chosen.contender and other.labels is not None:
            return f", and {other.contender} would need {amount(other.labels, min(e.size for e in equivalents))}"
    return ""
