"""Scores of several labels per row: counts per label, exact sets, and the ranking of all labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headstart.core.tally import Metric, Tally
from headstart.metrics import sets

if TYPE_CHECKING:
    import numpy as np

Labels = Sequence[str]


def tally(
    targets: Sequence[Labels],
    predicted: Sequence[Labels],
    classes: Sequence[str] = (),
    probabilities: np.ndarray | None = None,
) -> Tally:
    """Compute what each row adds to the counts of `metrics.sets` and to the ranking average precision.

    Args:
        targets: true labels of each row; at least one row.
        predicted: predicted labels of each row.
        classes: the label of each column of the probabilities.
        probabilities: float ``(rows, classes)``; None to rank the predicted labels before all others.

    Returns:
        sums ``(3 * labels + 3,)``: those of `metrics.sets`, then the ranking average precisions.

    Raises:
        DataError: no rows, or targets and predictions differ in number.
    """
    import numpy as np
    from scipy import sparse

    counted = sets.tally(*([[(label,) for label in labels] for labels in rows] for rows in (targets, predicted)))
    if probabilities is None:
        classes = sorted({label for labels in predicted for label in labels})
        probabilities = indicators(predicted, classes)
    precision = ranking_precision(targets, classes, probabilities)
    return Tally(
        sparse.csr_array(sparse.hstack([counted.rows, precision[:, None]])),
        np.column_stack([counted.right, np.ones(len(counted.right))]),
        np.column_stack([counted.wrong, np.zeros(len(counted.wrong))]),
        counted.weights,
    )


def indicators(rows: Sequence[Labels], classes: Sequence[str]) -> np.ndarray:
    """Return which labels each row has, float32 ``(rows, classes)``; labels that are no class are left out.

    >>> indicators([("a",), ("b", "z")], ("a", "b")).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    import numpy as np

    columns = {label: column for column, label in enumerate(classes)}
    truth = np.zeros((len(rows), len(classes)), dtype=np.float32)
    for row, labels in enumerate(rows):
        truth[row, [columns[label] for label in labels if label in columns]] = 1.0
    return truth


def ranking_precision(targets: Sequence[Labels], classes: Sequence[str], probabilities: np.ndarray) -> np.ndarray:
    """Compute the label ranking average precision of each row, float64 ``(rows,)``.

    For each true label: the share of true labels among those that are ranked at least as high (Schapire & Singer 2000,
    "BoosTexter", section 5). A row without labels, or with all, has 1. True labels that are no class rank last.

    >>> import numpy as np
    >>> ranking_precision([("a", "c")], ("a", "b", "c"), np.array([[0.9, 0.8, 0.1]])).round(3).tolist()
    [0.833]
    """
    import numpy as np
    from scipy.stats import rankdata

    unknown = sorted({label for labels in targets for label in labels} - set(classes))
    true = indicators(targets, [*classes, *unknown]) > 0  # (rows, labels)
    counts = true.sum(axis=1)
    if not true.shape[1]:
        return np.ones(len(true))
    # From 1 for the lowest probability on; 0 for labels that are no class.
    order = np.zeros(true.shape)
    if len(classes):
        order[:, : len(classes)] = rankdata(probabilities, "dense", axis=1)
    above = rankdata(-order, "max", axis=1)  # labels ranked at least as high, with the label itself
    true_above = rankdata(-np.where(true, order, -1.0), "max", axis=1)
    sums = np.where(true, true_above / above, 0.0).sum(axis=1)
    precision: np.ndarray = np.where((counts == 0) | (counts == true.shape[1]), 1.0, sums / np.maximum(counts, 1))
    return precision


def thresholds(truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Choose for each label the probability above which it is predicted, so that micro-F1 is highest.

    For the highest F1 that can be reached, F, each label's threshold maximises 2 * hits - F * predictions; F is found
    by repetition (Dinkelbach 1967). A label with fewer than `FEW` true rows uses the threshold that is best for all
    labels together: its own would follow chance.

    Args:
        truth: whether a row has a label, 0 or 1, ``(rows, labels)``.
        probabilities: float ``(rows, labels)``.

    Returns:
        float64 ``(labels,)``, 0 to 1; a label is predicted where its probability is greater.

    >>> import numpy as np
    >>> thresholds(np.array([[1], [0]]), np.array([[0.4], [0.2]])).round(3).tolist()
    [0.3]
    """
    import numpy as np

    if not truth.any():
        return np.full(truth.shape[1], 0.5)
    shared = _best(truth.reshape(-1, 1), probabilities.reshape(-1, 1))
    few = truth.sum(axis=0) < FEW
    own = _best(truth, probabilities, np.where(few, shared[0], np.nan))
    return np.where(few, shared[0], own)


FEW = 10


def _best(truth: np.ndarray, probabilities: np.ndarray, fixed: np.ndarray | None = None) -> np.ndarray:
    """Choose the thresholds of all columns together, ``(columns,)``; those of `fixed` that are numbers are given."""
    import numpy as np

    rows, columns = truth.shape
    order = np.argsort(-probabilities, axis=0, kind="stable")
    falling = np.take_along_axis(probabilities.astype(np.float64), order, axis=0)  # (rows, columns)
    hits = np.concatenate([np.zeros((1, columns)), np.cumsum(np.take_along_axis(truth, order, axis=0), axis=0)])
    predicted = np.arange(rows + 1.0)[:, None]  # (rows + 1, columns): the cut below so many rows
    ends = np.concatenate([np.ones((1, columns)), falling, np.zeros((1, columns))])
    between = (ends[:-1] + ends[1:]) / 2  # the threshold of each cut
    possible = np.ones((rows + 1, columns), dtype=bool)
    possible[1:-1] = falling[:-1] > falling[1:]  # equal probabilities are predicted alike
    if fixed is not None:
        given = np.flatnonzero(~np.isnan(fixed))
        cuts = (probabilities[:, given] > fixed[given]).sum(axis=0)
        possible[:, given] = np.arange(rows + 1)[:, None] == cuts
    actual, score = truth.sum(), 0.0
    while True:
        # Among equal cuts the first is taken: fewer labels.
        chosen = np.where(possible, 2 * hits - score * predicted, -np.inf).argmax(axis=0)
        cut = chosen, np.arange(columns)
        better = 2 * float(hits[cut].sum()) / float(chosen.sum() + actual)
        if better <= score:
            chosen_thresholds: np.ndarray = between[cut]
            return chosen_thresholds
        score = better


def _of_sets(of: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    return lambda sums: of(sums[..., :-1])


def _ranking(sums: np.ndarray) -> np.ndarray:
    shares: np.ndarray = sums[..., -1] / sums[..., -2]
    return shares


_SETS = {metric.name: metric.of for metric in sets.METRICS}
METRICS = (
    Metric("micro-F1", _of_sets(_SETS["micro-F1"])),
    Metric("macro-F1", _of_sets(_SETS["macro-F1"])),
    Metric("subset-accuracy", _of_sets(_SETS["exact"])),
    Metric("LRAP", _ranking),
)
