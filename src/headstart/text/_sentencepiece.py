"""Read a SentencePiece model: the pieces with their scores, and the characters replaced before segmentation.

The file is a protocol buffer (sentencepiece_model.proto): each field has a number and a wire type, and only a few of
them matter here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

VARINT, LONG, BYTES, SHORT = 0, 1, 2, 5
SIZES = {LONG: 8, SHORT: 4}
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4
UNIGRAM = 1


@dataclass(frozen=True)
class Pieces:
    """A Unigram vocabulary.

    scored: pieces and scores in the order of their ids.
    added: pieces matched in the text before segmentation, and whether they are special.
    charsmap: as in :func:`check_charsmap`; None if nothing is replaced.
    unknown: id of the unknown piece.
    """

    scored: list[tuple[str, float]]
    added: list[tuple[str, bool]]
    charsmap: bytes | None
    unknown: int


def parse(data: bytes) -> Pieces:
    """Parse the bytes of a model.

    Raises:
        ValueError: they are damaged, or the model is not Unigram.
    """
    scored, added = [], []
    charsmap, unknown, kind = b"", 0, UNIGRAM
    for number, content in _fields(data):
        if number == 1 and isinstance(content, bytes):
            piece, score, role = "", 0.0, NORMAL
            for inner, value in _fields(content):
                if inner == 1 and isinstance(value, bytes):
                    piece = value.decode("utf-8")
                elif inner == 2 and isinstance(value, bytes):
                    score = struct.unpack("<f", value)[0]
                elif inner == 3 and isinstance(value, int):
                    role = value
            scored.append((piece, score))
            if role in (CONTROL, USER_DEFINED):
                added.append((piece, role == CONTROL))
        elif number == 2 and isinstance(content, bytes):
            numbers = {inner: value for inner, value in _fields(content) if isinstance(value, int)}
            kind, unknown = numbers.get(3, UNIGRAM), numbers.get(40, 0)
        elif number == 3 and isinstance(content, bytes):
            charsmap = next(
                (value for inner, value in _fields(content) if inner == 2 and isinstance(value, bytes)), b""
            )
    if kind != UNIGRAM:
        raise ValueError("it is not a Unigram model")
    return Pieces(scored, added, charsmap or None, unknown)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Return the fields of a message by their numbers."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == VARINT:
            value, place = _varint(data, place)
            yield key >> 3, value
            continue
        size = SIZES.get(kind)
        if kind == BYTES:
            size, place = _varint(data, place)
        if size is None or place + size > len(data):
            raise ValueError("a field is damaged or cut off")
        yield key >> 3, data[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Decode a varint (seven bits per byte, lowest first); return it and the next position."""
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("a number is damaged or cut off")
