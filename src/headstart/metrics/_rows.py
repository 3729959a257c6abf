"""How rows affect scores: the distinct rows that are resampled, and each row's influence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from headstart.core.errors import DataError
from headstart.core.tally import Metric, Tally, grouped

_CHUNK = 4_000_000  # numbers in memory at once, 32 MB
_STEP = 0.1  # the change of a row's weight by which its effect on a score is measured


def check(tallies: Sequence[Tally], groups: np.ndarray | None) -> int:
    """Return the number of rows that all tallies have.

    Raises:
        DataError: no tallies, no rows, or different numbers of them.
    """
    sizes = sorted({tally.rows.shape[0] for tally in tallies} | ({len(groups)} if groups is not None else set()))
    if len(sizes) != 1 or not sizes[0]:
        raise DataError(f"predictions of {sizes} rows; resampling needs equal numbers, and at least one row.")
    return int(sizes[0])


@dataclass(frozen=True)
class Outcomes:
    """The distinct rows of some models' tallies, or their groups, and how many are alike.

    sums: of each model float64 ``(outcomes, sums)``.
    weights: float64 ``(outcomes,)``, rows with this outcome.
    size: the number of real rows, or groups, which is the size of a resample.
    """

    sums: tuple[sparse.csr_array, ...]
    weights: np.ndarray
    size: int

    @classmethod
    def of(cls, tallies: Sequence[Tally], groups: np.ndarray | None = None) -> Outcomes:
        """Find the distinct rows.

        Args:
            tallies: of models on the same rows.
            groups: group numbers from 0 of rows that are drawn together, int64 ``(rows,)``; None for rows alone.
        """
        check(tallies, groups)
        rows = [tally.rows if groups is None else grouped(tally.rows, groups) for tally in tallies]
        _, first, counts = np.unique(_keys(rows), return_index=True, return_counts=True)
        return cls(tuple(sums[first] for sums in rows), counts.astype(np.float64), rows[0].shape[0])

    def with_artificial(self, tallies: Sequence[Tally], weight: float) -> Outcomes:
        """Add artificial rows that all models predict right, and as many that all predict wrong.

        Args:
            weight: of either, in rows.
        """
        if not len(tallies[0].weights):
            return self
        added = [sparse.csr_array(np.concatenate([tally.right, tally.wrong])) for tally in tallies]
        sums = tuple(sparse.csr_array(sparse.vstack(parts)) for parts in zip(self.sums, added, strict=True))
        weights = np.concatenate([self.weights, np.tile(weight * tallies[0].weights, 2)])
        return Outcomes(sums, weights, self.size)

    def observed(self, metric: Metric) -> np.ndarray:
        """Score each model on the actual rows: ``(models,)``."""
        scores: np.ndarray = self._scores(metric, self.weights[None])[0]
        return scores

    def resample(self, metric: Metric, resamples: int, seed: int) -> np.ndarray:
        """Score each model on resampled rows: ``(resamples, models)``."""
        random = np.random.default_rng(seed)
        shares = self.weights / self.weights.sum()
        step = max(1, _CHUNK // len(shares))
        chunks = [
            self._scores(metric, random.multinomial(self.size, shares, size=min(step, resamples - start)))
            for start in range(0, resamples, step)
        ]
        return np.concatenate(chunks)

    def _scores(self, metric: Metric, counts: np.ndarray) -> np.ndarray:
        """Score each model under row counts ``(resamples, outcomes)``."""
        counts = counts.astype(np.float64)
        return np.stack([metric.of(counts @ sums) for sums in self.sums], axis=1)


def influence(metric: Metric, tally: Tally) -> tuple[float, np.ndarray, np.ndarray]:
    """Score a model, and return what each row and each artificial row contributes to the score.

    Returns:
        the score; per row what its weight adds to the score, ``(rows,)``, with mean 0; per artificial row what a right
        prediction adds more than a wrong one, ``(artificial rows,)``.
    """
    total = tally.total
    _, first, inverse = np.unique(_keys([tally.rows]), return_index=True, return_inverse=True)
    distinct = tally.rows[first]
    step = max(1, _CHUNK // len(total))
    slopes = []
    for start in range(0, len(first), step):
        change = _STEP * distinct[start : start + step].toarray()  # (distinct rows, sums)
        slopes.append((metric.of(total + change) - metric.of(total - change)) / (2 * _STEP))
    rows = np.concatenate(slopes)[inverse]
    artificial = metric.of(total + tally.right) - metric.of(total + tally.wrong) if len(tally.weights) else np.zeros(0)
    return float(metric.of(total)), rows - rows.mean(), artificial


def _keys(rows: Sequence[sparse.csr_array]) -> np.ndarray:
    """Give rows of equal sums the same number, and others different ones: complex128 ``(rows,)``.

    The numbers are two random projections, which differ for different rows but for a chance of about 1e-32 a pair.
    """
    random = np.random.default_rng(0)
    return sum(  # type: ignore[no-any-return]  # of arrays, which sum() does not know
        sums @ (random.random(sums.shape[1]) + 1j * random.random(sums.shape[1])) for sums in rows
    )
