"""Punctuation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from headstart.stress import Edit, Transformation

# Marks at the end of a word, with the space before them that tokenised texts have; not those inside 3.5 or example.com.
_MARKS = re.compile(r"[ \t]*[.,;:]+(?=\s|$)|[。，、；：]+(?=(.?))", re.DOTALL)


@dataclass(frozen=True)
class Punctuation(Transformation):
    """Leave out full stops, commas, colons and semicolons; question and exclamation marks stay."""

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Remove the marks; a space takes the place of a wide one, unless the text ends there."""
        return [Edit(*match.span(), " " if match[1] else "") for match in _MARKS.finditer(text)]


PLUGIN = Punctuation
