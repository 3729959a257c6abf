"""How well a tokenizer covers the language of some texts, before any model is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headstart.text import scripts
from headstart.text.tokenizer import CHARACTERS_PER_TOKEN, Tokenizer


@dataclass(frozen=True)
class Coverage:
    """Token counts of some texts with one vocabulary.

    tokens: number of tokens, without special ones.
    unknown: how many of them are the unknown token.
    words: number of words as :func:`scripts.words` counts them: separated by white space, but each character of a
        script without spaces (Chinese, Japanese, Thai and others) is one.
    """

    tokens: int
    unknown: int
    words: int

    @property
    def unknown_share(self) -> float:
        """Share of unknown tokens, 0 to 1; 0 without tokens. Byte-level vocabularies have none in any language."""
        return self.unknown / self.tokens if self.tokens else 0.0

    @property
    def tokens_per_word(self) -> float:
        """Tokens per word; 0 without words.

        About 1.2 to 1.6 if the vocabulary covers the language. Byte-level vocabularies take 2 to 3 tokens for a Chinese
        character that they lack, and more than 3 for a word in a foreign alphabet.
        """
        return self.tokens / self.words if self.words else 0.0


def measure(texts: Sequence[str], tokenizer: Tokenizer) -> Coverage:
    """Count the tokens, unknown tokens and words of texts, each up to the length that a model would read.

    >>> from headstart.text import vocabulary
    >>> english = vocabulary.train(["good food", "bad food"] * 9, 60, window=16)
    >>> known, foreign = measure(["good food"], english), measure(["很好吃"], english)
    >>> known.unknown_share, known.tokens_per_word, foreign.unknown_share
    (0.0, 1.0, 1.0)
    """
    limit = tokenizer.window * CHARACTERS_PER_TOKEN
    read = [text[:limit] for text in texts]
    tokens = tokenizer.encode_whole(read).tokens
    unknown = 0 if tokenizer.unknown is None else int(np.count_nonzero(tokens == tokenizer.unknown))
    return Coverage(len(tokens), unknown, sum(map(scripts.words, read)))
