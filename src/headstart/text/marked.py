"""Texts with marked parts to token ids: a text beyond the window is read around its marks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from headstart.core.errors import UsageError
from headstart.core.sequences import Encoded

if TYPE_CHECKING:
    from headstart.text.tokenizer import Tokenizer

CHARACTERS = 64  # of each end of a part, per token of the window


def readable(part: str, limit: int) -> str:
    """Return what is tokenised of a part of a text: at most ``limit`` characters at each of its ends.

    >>> readable("abcdefgh", 2), readable("abcd", 2)
    ('ab gh', 'abcd')
    """
    return part if len(part) <= 2 * limit else f"{part[:limit]} {part[-limit:]}"


def pieces(tokens: int, places: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Return which tokens of a text are read, as spans: all, or those around some places, in one piece or two halves.

    Args:
        tokens: number of tokens of the text.
        places: numbers of the tokens that must be read; of more than two, the first and the last are.
        room: maximum number of tokens that are read, at least 2.

    >>> pieces(4, [0, 3], 4), pieces(20, [9, 11], 6), pieces(20, [2, 19], 6), pieces(20, [0, 3], 6)
    ([(0, 4)], [(7, 13)], [(1, 4), (17, 20)], [(0, 3), (3, 6)])
    """
    if tokens <= room:
        return [(0, tokens)]
    first, last = min(places), max(places)
    half, rest = (room + 1) // 2, room // 2
    if last - first < half:
        start = min(max(0, (first + last) // 2 - room // 2), tokens - room)
        return [(start, start + room)]
    start = min(max(0, first - half // 2), tokens - room)
    again = min(max(start + half, last - rest // 2), tokens - rest)
    return [(start, start + half), (again, again + rest)]


def encode(tokenizer: Tokenizer, rows: Sequence[Sequence[str]], marked: Sequence[Sequence[int]]) -> Encoded:
    """Turn texts that are divided into parts into token ids, with the places of the first tokens of marked parts.

    Parts are encoded one by one, so that what is beside a mark never changes its tokens. A text with more tokens than
    the window is read around its marks.

    Args:
        tokenizer: the tokenizer.
        rows: the parts of each text. A space at the beginning of a part matters to byte-level vocabularies.
        marked: numbers of the marked parts of each text, as many in every text.

    Raises:
        UsageError: long texts are to be read in another way.
    """
    if tokenizer.long.way != "first":
        raise UsageError("long texts with marked parts are read around their marks; leave 'long' at 'first'.")
    limit = tokenizer.window * CHARACTERS
    read = [[readable(part, limit) for part in parts] for parts in rows]
    whole = tokenizer.encode_whole([part for parts in read for part in parts])
    bodies = iter(np.split(whole.tokens, whole.boundaries[1:-1]))
    before = tokenizer.encode_whole([tokenizer.prefix.strip()]).tokens.tolist() if tokenizer.prefix else []
    opening, closing = (np.array(part, dtype=np.int32) for part in ([*tokenizer.opening, *before], tokenizer.closing))
    room = max(2, tokenizer.window - len(opening) - len(closing))
    tokens, lengths = [np.zeros(0, dtype=np.int32)], [0]
    marks: list[list[int]] = []
    left_out = total = 0.0
    for parts, short, numbers in zip(rows, read, marked, strict=True):
        own = [next(bodies) for _ in short]
        text = np.concatenate(own)
        starts = np.cumsum([0, *map(len, own)])
        wanted = [int(starts[number]) for number in numbers]
        spans = pieces(len(text), wanted, room)
        tokens += [opening, *(text[start:stop] for start, stop in spans), closing]
        used = sum(stop - start for start, stop in spans)
        lengths.append(len(opening) + used + len(closing))
        # Tokens of a second piece move up to the end of the first one.
        (first, end), (again, _) = spans[0], spans[-1]
        moved = (place - first if place < end else place - again + end - first for place in wanted)
        marks.append([len(opening) + place for place in moved])
        full = len(text) * sum(map(len, parts)) / sum(map(len, short))
        total += full
        left_out += full - used
    return Encoded(
        np.concatenate(tokens),
        np.cumsum(lengths, dtype=np.int64),
        left_out / total if total else 0.0,
        marks=np.array(marks, dtype=np.int64).reshape(len(marks), len(marks[0]) if marks else 0),
    )
