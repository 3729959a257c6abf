"""Rows of words to token ids, with the word of each token, in overlapping windows."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import numpy as np

from headstart.core.sequences import Encoded

OVERLAP = 0.25  # share of a window that the next one repeats
BYTES = array("i").itemsize


def windowed(
    rows: Sequence[Sequence[str]],
    ids: Mapping[str, bytes],
    opening: Sequence[int],
    closing: Sequence[int],
    window: int,
) -> Encoded:
    """Join the tokens of each row's words, and divide them into windows if there are too many.

    Args:
        rows: the words of each row.
        ids: word -> ids of its tokens, as the bytes of 32-bit numbers.
        opening: special tokens before each window's.
        closing: special tokens after each window's.
        window: maximum number of tokens of a window, with special tokens.
    """
    room = max(1, window - len(opening) - len(closing))
    before, after = (np.array(part, dtype=np.int32) for part in (opening, closing))
    tokens, owners = [np.zeros(0, dtype=np.int32)], [np.zeros(0, dtype=np.int32)]
    lengths, counts = array("q", [0]), array("q", [0])
    for words in rows:
        bodies = [ids[word] for word in words]
        body = np.frombuffer(b"".join(bodies), dtype=np.int32)
        owner = np.repeat(np.arange(len(words), dtype=np.int32), [len(part) // BYTES for part in bodies])
        starts = window_starts(len(body), room)
        for first in starts:
            part = body[first : first + room]
            tokens += [before, part, after]
            owners += [
                np.full(len(before), -1, np.int32),
                owner[first : first + room],
                np.full(len(after), -1, np.int32),
            ]
            lengths.append(len(before) + len(part) + len(after))
        counts.append(len(starts))
    return Encoded(
        np.concatenate(tokens),
        np.cumsum(lengths, dtype=np.int64),
        rows=np.cumsum(counts, dtype=np.int64) if len(lengths) > len(counts) else None,
        words=np.concatenate(owners),
    )


def window_starts(tokens: int, room: int) -> list[int]:
    """Return where the windows of a row begin; the last one ends with the row.

    >>> window_starts(10, 4), window_starts(4, 4)
    ([0, 3, 6], [0])
    """
    step = max(1, room - int(OVERLAP * room))
    return [*range(0, max(0, tokens - room), step), max(0, tokens - room)]
