"""Two texts as one text for models on n-grams: each word says whether it is in both texts or in one of them.

A model on the words of both texts alone cannot see what they share, which is most of what a linear model can know about
a pair.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from headstart.core.contracts import Task, Value

# A word, or one Chinese, Japanese or similar character, or a punctuation mark or emoji.
TOKEN = r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+|[^\w\s]"
_word = re.compile(TOKEN)


def n_gram_texts(task: Task, inputs: Sequence[Value]) -> list[str]:
    """Return one text per input: that of an input with one text, or the marked words of two."""
    return [joined(*texts) if len(texts := task.texts(value)) == 2 else " ".join(texts) for value in inputs]


def marked_words(first: str, second: str) -> list[tuple[int, int, int]]:
    """Return where each marked word of :func:`joined` is from: its text (0 or 1), start and end there, in order.

    >>> marked_words("It rained", "So!")
    [(0, 0, 2), (0, 3, 9), (1, 0, 2), (1, 2, 3)]
    """
    found = []
    for number, text in enumerate((first, second)):
        low, owners = lowered(text)
        found += [(number, owners[match.start()], owners[match.end() - 1] + 1) for match in _word.finditer(low)]
    return found


def lowered(text: str) -> tuple[str, list[int]]:
    """Return a text in lower case, and the place in the text of each of its characters.

    >>> lowered("İA")[1]  # a lower-case İ has two characters
    [0, 0, 1]
    """
    low = text.lower()
    if len(low) == len(text):
        return low, list(range(len(text)))
    # Letters alone have another lower case than at the end of a word, but one of the same length.
    return low, [place for place, letter in enumerate(text) for _ in letter.lower()]


def joined(first: str, second: str) -> str:
    """Join two texts into one, with a mark before each word, and words for the shares that are in both texts.

    >>> joined("It rained a lot", "It snowed")
    'both_it first_rained first_a first_lot both_it second_snowed share_first_2 share_second_5'
    """
    sides = {name: _word.findall(text.lower()) for name, text in (("first", first), ("second", second))}
    both = set(sides["first"]) & set(sides["second"])
    marked = [f"{'both' if word in both else name}_{word}" for name, words in sides.items() for word in words]
    tenths = [f"share_{name}_{10 * len(both) // max(1, len(set(words)))}" for name, words in sides.items()]
    return " ".join(marked + tenths)
