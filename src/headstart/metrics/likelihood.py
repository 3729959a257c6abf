"""Scores of what a model says of the right texts, whatever it would write itself: perplexity, and ranking among others.

Perplexity per character does not depend on how a model divides texts into tokens, so that vocabularies can be compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headstart.core.errors import DataError
from headstart.core.tally import Metric, Tally
from headstart.metrics.labels import ratio

if TYPE_CHECKING:
    import numpy as np

# What a model says of each row's right text: minus its log likelihood in nats, its tokens, its characters (its end
# counts as one of either), whether it was ranked among others, and whether it came first.
LOSS, TOKENS, CHARACTERS, RANKED, FIRST = range(5)
SUMS = 5
CANDIDATES = 10  # texts that are ranked


def tally(likelihoods: np.ndarray | None, rows: int) -> Tally:
    """Return what each row adds to all sums.

    Args:
        likelihoods: float64 ``(rows, 5)``, see above.
        rows: number of rows.

    Returns:
        sums ``(5,)``, and no artificial rows.

    Raises:
        DataError: no rows, or there are not as many likelihoods.
    """
    from scipy import sparse

    if not rows or likelihoods is None or len(likelihoods) != rows:
        known = 0 if likelihoods is None else len(likelihoods)
        raise DataError(f"{known} likelihoods for {rows} rows of targets; scores need as many, and at least one.")
    return Tally(sparse.csr_array(likelihoods))


def _perplexity(sums: np.ndarray, per: int) -> np.ndarray:
    import numpy as np

    values: np.ndarray = np.exp(sums[..., LOSS] / sums[..., per])
    return values


METRICS = (
    Metric("perplexity per character", lambda sums: _perplexity(sums, CHARACTERS), higher=False, unit=""),
    Metric("perplexity per token", lambda sums: _perplexity(sums, TOKENS), higher=False, unit=""),
    Metric("right of ten", lambda sums: ratio(sums[..., FIRST], sums[..., RANKED])),
)
