"""Texts without some of their words."""

from __future__ import annotations

from collections.abc import Sequence

from headstart.text.scripts import spans_of_words


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Delete words from a text, each with one of the spaces around it; the other words stay apart from each other.

    Args:
        text: the text.
        spans: start and end of each word as `scripts.spans_of_words` gives them, ascending.

    >>> without("It is not bad.", [(6, 9)]), without("don't", [(3, 4)]), without("天气很好", [(2, 3)])
    ('It is bad.', 'don t', '天气好')
    """
    parts: list[str] = []
    place, before = 0, ""
    for start, end in spans:
        if start > place:
            parts.append(text[place:start])
            before = text[start - 1]
        place, after = end, text[end : end + 1]
        if after.isspace() and (not before or before.isspace()):
            place += 1
        elif before and after and len(spans_of_words(before + after)) == 1:
            parts.append(" ")
            before = " "
    remaining = "".join([*parts, text[place:]])
    return remaining.rstrip() if place >= len(text) and spans else remaining
