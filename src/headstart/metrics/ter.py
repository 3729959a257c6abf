"""TER, the translation edit rate (Snover et al. 2006), from sums over rows; as sacrebleu computes it.

A pair of long texts takes seconds, so that it is computed on request alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from headstart.core.tally import Metric, Tally
from headstart.metrics import strings

if TYPE_CHECKING:
    import numpy as np

NAME = "TER"


def tally(targets: Sequence[Sequence[str]], predicted: Sequence[str]) -> Tally:
    """Count what each row adds to the sums of BLEU and chrF, to the edits and to the words of targets.

    Args:
        targets: of each row the texts that are right, at least one; the nearest counts, and their mean length.
        predicted: text of each row.

    Returns:
        sums ``(33,)``: those of `strings.tally`, the edits, the words.

    Raises:
        DataError: as for `strings.tally`.
    """
    import numpy as np
    from scipy import sparse

    counted = strings.tally(targets, predicted)
    edits = np.array([_edits(answer, texts) for answer, texts in zip(predicted, targets, strict=True)])
    words = edits[:, 1].mean()
    return replace(
        counted,
        rows=sparse.csr_array(sparse.hstack([counted.rows, edits])),
        right=np.hstack([counted.right, [[0.0, words]]]),
        wrong=np.hstack([counted.wrong, [[words, words]]]),
    )


def _edits(answer: str, targets: Sequence[str]) -> tuple[float, float]:
    """Return the fewest edits that make a text one of its targets, and the mean number of words of these."""
    from sacrebleu.metrics.lib_ter import translation_edit_rate
    from sacrebleu.tokenizers.tokenizer_ter import TercomTokenizer

    tokenizer = TercomTokenizer()  # lower case, words between white space
    given, *others = (tokenizer(text.rstrip()).split() for text in (answer, *targets))
    counts = [translation_edit_rate(given, words) for words in others]
    return min(edits for edits, _ in counts), sum(length for _, length in counts) / len(counts)


def _rate(sums: np.ndarray) -> np.ndarray:
    import numpy as np

    edits, words = sums[..., -2], sums[..., -1]
    # Without any word in the targets, every word of the texts is one too many.
    rates: np.ndarray = np.where(words > 0, edits / np.where(words > 0, words, 1.0), (edits > 0).astype(float))
    return rates


METRICS = (*strings.TRANSLATION_METRICS, Metric(NAME, _rate, higher=False))
