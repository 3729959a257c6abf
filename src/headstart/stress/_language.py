"""Are texts English? By the share of words that are frequent in English and rare elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence

FREQUENT = frozenset(
    "the and of to is that it with for this not are you have be from by at or but".split()  # noqa: SIM905 (a list of so many words reads worse)
)
LEAST = 0.06  # share of such words; in other languages below 0.03
WORDS = 20_000  # that are looked at
_WORD = re.compile(r"[^\W\d_]+")


def is_english(texts: Sequence[str]) -> bool:
    """Return whether most texts are English.

    >>> is_english(["The film is not worth the price."]), is_english(["Der Film war das Geld nicht wert."])
    (True, False)
    """
    words: list[str] = []
    for text in texts:
        words += _WORD.findall(text.lower())
        if len(words) >= WORDS:
            break
    return bool(words) and sum(word in FREQUENT for word in words) >= LEAST * len(words)
