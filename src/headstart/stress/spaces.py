"""White space."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from headstart.stress import Edit, Transformation
from headstart.text.scripts import starts_unspaced

RATE = 0.2
WIDE = ("  ", "   ", "\t", "\n", "\u00a0")
_GAP = re.compile(r"\s+|(?<=\w)(?=\w)")


@dataclass(frozen=True)
class Spaces(Transformation):
    """Replace a fifth of the spaces by several, a tab, a line end or one that does not break lines.

    In scripts without spaces, a space comes between a fifth of the characters.
    """

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Replace or insert spaces."""
        edits = []
        for match in _GAP.finditer(text):
            start, end = match.span()
            if start == end and not (starts_unspaced(text[start - 1]) and starts_unspaced(text[start])):
                continue
            wide = random.choice(WIDE)
            if random.random() < RATE:
                edits.append(Edit(start, end, " " if start == end else wide))
        return edits


PLUGIN = Spaces
