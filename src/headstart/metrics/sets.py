"""Scores of sets: several labels, or facts such as entities, that end in their type; from counts per type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headstart.core.errors import DataError
from headstart.core.tally import Metric, Tally
from headstart.metrics.labels import f1, macro_f1, ratio

if TYPE_CHECKING:
    import numpy as np

Facts = Sequence[tuple[Any, ...]]


def tally(targets: Sequence[Facts], predicted: Sequence[Facts]) -> Tally:
    """Count what each row adds to the hits, predictions and targets of each type, to the exact rows, and to all rows.

    A fact counts once however often a row lists it. The artificial row has the mean number of facts of each type; where
    it is wrong, as many others are predicted.

    Args:
        targets: true facts of each row: tuples whose last part is their type; at least one row.
        predicted: predicted facts of each row.

    Returns:
        sums ``(3 * types + 2,)``: hits, predictions and targets of each type, exact rows, rows.

    Raises:
        DataError: no rows, or targets and predictions differ in number.

    >>> counted = tally([[(0, 4, "PER")]], [[(0, 4, "PER"), (6, 9, "LOC")]])
    >>> [round(float(metric.of(counted.total)), 3) for metric in METRICS]
    [0.667, 0.5, 1.0, 0.5, 0.0]
    """
    import numpy as np
    from scipy import sparse

    if not len(targets) or len(targets) != len(predicted):
        raise DataError(
            f"{len(predicted)} predictions for {len(targets)} targets; scores need as many, and at least one."
        )
    pairs = [(set(truth), set(answer)) for truth, answer in zip(targets, predicted, strict=True)]
    names = sorted({fact[-1] for pair in pairs for facts in pair for fact in facts})
    numbers, types = {name: number for number, name in enumerate(names)}, max(len(names), 1)
    places, columns = [], []
    for place, (truth, answer) in enumerate(pairs):
        for part, facts in enumerate((truth & answer, answer, truth)):
            columns += [part * types + numbers[fact[-1]] for fact in facts]
            places += [place] * len(facts)
    exact = [place for place, (truth, answer) in enumerate(pairs) if truth == answer]
    columns += [3 * types] * len(exact) + [3 * types + 1] * len(pairs)
    places += [*exact, *range(len(pairs))]
    rows = sparse.csr_array((np.ones(len(places)), (places, columns)), shape=(len(pairs), 3 * types + 2))
    mean = np.asarray(rows.mean(axis=0)).ravel()[2 * types : 3 * types]
    right = np.concatenate([mean, mean, mean, [1.0, 1.0]])
    wrong = np.concatenate([0 * mean, mean, mean, [0.0, 1.0]])
    return Tally(rows, right[None], wrong[None], np.ones(1))


def _counts(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import numpy as np

    hits, predicted, actual = np.split(np.asarray(sums, dtype=np.float64)[..., :-2], 3, axis=-1)
    return hits, predicted, actual


def _micro_f1(sums: np.ndarray) -> np.ndarray:
    return f1(*(counts.sum(-1) for counts in _counts(sums)))


def _precision(sums: np.ndarray) -> np.ndarray:
    hits, predicted, _ = _counts(sums)
    return ratio(hits.sum(-1), predicted.sum(-1))


def _recall(sums: np.ndarray) -> np.ndarray:
    hits, _, actual = _counts(sums)
    return ratio(hits.sum(-1), actual.sum(-1))


def _exact(sums: np.ndarray) -> np.ndarray:
    shares: np.ndarray = sums[..., -2] / sums[..., -1]
    return shares


METRICS = (
    Metric("micro-F1", _micro_f1),
    Metric("precision", _precision),
    Metric("recall", _recall),
    Metric("macro-F1", lambda sums: macro_f1(*_counts(sums))),
    Metric("exact", _exact),
)
