"""Words that a pretrained model expects instead."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import ClassVar

from headstart.core.contracts import Kind
from headstart.stress import Edit, Expected, Transformation
from headstart.text.scripts import spans_of_words, starts_unspaced

RATE = 0.1
SHORTEST = 4  # letters of a word that is replaced, so that no negation is


@dataclass(frozen=True)
class Substitutes(Transformation):
    """Replace a tenth of the longer words by what a pretrained model expects in their places.

    Some of them say something else, such as another judgement: nobody reads the result.

    backbone: a folder, a packaged model or an address, with a head for masked words; '' for none.
    """

    backbone: str = ""

    expected: ClassVar[Expected] = "mostly same"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "number"})
    one_text: ClassVar[bool] = True

    @property
    def obstacle(self) -> str:
        """Whether there is no such model."""
        if not self.backbone:
            return "no model with a head for masked words is named"
        from headstart.stress import _masked

        return "" if _masked.load(self.backbone) else f"'{self.backbone}' has no head for masked words"

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Replace each word with the probability of a tenth; capitals stay."""
        spans = [
            (start, end)
            for start, end in spans_of_words(text)
            if text[start:end].isalpha() and end - start >= SHORTEST and not starts_unspaced(text[start])
        ]
        chosen = [span for span in spans if random.random() < RATE]
        if not chosen or not self.backbone:
            return []
        from headstart.stress import _masked

        model = _masked.load(self.backbone)
        words = model.best(text, chosen) if model else []
        return [
            Edit(start, end, word.capitalize() if text[start].isupper() else word)
            for (start, end), word in zip(chosen, words, strict=True)
            if word
        ]


PLUGIN = Substitutes
