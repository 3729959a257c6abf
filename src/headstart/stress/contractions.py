"""Contractions of English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from headstart.stress import Edit, Language, Transformation

_VERBS = "do|does|did|is|are|was|were|has|have|had|could|would|should|must|need"
# Pattern -> what takes its place; tokenised texts have a space before the apostrophe.
_RULES = (
    (rf"\b({_VERBS}) ?n['’]t\b", r"\1 not"),
    (r"\b(ca) ?n['’]t\b", "cannot"),
    (r"\b(wo) ?n['’]t\b", "will not"),
    (r"\b(i) ?['’]m\b", r"\1 am"),
    (r"\b(you|we|they) ?['’]re\b", r"\1 are"),
    (r"\b(i|you|we|they) ?['’]ve\b", r"\1 have"),
    (r"\b(i|you|he|she|it|we|they) ?['’]ll\b", r"\1 will"),
    (rf"\b({_VERBS}) not\b", r"\1n't"),
    (r"\b(can ?not)\b", "can't"),
    (r"\b(will not)\b", "won't"),
    (r"\b(i) am\b", r"\1'm"),
    (r"\b(you|we|they) are\b", r"\1're"),
)
_EACH = tuple((re.compile(pattern, re.IGNORECASE), new) for pattern, new in _RULES)


@dataclass(frozen=True)
class Contractions(Transformation):
    """Write out English contractions, and contract what is written out: isn't, is not."""

    language: ClassVar[Language] = "English"

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Replace each by the other form; words in capitals stay."""
        found = []
        for rule, new in _EACH:
            for match in rule.finditer(text):
                written = rule.sub(new, match[0])
                written = written[0].upper() + written[1:] if match[0][0].isupper() else written
                found += [] if match[0].isupper() else [Edit(*match.span(), written)]
        edits: list[Edit] = []
        for edit in sorted(found, key=lambda edit: (edit.start, -edit.end)):
            if not edits or edit.start >= edits[-1].end:
                edits.append(edit)
        return edits


PLUGIN = Contractions
