"""Texts as words with their places, and the token that stands for each word, for tasks that label words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.core.contracts import Value
from headstart.core.sequences import Encoded
from headstart.text.scripts import spans_of_words, starts_unspaced


@dataclass(frozen=True)
class Divided:
    """A text and its words.

    spans: start and end of each word in the text.
    """

    text: str
    spans: list[tuple[int, int]]

    @property
    def words(self) -> list[str]:
        """The words, those after a space with that space, which byte-level vocabularies encode in another way."""
        return [
            f" {self.text[start:end]}" if start and self.text[start - 1].isspace() else self.text[start:end]
            for start, end in self.spans
        ]


def divided(value: Value) -> Divided:
    """Divide an input, a text or a list of words, into words.

    Words of a list are joined by spaces, but not between two characters of scripts without spaces.

    >>> divided(["Anna", "Li", "在", "北", "京"])
    Divided(text='Anna Li 在北京', spans=[(0, 4), (5, 7), (8, 9), (9, 10), (10, 11)])
    """
    if isinstance(value, str):
        return Divided(value, spans_of_words(value))
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    place = 0
    for word in map(str, value):
        if parts and not (starts_unspaced(word) and starts_unspaced(parts[-1][-1:])):
            parts.append(" ")
            place += 1
        parts.append(word)
        spans.append((place, place + len(word)))
        place += len(word)
    return Divided("".join(parts), spans)


def word_tokens(encoded: Encoded, counts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the token that stands for each word: its first one, in the window where it has the most context.

    Args:
        encoded: rows that were encoded as words.
        counts: number of words of each row.

    Returns:
        places in `encoded.tokens`, int64 ``(words,)``, -1 for words without tokens; boundaries int64 ``(rows + 1,)``.
    """
    assert encoded.words is not None  # as `Tokenizer.encode_words` returns them
    sequences = len(encoded.boundaries) - 1
    rows = np.arange(sequences + 1) if encoded.rows is None else encoded.rows
    row_of = np.repeat(np.arange(len(rows) - 1), np.diff(rows))  # (sequences,)
    ends = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    sequence_of = np.repeat(np.arange(sequences), encoded.sequence_lengths)  # (tokens,)
    words = np.where(encoded.words < 0, -1, ends[row_of[sequence_of]] + encoded.words)  # (tokens,)
    changes = np.ones(len(words), dtype=bool)
    changes[1:] = (words[1:] != words[:-1]) | (sequence_of[1:] != sequence_of[:-1])
    places = np.flatnonzero(changes & (words >= 0))
    owners = sequence_of[places]
    # What precedes the first window of a row and follows its last one is nothing: there context is not cut off.
    far = len(words)
    before = np.where(np.isin(owners, rows[:-1]), far, places - encoded.boundaries[owners])
    after = np.where(np.isin(owners, rows[1:] - 1), far, encoded.boundaries[owners + 1] - places)
    chosen = np.full(int(ends[-1]), -1, dtype=np.int64)
    order = np.argsort(np.minimum(before, after), kind="stable")
    chosen[words[places[order]]] = places[order]  # the last one assigned is the one with the most context
    return chosen, ends
