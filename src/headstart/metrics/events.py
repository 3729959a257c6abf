"""Scores of events: of their triggers, of their arguments, and of which trigger an argument belongs to.

The facts of a row are triggers ``(start, end, type)`` and arguments ``(start, end, first of the trigger, end of the
trigger, 'type:role')``. A trigger is right with its place and type, an argument with its place, its role and the type
of its event, whichever event of that type it belongs to (Ji & Grishman 2008, section 3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headstart.core.errors import DataError
from headstart.core.tally import Metric, Tally
from headstart.metrics.labels import f1

if TYPE_CHECKING:
    import numpy as np

Fact = tuple[Any, ...]
Facts = Sequence[Fact]
Items = set[Fact]  # what is compared: start and end, then what else must be equal


def tally(targets: Sequence[Facts], predicted: Sequence[Facts]) -> Tally:
    """Count what each row adds to the hits, predictions and targets of each metric.

    A fact counts once however often a row lists it. The artificial row has the mean number of triggers and arguments;
    where it is wrong, as many others are predicted.

    Args:
        targets: true facts of each row; at least one row.
        predicted: predicted facts of each row.

    Returns:
        sums ``(3 * metrics,)``: hits, predictions and targets of each metric, in the order of METRICS.

    Raises:
        DataError: no rows, or targets and predictions differ in number.

    >>> trigger = (0, 6, "Attack")
    >>> counted = tally([[trigger, (7, 20, 0, 6, "Attack:Victim")]], [[trigger, (7, 9, 0, 6, "Attack:Victim")]])
    >>> [float(metric.of(counted.total)) for metric in METRICS]
    [1.0, 1.0, 1.0, 0.0, 1.0, 0.0]
    """
    import numpy as np
    from scipy import sparse

    if not len(targets) or len(targets) != len(predicted):
        raise DataError(
            f"{len(predicted)} predictions for {len(targets)} targets; scores need as many, and at least one."
        )
    rows = np.array([_counts(truth, answer) for truth, answer in zip(targets, predicted, strict=True)], np.float64)
    mean = rows.mean(axis=0).reshape(-1, 3)[:, 2]  # of the targets
    right, wrong = (np.column_stack([hits, mean, mean]).reshape(1, -1) for hits in (mean, 0 * mean))
    return Tally(sparse.csr_array(rows), right, wrong, np.ones(1))


def _counts(truth: Facts, answer: Facts) -> list[int]:
    counts = []
    for items_of, hits in COUNTED.values():
        true, given = items_of(truth), items_of(answer)
        counts += [hits(true, given), len(given), len(true)]
    return counts


def _triggers(facts: Facts) -> Items:
    return {fact for fact in facts if len(fact) == 3}


def _trigger_places(facts: Facts) -> Items:
    return {fact[:2] for fact in _triggers(facts)}


def _linked(facts: Facts) -> Items:
    return {fact for fact in facts if len(fact) > 3}


def _arguments(facts: Facts) -> Items:
    return {(*fact[:2], fact[-1]) for fact in _linked(facts)}


def _equal(true: Items, given: Items) -> int:
    return len(true & given)


def _overlapping(true: Items, given: Items) -> int:
    """Count the pairs of a true and a given item that overlap and are of one type, each item in one pair at most.

    The count is the largest possible where items of one type do not overlap on either side, as tasks read and predict
    them: then each item is best paired with the first one that it overlaps.

    >>> _overlapping({(0, 9, "a"), (10, 12, "a")}, {(0, 3, "a"), (5, 11, "a"), (0, 9, "b")})
    2
    """
    open_items, hits = defaultdict(list), 0
    for item in sorted(given):
        open_items[item[2:]].append(item)
    for item in sorted(true):
        others = open_items[item[2:]]
        while others and others[0][1] <= item[0]:
            others.pop(0)
        if others and others[0][0] < item[1]:
            others.pop(0)
            hits += 1
    return hits


# Metric -> what is compared, and how equal it must be.
COUNTED: dict[str, tuple[Callable[[Facts], Items], Callable[[Items, Items], int]]] = {
    "trigger-F1": (_triggers, _equal),
    "trigger-overlap-F1": (_triggers, _overlapping),
    "trigger-identification-F1": (_trigger_places, _equal),
    "argument-F1": (_arguments, _equal),
    "argument-overlap-F1": (_arguments, _overlapping),
    "argument-link-F1": (_linked, _equal),
}


def _f1_of(number: int) -> Callable[[np.ndarray], np.ndarray]:
    def of(sums: np.ndarray) -> np.ndarray:
        import numpy as np

        hits, predicted, actual = np.moveaxis(np.asarray(sums, np.float64)[..., 3 * number : 3 * number + 3], -1, 0)
        return f1(hits, predicted, actual)

    return of


METRICS = tuple(Metric(name, _f1_of(number)) for number, name in enumerate(COUNTED))
