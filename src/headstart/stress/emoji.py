"""Emoji."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from headstart.stress import Edit, Transformation

# Things that are neither liked nor disliked.
NEUTRAL = ("📎", "📌", "📅", "🚪", "🪑", "📦", "🕐", "🔢", "📏", "🧾", "🪟", "📁")


@dataclass(frozen=True)
class Emoji(Transformation):
    """Add an emoji of a thing without any feeling to the end, such as a paper clip."""

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Add it after a space."""
        end = len(text.rstrip())
        return [Edit(end, end, f" {random.choice(NEUTRAL)}")] if end else []


PLUGIN = Emoji
