"""Scores of one label per row, from three counts per class.

Every metric here depends on the confusion matrix only through three counts per class: the correct predictions of the
class (hits), all predictions of the class, and all rows of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headstart.core.errors import DataError
from headstart.core.tally import Metric, Tally

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

    Counts = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def tally(targets: Sequence[str], predicted: Sequence[str]) -> Tally:
    """Count what each row adds to the hits, predictions and targets of each class.

    The classes are those among the targets, sorted, then those that were predicted alone, then one that makes up for a
    single class. An artificial row of each target class is answered right, or by the most frequent other class.

    Args:
        targets: true label of each row; at least one.
        predicted: predicted label of each row.

    Returns:
        sums ``(3 * classes,)``: hits, predictions and targets of each class.

    Raises:
        DataError: no rows, or targets and predictions differ in number.
    """
    import numpy as np

    if not len(targets) or len(targets) != len(predicted):
        raise DataError(
            f"{len(predicted)} predictions for {len(targets)} targets; scores need as many, and at least one."
        )
    true = sorted(set(targets))
    names = {name: number for number, name in enumerate(classes_of(targets, predicted))}
    classes = max(len(names), 2)
    truth, answers = (np.fromiter(map(names.__getitem__, row), np.int64, len(row)) for row in (targets, predicted))
    shares = np.bincount(truth, minlength=classes) / len(truth)
    first, second = np.argsort(-shares, kind="stable")[:2]
    every = np.arange(len(true))
    return Tally(
        _counts(truth, answers, classes),
        _counts(every, every, classes).toarray(),
        _counts(every, np.where(every == first, second, first), classes).toarray(),
        shares[: len(true)],
    )


def classes_of(targets: Sequence[str], predicted: Sequence[str]) -> list[str]:
    """Return the classes in the order of a tally's sums: those of the targets, then those that were predicted alone."""
    true = set(targets)
    return [*sorted(true), *sorted(set(predicted) - true)]


def score(targets: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Compute every metric on one set of rows.

    Macro-F1 is the mean over the classes that occur among targets or predictions; balanced accuracy is the mean
    over those among the targets. A target that the model has never seen counts as an error, and as a class with F1 0.

    Args:
        targets: true label of each row; at least one.
        predicted: predicted label of each row.

    Returns:
        metric name -> value: 0 to 1, MCC -1 to 1.

    Raises:
        DataError: no rows, or targets and predictions differ in number.

    >>> score(["a", "a", "b", "b"], ["a", "a", "a", "b"])["accuracy"]
    0.75
    """
    total = tally(targets, predicted).total
    return {metric.name: float(metric.of(total)) for metric in METRICS}


def _counts(truth: np.ndarray, answers: np.ndarray, classes: int) -> sparse.csr_array:
    """Return what rows add to the sums: float64 ``(rows, 3 * classes)``.

    Args:
        truth: class numbers int64 ``(rows,)``.
        answers: class numbers int64 ``(rows,)``.
    """
    import numpy as np
    from scipy import sparse  # half of the time that listing the tasks would take

    right = truth == answers
    ends = np.cumsum(2 + right)  # of a row: its hit if it is right, its prediction and its target
    columns = np.empty(ends[-1], dtype=np.int64)
    columns[ends[right] - 3] = truth[right]
    columns[ends - 2] = classes + answers
    columns[ends - 1] = 2 * classes + truth
    starts = np.concatenate([[0], ends])
    return sparse.csr_array((np.ones(len(columns)), columns, starts), shape=(len(truth), 3 * classes))


def from_sums(of_counts: Counts) -> Callable[[np.ndarray], np.ndarray]:
    """Make a function of sums ``(..., 3 * classes)`` from one of hits, predictions and targets per class."""

    def of(sums: np.ndarray) -> np.ndarray:
        import numpy as np

        return of_counts(*np.split(np.asarray(sums, dtype=np.float64), 3, axis=-1))

    return of


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0."""
    import numpy as np

    quotients: np.ndarray = np.divide(above, below, out=np.zeros(np.broadcast(above, below).shape), where=below > 0)
    return quotients


def _accuracy(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return ratio(hits.sum(-1), actual.sum(-1))


def f1(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the harmonic mean of precision and recall, of whatever was counted."""
    return ratio(2 * hits, predicted + actual)


def macro_f1(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return the mean F1 over the classes that occur."""
    return ratio(f1(hits, predicted, actual).sum(-1), ((predicted + actual) > 0).sum(-1))


def _weighted_f1(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return ratio((f1(hits, predicted, actual) * actual).sum(-1), actual.sum(-1))


def _balanced_accuracy(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return ratio(ratio(hits, actual).sum(-1), (actual > 0).sum(-1))


def _mcc(hits: np.ndarray, predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    # The multiclass coefficient R_K (Gorodkin 2004) from marginal counts.
    import numpy as np

    rows = actual.sum(-1)
    covariance = hits.sum(-1) * rows - (predicted * actual).sum(-1)
    spread = (rows**2 - (predicted**2).sum(-1)) * (rows**2 - (actual**2).sum(-1))
    return ratio(covariance, np.sqrt(np.maximum(spread, 0)))


METRICS = (
    Metric("accuracy", from_sums(_accuracy)),
    Metric("macro-F1", from_sums(macro_f1)),
    Metric("weighted-F1", from_sums(_weighted_f1)),
    Metric("balanced-accuracy", from_sums(_balanced_accuracy)),
    Metric("MCC", from_sums(_mcc), unit=""),
)
