"""Negation in English."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from headstart.core.contracts import Kind
from headstart.stress import Edit, Expected, Language, Transformation

_VERB = re.compile(
    r"\b(is|are|was|were|am|will|would|can|could|should|must)\b(?!\s*(n['’]t|not|never|no|['’]|[.,;:!?]|$))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Negation(Transformation):
    """Insert 'not' after the first is, was, can or the like that is not negated.

    Many texts then say the opposite, others much the same: what is reported is the share of changed predictions.
    """

    expected: ClassVar[Expected] = "other"
    kinds: ClassVar[frozenset[Kind]] = frozenset({"label"})
    language: ClassVar[Language] = "English"
    one_text: ClassVar[bool] = True

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Insert it once."""
        match = _VERB.search(text)
        if match is None:
            return []
        return [Edit(match.end(), match.end(), " NOT" if match[0].isupper() else " not")]


PLUGIN = Negation
