"""Pairs of texts: their columns, and how they are read, for tasks with two texts in a row."""

from __future__ import annotations

from collections.abc import Mapping

from headstart.core.contracts import Column, Value
from headstart.data.cells import text_cell

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
