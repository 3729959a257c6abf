"""Scripts without spaces between words."""

from __future__ import annotations

import re

# Thai, Lao, Myanmar, Khmer, Japanese kana, and Chinese characters with their extensions.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9d\U00020000-\U000323af"
)
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
START = re.compile(rf"[{_UNSPACED}]")
# Vowel signs and accents, which Python's \w does not count as part of a word.
_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0981-\u0d4d"
WORD = re.compile(rf"[{_UNSPACED}]|(?:[^\W{_UNSPACED}]|[{_MARKS}])+|\S")


def words(text: str) -> int:
    """Count words: separated by white space, but each character of a script without spaces is one.

    >>> words("two words"), words("很好"), words("买了iPhone 很好。")
    (2, 2, 6)
    """
    return sum(1 for _ in _UNIT.finditer(text))


def starts_unspaced(text: str) -> bool:
    """Return whether a text begins with a character of a script without spaces.

    >>> starts_unspaced("天气"), starts_unspaced("weather")
    (True, False)
    """
    return START.match(text) is not None


def spans_of_words(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word, punctuation mark, and character of a script without spaces.

    >>> spans_of_words("Rome, 罗马")
    [(0, 4), (4, 5), (6, 7), (7, 8)]
    """
    return [match.span() for match in WORD.finditer(text)]
