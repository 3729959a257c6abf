"""Truncation."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from headstart.core.contracts import Kind
from headstart.stress import Edit, Expected, Transformation
from headstart.text.scripts import spans_of_words

FEWEST = 4  # words of a text that is cut


@dataclass(frozen=True)
class Truncation(Transformation):
    """Cut off the second half of the words, as a preview does; the answer may be in that half."""

    expected: ClassVar[Expected] = "mostly same"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "number"})
    one_text: ClassVar[bool] = True

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Remove what follows the middle word."""
        spans = spans_of_words(text)
        return [Edit(spans[len(spans) // 2 - 1][1], len(text), "")] if len(spans) >= FEWEST else []


PLUGIN = Truncation
