"""Scores of predicted numbers, from sums over rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headstart.core.errors import DataError
from headstart.core.tally import Metric, Tally

if TYPE_CHECKING:
    import numpy as np

# What each row adds: one, the absolute and the squared error, then target, prediction, their squares and their product;
# the last five of the ranks as well.
_SUMS = 13


def tally(targets: Sequence[float] | np.ndarray, predicted: Sequence[float] | np.ndarray) -> Tally:
    """Compute what each row adds to the sums of errors, moments and moments of ranks.

    Ranks are taken once, among all rows: resamples count each row with the rank it has there.

    Args:
        targets: true number of each row, finite; at least one.
        predicted: predicted number of each row, finite.

    Returns:
        sums ``(13,)``, and no artificial rows.

    Raises:
        DataError: no rows, or targets and predictions differ in number.
    """
    import numpy as np
    from scipy import sparse
    from scipy.stats import rankdata

    if not len(targets) or len(targets) != len(predicted):
        raise DataError(
            f"{len(predicted)} predictions for {len(targets)} targets; scores need as many, and at least one."
        )
    truth, answers = (np.asarray(values, dtype=np.float64) for values in (targets, predicted))
    error = answers - truth
    columns = [np.ones(len(truth)), np.abs(error), error**2]
    for one, other in ((truth, answers), (rankdata(truth), rankdata(answers))):
        # Moments about the mean of the targets lose no digits to an offset that all rows share.
        y, p = one - one.mean(), other - one.mean()
        columns += [y, p, y**2, p**2, y * p]
    return Tally(sparse.csr_array(np.stack(columns, axis=1)))


def _split(sums: np.ndarray) -> tuple[np.ndarray, ...]:
    import numpy as np

    return tuple(np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0))


def _rmse(sums: np.ndarray) -> np.ndarray:
    import numpy as np

    rows, _, squared, *_ = _split(sums)
    errors: np.ndarray = np.sqrt(squared / rows)
    return errors


def _mae(sums: np.ndarray) -> np.ndarray:
    rows, absolute, *_ = _split(sums)
    errors: np.ndarray = absolute / rows
    return errors


def _r2(sums: np.ndarray) -> np.ndarray:
    import numpy as np

    rows, _, squared, y, _, yy, *_ = _split(sums)
    spread = yy - y**2 / rows
    # As scikit-learn has it where all targets are equal: 1 if the predictions are too, else 0.
    constant = np.where(squared > 0, 0.0, 1.0)
    shares: np.ndarray = np.where(spread > 0, 1 - squared / np.where(spread > 0, spread, 1.0), constant)
    return shares


def _correlation(rows: np.ndarray, moments: Sequence[np.ndarray]) -> np.ndarray:
    """Return Pearson's correlation, 0 where a side does not vary."""
    import numpy as np

    y, p, yy, pp, yp = moments
    spread = np.maximum(yy - y**2 / rows, 0) * np.maximum(pp - p**2 / rows, 0)
    correlations: np.ndarray = np.where(
        spread > 0, (yp - y * p / rows) / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0
    )
    return correlations.clip(-1.0, 1.0)


def _pearson(sums: np.ndarray) -> np.ndarray:
    parts = _split(sums)
    return _correlation(parts[0], parts[3:8])


def _spearman(sums: np.ndarray) -> np.ndarray:
    parts = _split(sums)
    return _correlation(parts[0], parts[8:_SUMS])


METRICS = (
    Metric("RMSE", _rmse, higher=False, unit=""),
    Metric("MAE", _mae, higher=False, unit=""),
    Metric("R2", _r2, unit=""),
    Metric("Pearson", _pearson, unit=""),
    Metric("Spearman", _spearman, unit=""),
)
