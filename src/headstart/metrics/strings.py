"""Scores of texts from sums over rows: exact match and token F1 of answers, BLEU and chrF of longer texts.

Each row has one text or several to be compared with, any of which may be matched.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headstart.core.errors import DataError
from headstart.core.tally import Metric, Tally
from headstart.metrics.labels import ratio

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# Orders of word and character n-grams: Papineni et al. 2002, section 2.1.1; Popović 2015, section 2.
_WORDS, _CHARACTERS, _BETA = 4, 6, 2
_ANSWERS = 2
_BLEU = slice(3, 3 + 2 + 2 * _WORDS)
_CHRF = slice(_BLEU.stop, _BLEU.stop + 3 * _CHARACTERS)


def tally(targets: Sequence[Sequence[str]], predicted: Sequence[str]) -> Tally:
    """Compute what each row adds to all sums.

    An artificial row has the mean lengths of the rows; where it is wrong, nothing matches.

    Args:
        targets: of each row the texts that are right, at least one.
        predicted: text of each row.

    Returns:
        sums ``(31,)``: rows, exact matches, token F1; predicted and target words and for n-grams of 1 to 4 words the
        matches and predictions (BLEU); for n-grams of 1 to 6 characters the predictions, targets and matches (chrF).

    Raises:
        DataError: no rows, a row without target, or targets and predictions differ in number.
    """
    import numpy as np

    check_texts(targets, predicted)
    tokenize = _tokenizer()
    counted = np.array(
        [
            [1.0, *_answer(answer, texts), *_bleu_counts(answer, texts, tokenize), *_chrf_counts(answer, texts)]
            for answer, texts in zip(predicted, targets, strict=True)
        ]
    )
    mean = counted.mean(axis=0)
    right, wrong = mean.copy(), mean.copy()
    right[1:3], wrong[1:3] = 1.0, 0.0
    matches = np.arange(_BLEU.start + 2, _BLEU.stop, 2)
    right[matches], wrong[matches] = mean[matches + 1], 0.0
    for order in range(_CHRF.start, _CHRF.stop, 3):
        right[order + 2], wrong[order + 2] = min(mean[order], mean[order + 1]), 0.0
    return Tally(_sparse(counted), right[None], wrong[None], np.ones(1))


def answer_tally(targets: Sequence[Sequence[str]], predicted: Sequence[str]) -> Tally:
    """Compute what each row adds to the sums of answers alone, without those of longer texts.

    Args:
        targets: of each row the texts that are right, at least one; the empty text if there is no answer.
        predicted: text of each row.

    Returns:
        sums ``(3,)``: rows, exact matches, token F1.

    Raises:
        DataError: as for :func:`tally`.
    """
    import numpy as np

    check_texts(targets, predicted)
    counted = np.array([[1.0, *_answer(answer, texts)] for answer, texts in zip(predicted, targets, strict=True)])
    return Tally(_sparse(counted), np.ones((1, 3)), np.array([[1.0, 0.0, 0.0]]), np.ones(1))


def normalised(answer: str) -> str:
    """Return an answer without case, punctuation, articles and repeated spaces, as SQuAD compares them.

    Rajpurkar et al. 2016, section 6.1.

    >>> normalised("The  Eiffel Tower!")
    'eiffel tower'
    """
    return " ".join(_ARTICLES.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split())


def _sparse(counted: np.ndarray) -> sparse.csr_array:
    from scipy import sparse

    return sparse.csr_array(counted)


def check_texts(targets: Sequence[Sequence[str]], predicted: Sequence[str]) -> None:
    """Check that there is a prediction and a target for each row.

    Raises:
        DataError: no rows, a row without target, or targets and predictions differ in number.
    """
    if not len(targets) or len(targets) != len(predicted) or not all(len(texts) for texts in targets):
        raise DataError(
            f"{len(predicted)} predicted texts for {len(targets)} rows of targets; scores need as many, and at least"
            " one row and one target in each."
        )


def _answer(answer: str, targets: Sequence[str]) -> tuple[float, float]:
    """Compare an answer with each target, and return the best exact match and the best token F1."""
    given = normalised(answer)
    return (
        float(max(given == normalised(text) for text in targets)),
        max(token_f1(given.split(), normalised(text).split()) for text in targets),
    )


def token_f1(given: Sequence[str], true: Sequence[str]) -> float:
    """Return the F1 of words as bags: 1 for the same words, and for none on either side.

    >>> token_f1(["red", "house"], ["red", "car"])
    0.5
    """
    if not given or not true:
        return float(given == true)
    return 2 * (Counter(given) & Counter(true)).total() / (len(given) + len(true))


def _tokenizer() -> Callable[[str], str]:
    """Return the tokenizer of BLEU's usual form, mteval-v13a."""
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    tokenizer: Callable[[str], str] = Tokenizer13a()  # type: ignore[no-untyped-call]  # sacrebleu has no types
    return lambda text: str(tokenizer(text.rstrip()))


def grams(parts: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    """Count the n-grams of this order."""
    return Counter(zip(*(parts[start:] for start in range(order)), strict=False))


def _bleu_counts(answer: str, targets: Sequence[str], tokenize: Callable[[str], str]) -> list[float]:
    given, true = tokenize(answer).split(), [tokenize(text).split() for text in targets]
    # The target of the nearest length counts for the brevity penalty, of two the shorter one.
    nearest = min((abs(len(words) - len(given)), len(words)) for words in true)[1]
    counts: list[float] = [len(given), nearest]
    for order in range(1, _WORDS + 1):
        most: Counter[tuple[str, ...]] = Counter()
        for words in true:
            most |= grams(words, order)
        counts += [(grams(given, order) & most).total(), max(len(given) - order + 1, 0)]
    return counts


def _chrf_counts(answer: str, targets: Sequence[str]) -> list[float]:
    import numpy as np

    given = "".join(answer.split())
    candidates = []
    for text in targets:
        true, counts = "".join(text.split()), []
        for order in range(1, _CHARACTERS + 1):
            own, other = grams(given, order), grams(true, order)
            # A target too short for an n-gram says nothing of the prediction's either.
            counts += [own.total() if other else 0, other.total(), (own & other).total()]
        candidates.append(counts)
    return [float(count) for count in max(candidates, key=lambda counts: float(_chrf_of(np.array(counts))))]


def _exact(sums: np.ndarray) -> np.ndarray:
    shares: np.ndarray = sums[..., 1] / sums[..., 0]
    return shares


def _f1(sums: np.ndarray) -> np.ndarray:
    means: np.ndarray = sums[..., 2] / sums[..., 0]
    return means


def _bleu(sums: np.ndarray) -> np.ndarray:
    """Compute BLEU with exponential smoothing (Chen & Cherry 2014, method 3), as sacrebleu does."""
    import numpy as np

    lengths, counts = sums[..., _BLEU.start : _BLEU.start + 2], sums[..., _BLEU.start + 2 : _BLEU.stop]
    matches, totals = counts[..., ::2], counts[..., 1::2]
    missed = np.cumsum((matches == 0) & (totals > 0), axis=-1)  # the nth order without a match counts 1 / 2**n
    shares = np.where(matches > 0, matches, 0.5**missed) / np.maximum(totals, 1)
    brevity = np.exp(np.minimum(0.0, 1 - ratio(lengths[..., 1], lengths[..., 0])))
    usable = (totals > 0).all(-1) & (matches[..., 0] > 0)
    means: np.ndarray = np.exp(np.log(np.where(usable[..., None], shares, 1.0)).mean(-1)) * brevity * usable
    return means


def _chrf_of(counts: np.ndarray) -> np.ndarray:
    """Compute chrF of ``(..., 18)`` counts: the mean precision and recall over the orders that both sides have."""
    import numpy as np

    given, true, matches = counts[..., ::3], counts[..., 1::3], counts[..., 2::3]
    both = (given > 0) & (true > 0)
    orders = np.maximum(both.sum(-1), 1)
    precision = np.where(both, ratio(matches, given), 0.0).sum(-1) / orders
    recall = np.where(both, ratio(matches, true), 0.0).sum(-1) / orders
    return ratio((1 + _BETA**2) * precision * recall, _BETA**2 * precision + recall)


ANSWER_METRICS = (Metric("token F1", _f1), Metric("exact match", _exact))
TRANSLATION_METRICS = (Metric("BLEU", _bleu), Metric("chrF", lambda sums: _chrf_of(sums[..., _CHRF])))
METRICS = (*ANSWER_METRICS[::-1], *TRANSLATION_METRICS)
