"""Capital letters."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

from headstart.stress import Edit, Transformation


@dataclass(frozen=True)
class Case(Transformation):
    """Write everything in small letters, or in capitals.

    to: 'lower' or 'upper'.
    """

    to: Literal["lower", "upper"] = "lower"

    @property
    def way(self) -> str:
        """'lower' or 'upper'."""
        return self.to

    @classmethod
    def variants(cls) -> tuple[Case, ...]:
        """Return both."""
        return cls("lower"), cls("upper")

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Replace each word that is written otherwise."""
        edits = []
        for match in re.finditer(r"\w+", text):
            word = match[0].lower() if self.to == "lower" else match[0].upper()
            if word != match[0]:
                edits.append(Edit(*match.span(), word))
        return edits


PLUGIN = Case
