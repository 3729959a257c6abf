"""Pairs of texts: their columns, and how they are read and encoded, for tasks with two texts in a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headstart.core.attribution import Span
from headstart.core.contracts import Column, Tokenizer, Value
from headstart.core.sequences import Encoded
from headstart.data.cells import text_cell
from headstart.text import removal

FIRST = Column(
    "first", frozenset({"premise", "sentence1", "text1", "texta", "question1", "query1", "evidence"}), form="text"
)
SECOND = Column(
    "second", frozenset({"hypothesis", "sentence2", "text2", "textb", "question2", "query2", "claim"}), form="text"
)


def read(cells: Mapping[str, Value]) -> tuple[str, str]:
    """Return both texts of a row.

    Raises:
        DataError: one of them is missing, or something else.
    """
    return text_cell(cells["first"], "first text"), text_cell(cells["second"], "second text")


def texts(value: Value) -> tuple[str, str]:
    """Return both texts of an input."""
    first, second = value
    return first, second


def without(pair: Sequence[str], removed: Sequence[Sequence[Span]]) -> tuple[str, str]:
    """Return both texts of a pair without some words."""
    first, second = map(removal.without, pair, removed)
    return first, second


def encode(inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
    """Turn pairs into token ids and segments, each pair truncated to the tokenizer's window, the longer text first."""
    return tokenizer.encode_pairs([first for first, _ in inputs], [second for _, second in inputs])
