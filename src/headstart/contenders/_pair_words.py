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
