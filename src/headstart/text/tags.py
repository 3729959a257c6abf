"""Tags of words that say where entities begin and end: the schemes in use, and decoding without impossible tags.

BIO, IOB1, IOBES and BILOU (Ramshaw & Marcus 1995; Ratinov & Roth 2009) write the same entities in different ways. One
rule reads all of them: an entity begins at B, S or U, or at any other tag that does not continue one of the same type,
and ends at E, L, S and U.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from headstart.core.errors import DataError, shown

if TYPE_CHECKING:
    import numpy as np

TAG = re.compile(r"O|[BIESLU]-.*\S.*")
OUTSIDE = "O"
SEQUENCES = 1024  # decoded side by side
LARGE = 300.0  # difference of logarithms from which on the smaller number does not count


def is_tag(text: str) -> bool:
    """Return whether a text is a tag of one of the schemes.

    >>> is_tag("B-PER"), is_tag("O"), is_tag("PER")
    (True, True, False)
    """
    return TAG.fullmatch(text) is not None


def entities(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the entities that tags of BIO, IOB1, IOBES or BILOU mark: first word, the one after the last, type.

    Raises:
        DataError: another scheme, or two of them mixed.

    >>> entities(["B-PER", "I-PER", "O", "S-LOC"])
    [(0, 2, 'PER'), (3, 4, 'LOC')]
    """
    found: list[tuple[int, int, str]] = []
    begun, open_type = 0, ""  # '' where no entity is open
    letters = set()
    for place, tag in enumerate(tags):
        if not is_tag(tag):
            raise DataError(f"has the tag {shown(tag)}, which is none of the schemes BIO, IOB1, IOBES and BILOU")
        letter, _, name = tag.partition("-")
        letters.add(letter)
        if open_type and (letter in "OBSU" or name != open_type):
            found.append((begun, place, open_type))
            open_type = ""
        if letter != OUTSIDE and not open_type:
            begun, open_type = place, name
        if open_type and letter in "ESLU":
            found.append((begun, place + 1, open_type))
            open_type = ""
    if open_type:
        found.append((begun, len(tags), open_type))
    if letters & {"E", "S"} and letters & {"L", "U"}:
        raise DataError("has tags of two schemes, IOBES and BILOU")
    return found


def bio(types: Iterable[str]) -> tuple[str, ...]:
    """Return all tags of the scheme BIO for some types.

    >>> bio(["LOC", "PER"])
    ('O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER')
    """
    return (OUTSIDE, *(f"{letter}-{name}" for name in types for letter in "BI"))


def transitions(tags: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return scores that forbid impossible tags of the scheme BIO: an I after anything but B or I of its type.

    Returns:
        float32 ``(tags, tags)`` for each tag after another, and ``(tags,)`` for each as the first: 0, or -inf.

    >>> transitions(("O", "B-PER", "I-PER"))[1].tolist()
    [0.0, 0.0, -inf]
    """
    import numpy as np

    inside = np.array([tag.startswith("I-") for tag in tags])
    names = np.array([tag[1:] for tag in tags])
    impossible = inside[None, :] & (names[:, None] != names[None, :])
    return (
        np.where(impossible, -np.inf, 0.0).astype(np.float32),
        np.where(inside, -np.inf, 0.0).astype(np.float32),
    )


def viterbi(scores: np.ndarray, boundaries: np.ndarray, moves: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the sequence of tags with the highest sum of scores for each sequence of words: int64 ``(words,)``.

    Args:
        scores: of each tag for each word, float32 ``(words, tags)``.
        boundaries: of the sequences, int64 ``(sequences + 1,)``.
        moves: of each tag after another, float32 ``(tags, tags)``.
        first: of each tag as the first, float32 ``(tags,)``.
    """
    import numpy as np

    best_tags = np.zeros(len(scores), dtype=np.int64)
    for _, starts, active in _side_by_side(boundaries):
        back = [np.zeros((active[0], scores.shape[1]), dtype=np.int32)]  # of each place (sequences, tags)
        best = scores[starts] + first  # (sequences, tags)
        for place, count in enumerate(active[1:], start=1):
            through = best[:count, :, None] + moves  # (sequences, tags before, tags)
            back.append(through.argmax(axis=1).astype(np.int32))
            best[:count] = through.max(axis=1) + scores[starts[:count] + place]
        tags = best.argmax(axis=1)
        for place, count in reversed(list(enumerate(active))):
            best_tags[starts[:count] + place] = tags[:count]
            tags[:count] = back[place][np.arange(count), tags[:count]]
    return best_tags


def probabilities(
    scores: np.ndarray, boundaries: np.ndarray, moves: np.ndarray, first: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Return the probability of one sequence of tags among all possible ones, for each sequence of words.

    A sequence's probability is proportional to the exponential of its sum of scores, as in a conditional random field
    (Lafferty et al. 2001, section 3). It is 1 for sequences without words.

    Args:
        scores: see :func:`viterbi`.
        boundaries: see :func:`viterbi`.
        moves: see :func:`viterbi`.
        first: see :func:`viterbi`.
        chosen: the tags, int64 ``(words,)``.

    Returns:
        float64 ``(sequences,)``, 0 to 1.
    """
    import numpy as np

    logarithms = np.zeros(len(boundaries) - 1)
    scores = scores.astype(np.float64)
    factors = np.exp(moves.astype(np.float64))  # (tags before, tags)
    for order, starts, active in _side_by_side(boundaries):
        sums = scores[starts] + first  # logarithms of the sums over all beginnings, (sequences, tags)
        own = sums[np.arange(len(order)), chosen[starts]]  # of the chosen beginning, (sequences,)
        for place, count in enumerate(active[1:], start=1):
            words = starts[:count] + place
            sums[:count] = _through(sums[:count], factors) + scores[words]
            own[:count] += moves[chosen[words - 1], chosen[words]] + scores[words, chosen[words]]
        largest = sums.max(axis=1, keepdims=True)
        logarithms[order] = own - largest[:, 0] - np.log(np.exp(sums - largest).sum(axis=1))
    return np.exp(np.minimum(logarithms, 0.0))


def marginals(scores: np.ndarray, boundaries: np.ndarray, moves: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the probability of each tag of each word over all possible sequences: float32 ``(words, tags)``.

    By sums over all beginnings and all ends of the sequences (Rabiner 1989, section III.A).

    Args:
        scores: see :func:`viterbi`.
        boundaries: see :func:`viterbi`.
        moves: see :func:`viterbi`.
        first: see :func:`viterbi`.
    """
    import numpy as np

    scores = scores.astype(np.float64)
    logarithms = np.zeros_like(scores)
    factors = np.exp(moves.astype(np.float64))  # (tags before, tags)
    for _, starts, active in _side_by_side(boundaries):
        sums = scores[starts] + first  # over all beginnings up to a word, (sequences, tags)
        logarithms[starts] = sums
        for place, count in enumerate(active[1:], start=1):
            sums = _through(sums[:count], factors) + scores[starts[:count] + place]
            logarithms[starts[:count] + place] = sums
        ends = np.zeros((len(starts), scores.shape[1]))  # over all ends after a word
        for place, count in reversed(list(enumerate(active[1:], start=1))):
            words = starts[:count] + place
            ends[:count] = _through(ends[:count] + scores[words], factors.T)
            logarithms[words - 1] += ends[:count]
    shares = np.exp(logarithms - logarithms.max(axis=1, keepdims=True, initial=-np.inf))
    probabilities: np.ndarray = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    return probabilities


def _through(sums: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Add up exponentials ``(sequences, tags)`` of logarithms over all moves to each tag; logarithms again."""
    import numpy as np

    largest = sums.max(axis=1, keepdims=True)
    added: np.ndarray = largest + np.log(np.exp(np.maximum(sums - largest, -LARGE)) @ factors)
    return added


def _side_by_side(boundaries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, list[int]]]:
    """Yield sequences with words, the longest first, so that those with a word at some place are the first ones.

    Yields:
        their numbers and their first words, int64 ``(sequences,)``, and the number of those that have a word at each
        place.
    """
    import numpy as np

    lengths = np.diff(boundaries)
    for start in range(0, len(lengths), SEQUENCES):
        order = start + np.argsort(-lengths[start : start + SEQUENCES], kind="stable")
        sizes = lengths[order]
        active = [int((sizes > place).sum()) for place in range(int(sizes.max()))]
        if active:
            yield order[: active[0]], boundaries[:-1][order[: active[0]]], active
