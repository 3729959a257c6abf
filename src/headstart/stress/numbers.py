"""Numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from headstart.core.contracts import Kind
from headstart.stress import Edit, Expected, Transformation

# Of two to six digits, and no part of a longer number, a code, a date, a rating or a percentage.
_NUMBER = re.compile(r"(?<![\w.,:/%$-])\d{2,6}(?![\w:/%-]|[.,]\d| ?(?:%|/))", re.ASCII)


@dataclass(frozen=True)
class Numbers(Transformation):
    """Replace numbers of two to six digits by others of as many, the same one wherever a number occurs.

    Ratings, percentages, dates and codes stay. The answer stays unless it depends on the number.
    """

    expected: ClassVar[Expected] = "mostly same"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "facts"})
    one_text: ClassVar[bool] = True

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Replace each number."""
        salt = random.random()
        edits = []
        for match in _NUMBER.finditer(text):
            lowest = 10 ** (len(match[0]) - 1)
            # One of the others of as many digits.
            new = Random(f"{salt} {match[0]}").randrange(lowest, 10 * lowest - 1)
            new += new >= int(match[0])
            edits.append(Edit(*match.span(), str(new)))
        return edits


PLUGIN = Numbers
