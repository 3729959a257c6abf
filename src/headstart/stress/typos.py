"""Typing errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from headstart.stress import Edit, Transformation
from headstart.text.scripts import starts_unspaced

RATES = (0.02, 0.05, 0.1, 0.2)
SHORTEST = 4  # letters of a word that is changed: 'not' must not become 'no' or 'hot'
# English words without which a text says something else. Of "didn't" the part before the apostrophe is a word.
_ADVERBS = (
    "never",
    "nothing",
    "none",
    "nobody",
    "nowhere",
    "neither",
    "without",
    "cannot",
    "hardly",
    "barely",
    "rarely",
)
_VERBS = ("do", "does", "did", "is", "are", "was", "were", "has", "have", "had", "wo", "would", "ca", "could", "should")
ENGLISH = frozenset((*_ADVERBS, "seldom", *(verb + end for verb in (*_VERBS, "must", "need") for end in ("n", "nt"))))
# Characters of Chinese negations, which are never moved.
NEGATIONS = frozenset("不没無无别別未非否勿")
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_WORD = re.compile(r"[^\W\d_]+")


def _neighbours() -> dict[str, str]:
    """Return the letters beside each letter on a QWERTY keyboard, each row half a key further right."""
    places = {key: (row, column + row / 2) for row, keys in enumerate(_KEYS) for column, key in enumerate(keys)}
    return {
        key: "".join(
            other
            for other, (row, column) in places.items()
            if other != key and abs(row - place[0]) <= 1 and abs(column - place[1]) <= 1
        )
        for key, place in places.items()
    }


NEIGHBOURS = _neighbours()


@dataclass(frozen=True)
class Typos(Transformation):
    """Change words as in hasty typing: letters swapped, left out, repeated, or the key beside the right one.

    Words shorter than four letters, longer English negations and first letters stay, so that none is lost and words
    remain readable. In scripts without spaces, characters are swapped with the next one or repeated, but not those of
    negations.

    rate: share of the words that are changed, 0 to 1.
    """

    rate: float = 0.1

    @property
    def way(self) -> str:
        """The rate, such as '5%'."""
        return f"{100 * self.rate:g}%"

    @classmethod
    def variants(cls) -> tuple[Typos, ...]:
        """Return four rates; a word that is changed at one rate is changed alike at the higher ones."""
        return tuple(map(cls, RATES))

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Change each word with the probability `rate`."""
        edits: list[Edit] = []
        for start, end in _units(text):
            chance, own = random.random(), Random(random.random())
            if chance >= self.rate or (edits and start < edits[-1].end):
                continue
            unit = text[start:end]
            if starts_unspaced(unit):
                edits += _swapped_or_repeated(text, start, own)
            elif end - start >= SHORTEST and unit.lower() not in ENGLISH:
                edits.append(_mistyped(unit, start, own))
        return edits


def _units(text: str) -> list[tuple[int, int]]:
    """Return start and end of each word, and of each character of a script without spaces."""
    found: list[tuple[int, int]] = []
    for match in _WORD.finditer(text):
        start = match.start()
        for place in range(match.start(), match.end()):
            if starts_unspaced(text[place]):
                if start < place:
                    found.append((start, place))
                found.append((place, place + 1))
                start = place + 1
        if start < match.end():
            found.append((start, match.end()))
    return found


def _mistyped(word: str, start: int, random: Random) -> Edit:
    """Return one typing error after the first letter of a word."""
    place = random.randrange(1, len(word))
    kind = random.choice(("swap", "drop", "repeat", "neighbour"))
    letter = word[place]
    if kind == "swap":
        swaps = [i for i in range(1, len(word) - 1) if word[i] != word[i + 1]]
        if swaps:
            place = random.choice(swaps)
            return Edit(start + place, start + place + 2, word[place + 1] + word[place])
    if kind == "drop":
        return Edit(start + place, start + place + 1, "")
    if kind == "neighbour" and letter.lower() in NEIGHBOURS:
        other = random.choice(NEIGHBOURS[letter.lower()])
        return Edit(start + place, start + place + 1, other.upper() if letter.isupper() else other)
    return Edit(start + place, start + place + 1, 2 * letter)


def _swapped_or_repeated(text: str, place: int, random: Random) -> list[Edit]:
    """Return an error at a character of a script without spaces; none at a negation."""
    if text[place] in NEGATIONS:
        return []
    following = text[place + 1 : place + 2]
    swap = random.random() < 0.5 and starts_unspaced(following) and following != text[place]
    if swap and following not in NEGATIONS:
        return [Edit(place, place + 2, following + text[place])]
    return [Edit(place, place + 1, 2 * text[place])]


PLUGIN = Typos
