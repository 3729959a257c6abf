"""How scores are made of sums over rows: each row adds a few numbers, and a metric is a function of their totals.

Resampling rows, grouping them and comparing models then need the sums alone, whatever the task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headstart.core.errors import UsageError, did_you_mean, shown

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse


@dataclass(frozen=True)
class Metric:
    """A score, as a function of sums over rows.

    name: as it is chosen and shown.
    of: totals float64 ``(..., sums)`` -> scores ``(...)``, for any number of resamples at once.
    higher: whether higher is better.
    unit: '%' for a share, which is shown times 100; '' for a plain number.
    """

    name: str
    of: Callable[[np.ndarray], np.ndarray]
    higher: bool = True
    unit: str = "%"

    @property
    def sign(self) -> int:
        """1 where higher is better, else -1."""
        return 1 if self.higher else -1


def named(metrics: Sequence[Metric], name: str) -> Metric:
    """Return the metric with this name.

    Raises:
        UsageError: no such metric.
    """
    for metric in metrics:
        if metric.name == name:
            return metric
    raise UsageError(f"no metric {shown(name)}; {did_you_mean(name, [metric.name for metric in metrics])}")


def _no_sums() -> np.ndarray:
    import numpy as np

    return np.zeros((0, 0))


def _no_weights() -> np.ndarray:
    import numpy as np

    return np.zeros(0)


@dataclass(frozen=True)
class Tally:
    """What each row of one model's predictions adds to the sums that all metrics of a task are functions of.

    rows: float64 ``(rows, sums)``.
    right: float64 ``(artificial rows, sums)``, typical rows with all predictions right, see `metrics.stats`; none where
        the task has no such rows.
    wrong: float64 ``(artificial rows, sums)``, the same rows with all predictions wrong.
    weights: float64 ``(artificial rows,)``, how common each is; they sum to 1.
    """

    rows: sparse.csr_array
    right: np.ndarray = field(default_factory=_no_sums)
    wrong: np.ndarray = field(default_factory=_no_sums)
    weights: np.ndarray = field(default_factory=_no_weights)

    @property
    def total(self) -> np.ndarray:
        """Sums over all rows, float64 ``(sums,)``."""
        import numpy as np

        return np.bincount(self.rows.indices, self.rows.data, minlength=self.rows.shape[1])


def grouped(rows: sparse.csr_array, groups: np.ndarray) -> sparse.csr_array:
    """Add up the sums of each group's rows.

    Args:
        rows: float64 ``(rows, sums)``.
        groups: group numbers from 0, int64 ``(rows,)``.

    Returns:
        float64 ``(groups, sums)``.
    """
    import numpy as np
    from scipy import sparse

    shape = int(groups.max()) + 1, len(groups)
    return sparse.csr_array(sparse.csr_array((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape) @ rows)
