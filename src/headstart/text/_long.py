"""The tokens of texts beyond a model's window: beginning and end, or several windows."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterable, Sequence

import numpy as np

from headstart.core.long_texts import LongTexts
from headstart.core.sequences import Encoded

BYTES = array("i").itemsize


def readable(text: str, limit: int, long: LongTexts) -> str:
    """Return the part of a text that is tokenised: ``limit`` characters per window, or at both ends.

    >>> readable("abcdefgh", 2, LongTexts("head-tail")), readable("abcdefgh", 2, LongTexts("mean", most_windows=3))
    ('ab gh', 'abcdef')
    """
    if long.way == "head-tail":
        return text if len(text) <= 2 * limit else f"{text[:limit]} {text[-limit:]}"
    return text[: limit * long.most_windows]


def pieces(tokens: int, room: int, long: LongTexts) -> list[list[tuple[int, int]]]:
    """Return the sequences that a text becomes, each as spans of its tokens.

    Windows are of equal length, so that none has only the last few tokens, which would count as much as a full one.

    Args:
        tokens: number of tokens of the text.
        room: maximum number of tokens of a sequence, at least 1.
        long: how long texts are read.

    >>> pieces(12, 8, LongTexts("head-tail")), pieces(12, 8, LongTexts("mean"))
    ([[(0, 2), (6, 12)]], [[(0, 6)], [(6, 12)]])
    """
    if tokens <= room:
        return [[(0, tokens)]]
    if long.way == "head-tail":
        head = room // 4
        return [[(0, head), (tokens - (room - head), tokens)]]
    count = min(-(-tokens // room), long.most_windows)
    used = min(tokens, count * room)
    ends = [used * number // count for number in range(count + 1)]
    return [[span] for span in itertools.pairwise(ends)]


def joined(
    bodies: Iterable[bytes],
    longer: Iterable[float],
    prefix: bytes,
    opening: Sequence[int],
    closing: Sequence[int],
    window: int,
    long: LongTexts,
) -> Encoded:
    """Join the tokens of texts, in several sequences per text if it has several windows.

    Args:
        bodies: ids of each text's tokens without special tokens, as the bytes of 32-bit numbers.
        longer: by what factor each text is longer than the part of it that was tokenised, at least 1.
        prefix: ids of the prefix with which texts begin, which every window repeats.
        opening: special tokens before each sequence's.
        closing: special tokens after each sequence's.
        window: maximum number of tokens of a sequence, with special tokens.
        long: how long texts are read.
    """
    before, after = array("i", opening).tobytes(), array("i", closing).tobytes()
    around = len(opening) + len(closing)
    joined = bytearray()
    lengths, counts = array("q", [0]), array("q", [0])
    left_out = total = 0.0
    for body, factor in zip(bodies, longer, strict=True):
        repeated = prefix if long.windows and len(body) > len(prefix) and body.startswith(prefix) else b""
        body = body[len(repeated) :]
        room = max(1, window - around - len(repeated) // BYTES)
        count = len(body) // BYTES
        sequences = pieces(count, room, long)
        for spans in sequences:
            part = b"".join(body[start * BYTES : end * BYTES] for start, end in spans)
            joined += before + repeated + part + after
            lengths.append(around + (len(repeated) + len(part)) // BYTES)
        counts.append(len(sequences))
        total += count * factor
        left_out += count * factor - sum(end - start for spans in sequences for start, end in spans)
    return Encoded(
        np.frombuffer(joined, dtype=np.int32),
        np.cumsum(lengths, dtype=np.int64),
        left_out / total if total else 0.0,
        rows=np.cumsum(counts, dtype=np.int64) if len(lengths) > len(counts) else None,
    )
