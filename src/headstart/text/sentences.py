"""Where sentences end: a heuristic for every script, good enough to cut text at sensible places."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A full stop or similar, with closing quotes or brackets, before white space; an ideographic one anywhere; a line end.
_END = re.compile(r"[.!?…]+[\"')\]»”’]*(?=\s)|[。！？]+[\"”’」』]*|\n")
# Maximum length of a piece, in characters.
LONGEST = 10_000


def split(text: str) -> Iterator[str]:
    """Yield the sentences of a text, without surrounding white space; a longer one is cut at 10,000 characters.

    An abbreviation before a space ("Mr. Smith") ends a sentence too.

    >>> list(split('He said "no." She left! 好。是的'))
    ['He said "no."', 'She left!', '好。', '是的']
    """
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        sentence = text[start:end].strip()
        yield from (sentence[place : place + LONGEST] for place in range(0, len(sentence), LONGEST))
        start = end
