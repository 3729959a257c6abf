"""The mean cost of labels, beside the scores of `labels`: two more sums, the costs and the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headstart.core.costs import Costs
from headstart.core.tally import Metric, Tally
from headstart.metrics import labels

if TYPE_CHECKING:
    import numpy as np


def tally(targets: Sequence[str], predicted: Sequence[str], costs: Costs) -> Tally:
    """Count what each row adds to the counts of each class, to the costs and to the rows.

    Args:
        targets: true label of each row; at least one.
        predicted: predicted label of each row.
        costs: with all of these labels.

    Returns:
        sums ``(3 * classes + 2,)``: those of `labels.tally`, the costs, the number of rows.

    Raises:
        DataError: as for `labels.tally`, or a label has no costs.
    """
    import numpy as np
    from scipy import sparse

    counted = labels.tally(targets, predicted)
    known = sorted({*targets, *predicted})
    names = {name: number for number, name in enumerate(known)}
    matrix = costs.matrix(known)

    def costs_of(truth: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        own = matrix[[names[name] for name in truth], [names[name] for name in answers]]
        return np.column_stack([own, np.ones(len(truth))])

    counts = Counter(targets)
    true = sorted(counts)  # as the artificial rows are
    common = sorted(true, key=lambda name: -counts[name])
    others = [common[1] if name == common[0] and len(common) > 1 else common[0] for name in true]
    return replace(
        counted,
        rows=sparse.csr_array(sparse.hstack([counted.rows, costs_of(targets, predicted)])),
        right=np.hstack([counted.right, costs_of(true, true)]),
        wrong=np.hstack([counted.wrong, costs_of(true, others)]),
    )


def _of_counts(metric: Metric) -> Metric:
    def of(sums: np.ndarray) -> np.ndarray:
        return metric.of(sums[..., :-2])

    return replace(metric, of=of)


def _cost(sums: np.ndarray) -> np.ndarray:
    return labels.ratio(sums[..., -2], sums[..., -1])


METRICS: tuple[Metric, ...] = (
    Metric("cost", _cost, higher=False, unit=""),
    *(_of_counts(metric) for metric in labels.METRICS),
)
