"""What pretraining is worth in labels, in words: from the label equivalents of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.core.results import Equivalent, Interval, Standing
from headstart.report._format import about, count, plural, ratio


def told_line(equivalents: Sequence[Equivalent], standings: Sequence[Standing]) -> list[Equivalent]:
    """Pick the comparison to talk of, by growing size: the best reference against 'scratch', else the next at hand."""
    rank = {s.contender: place for place, s in enumerate(standings)}
    reference = min((e.reference for e in equivalents), key=lambda name: rank.get(name, len(rank)))
    rivals = {e.contender for e in equivalents if e.reference == reference}
    rival = next((name for name in ("scratch", "linear") if name in rivals), min(rivals))
    chosen = [e for e in equivalents if (e.reference, e.contender) == (reference, rival)]
    return sorted(chosen, key=lambda e: e.size)


def most_telling(line: Sequence[Equivalent]) -> Equivalent | None:
    """Return the largest size at which the rival needs more labels and its curve still shows how many."""
    measured = [e for e in line if e.labels is not None and e.labels.value > e.size]
    return measured[-1] if measured else None


def worth_nothing(full: Equivalent) -> bool:
    """Say whether the rival reaches the reference's score with no more labels than the reference was given."""
    return full.labels is not None and full.labels.value <= full.size


def amount(labels: Interval, smallest: int) -> str:
    """Write a number of labels; the curve's smallest size is 'at most', since it was not looked at below."""
    return f"{'about' if labels.value > smallest else 'at most'} {about(labels.value)}"


def labels_range(labels: Interval, beyond: int) -> str:
    """Write the interval of a number of labels, '' where one seed gives none.

    An end that the curve does not reach is 'more than' the most tried.
    """
    if labels.low == labels.high:
        return ""
    high = about(labels.high) if labels.high <= beyond else f"more than {count(beyond)}"
    return f"{about(labels.low)} to {high}"


def sentence(equivalents: Sequence[Equivalent], standings: Sequence[Standing]) -> str:
    """Say what pretraining is worth in labels, from the learning curves.

    Args:
        equivalents: at least one.
    """
    line = told_line(equivalents, standings)
    full, measured = line[-1], most_telling(line)
    rival, reference = full.contender, full.reference
    smallest = line[0].size
    if worth_nothing(full):
        assert full.labels is not None
        sure = full.labels.high <= full.size
        claim = "The pretrained head start is worth nothing" if sure else "There is no evidence of a head start"
        told = (
            f"{claim} at {plural(full.size, 'row')}: {rival} reaches the score of "
            f"{reference} with {amount(full.labels, smallest)}{_bracketed(full)}"
        )
        if measured is None or measured.labels is None:
            return f"{told}."
        saved = ratio(measured.labels.value / measured.size)
        return f"{told}; with {count(measured.size)} it was worth about {saved} as many labels."
    if measured is None:
        first = next(e for e in line if e.labels is None)
        return (
            f"The head start is worth more than this data can measure: {reference} on {plural(first.size, 'row')} "
            f"does what {rival} does not reach with {count(first.beyond)}, "
            f"the most we tried{_other(equivalents, first)}."
        )
    assert measured.labels is not None
    told = (
        f"What the pretrained head start is worth: {reference} on {plural(measured.size, 'row')} does what {rival} "
        f"would need {amount(measured.labels, smallest)} rows for{_bracketed(measured)}{_other(equivalents, measured)}"
    )
    if full is measured:
        return f"{told}."
    return f"{told}; on {count(full.size)} rows, {rival} would need more than {count(full.beyond)}, the most we tried."


def _bracketed(equivalent: Equivalent) -> str:
    said = labels_range(equivalent.labels, equivalent.beyond) if equivalent.labels else ""
    return f" (95 % interval {said})" if said else ""


def _other(equivalents: Sequence[Equivalent], told: Equivalent) -> str:
    """Add what the linear model would need for the same score, where that is known."""
    for other in equivalents:
        same = (other.reference, other.size) == (told.reference, told.size)
        if same and other.contender == "linear" != told.contender and other.labels is not None:
            return f", and {other.contender} {amount(other.labels, min(e.size for e in equivalents))}"
    return ""
