"""ROUGE (Lin 2004) from sums over rows: the F1 of n-grams, and of the longest common subsequence, averaged over rows.

Equal to the package rouge-score without stemming, for texts in letters and digits of ASCII, all that it reads. Here any
letter or digit is part of a word, and in scripts without spaces each character is a word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headstart.core.tally import Metric, Tally
from headstart.metrics.strings import check_texts, grams

if TYPE_CHECKING:
    import numpy as np

# A word; of scripts without spaces, one character.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")
ORDERS = (1, 2)


def tally(targets: Sequence[Sequence[str]], predicted: Sequence[str]) -> Tally:
    """Compute what each row adds to all sums; of several targets the one with the highest F1 counts.

    Args:
        targets: of each row the texts that are right, at least one.
        predicted: text of each row.

    Returns:
        sums ``(4,)``: rows, and the F1 of words, of pairs of words, and of the longest common subsequence.

    Raises:
        DataError: no rows, a row without target, or targets and predictions differ in number.
    """
    import numpy as np
    from scipy import sparse

    check_texts(targets, predicted)
    counted = np.array([[1.0, *_scores(answer, texts)] for answer, texts in zip(predicted, targets, strict=True)])
    right, wrong = np.ones((1, counted.shape[1])), np.zeros((1, counted.shape[1]))
    wrong[0, 0] = 1.0
    return Tally(sparse.csr_array(counted), right, wrong, np.ones(1))


def words(text: str) -> list[str]:
    """Return the words of a text in lower case.

    >>> words("The dog's 2 ears, 好")
    ['the', 'dog', 's', '2', 'ears', '好']
    """
    return _WORD.findall(text.lower())


def _scores(answer: str, targets: Sequence[str]) -> list[float]:
    """Return the best F1 of each kind."""
    given, true = words(answer), [words(text) for text in targets]
    scores = [max(_f1_of_grams(given, other, order) for other in true) for order in ORDERS]
    return [*scores, max(_f1(common_length(given, other), len(given), len(other)) for other in true)]


def _f1_of_grams(given: Sequence[str], true: Sequence[str], order: int) -> float:
    own, other = grams(given, order), grams(true, order)
    return _f1((own & other).total(), own.total(), other.total())


def _f1(matches: int, given: int, true: int) -> float:
    return 2 * matches / (given + true) if matches else 0.0


def common_length(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, by the bits of integers (Hyyrö 2004).

    >>> common_length("the dog ran home".split(), "the old dog went home".split())
    3
    """
    masks: Counter[str] = Counter()
    for place, word in enumerate(first):
        masks[word] |= 1 << place
    full = (1 << len(first)) - 1
    row = full  # bit i is 0 where the longest common subsequence grows at word i
    for word in second:
        matches = row & masks[word]
        row = ((row + matches) | (row - matches)) & full
    return len(first) - row.bit_count()


def _mean(place: int, sums: np.ndarray) -> np.ndarray:
    means: np.ndarray = sums[..., place] / sums[..., 0]
    return means


METRICS = (
    Metric("ROUGE-1", partial(_mean, 1)),
    Metric("ROUGE-2", partial(_mean, 2)),
    Metric("ROUGE-L", partial(_mean, 3)),
)
