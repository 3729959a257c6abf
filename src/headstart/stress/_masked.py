"""Words that a pretrained model expects where others stand, by its head for masked words."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from headstart.checkpoints import folder as checkpoints
from headstart.core.errors import HeadstartError
from headstart.nn.packed import pack
from headstart.nn.pretraining import Pretraining
from headstart.text.scripts import spans_of_words
from headstart.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Masked:
    """A model with a head for masked words.

    words: token id -> the word that it is; '' for pieces of words, special tokens and what is no word.
    """

    model: Pretraining
    tokenizer: Tokenizer
    words: tuple[str, ...]

    @torch.inference_mode()
    def best(self, text: str, spans: Sequence[tuple[int, int]]) -> list[str]:
        """Return for each word of a text the most likely other word in its place; '' beyond the model's window.

        Args:
            text: the text.
            spans: start and end of the words, which are all masked at once.
        """
        mask = self.tokenizer.mask
        assert mask is not None  # as `load` checks
        every = spans_of_words(text)
        encoded = self.tokenizer.encode_words([[text[start:end] for start, end in every]])
        assert encoded.words is not None  # as `encode_words` returns them
        end = int(encoded.boundaries[1])  # of the first window
        numbers = {every.index(span): place for place, span in enumerate(spans)}
        tokens: list[int] = []
        places: dict[int, int] = {}  # of a span -> place of its mask
        for token, word in zip(encoded.tokens[:end].tolist(), encoded.words[:end].tolist(), strict=True):
            if word not in numbers:
                tokens.append(token)
            elif numbers[word] not in places:
                places[numbers[word]] = len(tokens)
                tokens.append(mask)
        found = [""] * len(spans)
        if not places:
            return found
        batch = pack(np.array(tokens), np.array([0, len(tokens)]), np.array([0]))
        logits, _ = self.model(batch, torch.tensor([*places.values()]), False)  # (places, vocabulary)
        possible = np.array([bool(word) for word in self.words])
        for span, scores in zip(places, logits.float().numpy(), strict=True):
            own = text[slice(*spans[span])].lower()
            for token in np.argsort(-np.where(possible, scores[: len(possible)], -np.inf), kind="stable")[:2].tolist():
                if possible[token] and self.words[token].lower() != own:
                    found[span] = self.words[token]
                    break
        return found


@functools.lru_cache(maxsize=1)
def load(source: str) -> Masked | None:
    """Open a model; None if it cannot be opened or has no head for masked words.

    Args:
        source: see `checkpoints.folder.load`.
    """
    try:
        checkpoint = checkpoints.load(source, pretraining=True, dropout=0.0)
    except HeadstartError:  # such as a family whose heads of pretraining are not known
        return None
    tokenizer, model = checkpoint.tokenizer, checkpoint.model
    if any(name.startswith("head.words") for name in checkpoint.fresh) or tokenizer.mask is None:
        return None
    assert isinstance(model, Pretraining)  # as it was opened
    inside, special = tokenizer.inside_words(), set(tokenizer.special)
    words = [tokenizer.backend.id_to_token(token) or "" for token in range(tokenizer.size)]
    kept = (word if word.isalpha() and not inside[n] and n not in special else "" for n, word in enumerate(words))
    return Masked(model.eval(), tokenizer, tuple(kept))


def first(sources: Sequence[str]) -> str:
    """Return the first model with a head for masked words; the first of all if none has one, '' if there is none."""
    return next(filter(load, sources), next(iter(sources), ""))
