"""Accents."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from random import Random
from typing import Literal

from headstart.stress import Edit, Transformation

RATE = 0.1
ADDED = ("\u0301", "\u0300", "\u0308", "\u0302")  # acute, grave, diaeresis, circumflex
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]\u0300?[\u0300-\u036f]*")


@dataclass(frozen=True)
class Accents(Transformation):
    """Leave out the accents of Latin letters, or give a tenth of the vowels one.

    way_of: 'removed' or 'added'.
    """

    way_of: Literal["removed", "added"] = "removed"

    @property
    def way(self) -> str:
        """'removed' or 'added'."""
        return self.way_of

    @classmethod
    def variants(cls) -> tuple[Accents, ...]:
        """Return both."""
        return cls("removed"), cls("added")

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Replace each letter that is written otherwise."""
        edits = []
        for match in _LATIN.finditer(text):
            letter = unicodedata.normalize("NFD", match[0])
            new = letter[0]
            if self.way_of == "added":
                accent = random.choice(ADDED)
                if len(letter) > 1 or letter.lower() not in "aeiou" or random.random() >= RATE:
                    continue
                new = unicodedata.normalize("NFC", letter + accent)
            if new != match[0]:
                edits.append(Edit(*match.span(), new))
        return edits


PLUGIN = Accents
