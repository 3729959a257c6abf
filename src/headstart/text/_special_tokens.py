"""Where a tokenizer puts special tokens: around a text, and between two."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import tokenizers

from headstart.core.errors import CheckpointError


def around(backend: tokenizers.Tokenizer) -> tuple[list[int], list[int]]:
    """Return the special tokens before and after a text.

    Raises:
        CheckpointError: they are elsewhere, or no text has tokens.
    """
    for text in _samples(backend):
        plain = backend.encode(text, add_special_tokens=False).ids
        if not plain:
            continue
        encoding = backend.encode(text)
        places = [place for place, owner in enumerate(encoding.sequence_ids) if owner is not None]
        start, end = places[0], places[-1] + 1
        if encoding.ids[start:end] != plain:
            raise CheckpointError("the tokenizer puts special tokens inside a text, which is not supported.")
        return encoding.ids[:start], encoding.ids[end:]
    raise CheckpointError("the tokenizer finds no tokens in any text; fetch the model again.")


def of_pairs(backend: tokenizers.Tokenizer, closing: Sequence[int]) -> tuple[list[int], tuple[int, ...]]:
    """Return the special tokens between two texts, and the segment of what is before, in, between, in and after them.

    A tokenizer that joins two texts without special tokens gets those that close a text.
    """
    for text in _samples(backend):
        if not backend.encode(text, add_special_tokens=False).ids:
            continue
        encoding = backend.encode(text, text)
        owners, types = encoding.sequence_ids, encoding.type_ids
        start, stop = owners.index(0), len(owners) - 1 - owners[::-1].index(0)
        after, end = owners.index(1), len(owners) - 1 - owners[::-1].index(1)
        between = encoding.ids[stop + 1 : after] or list(closing)
        places = max(0, start - 1), start, min(stop + 1, after), after, min(end + 1, len(types) - 1)
        return between, tuple(types[place] for place in places)
    return list(closing), (0,) * 5


def _samples(backend: tokenizers.Tokenizer) -> Iterator[str]:
    """Yield texts that should have tokens: a letter, then tokens of the vocabulary, which may be of any alphabet."""
    yield "a"
    yield from islice(backend.get_vocab(with_added_tokens=False), 100)
