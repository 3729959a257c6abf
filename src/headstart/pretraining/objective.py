"""Masked words and next passages: training targets from text without labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from headstart.nn.packed import Batch
    from headstart.text.shards import Shard, Windows
    from headstart.text.tokenizer import Tokenizer

# A token to be predicted is masked, replaced by a random word, or left unchanged (Devlin et al. 2019, 3.1).
HIDDEN, REPLACED = 0.8, 0.1
UNASKED = -100
ANOTHER = 1


@dataclass(frozen=True)
class Questions:
    """A batch with the targets of pretraining; all places are in the batch's packed order.

    batch: the texts as the model sees them.
    places: int64 ``(places,)``, tokens to be predicted.
    words: int64 ``(places,)``, their original ids.
    pairs: int64 ``(sequences,)``, 0 if the second passage follows the first, 1 if it comes from another document, -100
        if a window has fewer than two sentences; None if passages are not predicted.
    """

    batch: Batch
    places: Tensor
    words: Tensor
    pairs: Tensor | None


@dataclass(frozen=True)
class Vocabulary:
    """The facts about a tokenizer that masking needs.

    opening: ids before a text.
    closing: ids after a text.
    mask: id of the mask token.
    special: bool ``(ids,)``, whether an id is special.
    ordinary: ids of words.
    inside: bool ``(ids,)``, whether a token continues the word of the previous token.
    """

    opening: np.ndarray
    closing: np.ndarray
    mask: int
    special: np.ndarray
    ordinary: np.ndarray
    inside: np.ndarray


@dataclass(frozen=True)
class Objective:
    """Predict masked words, and whether two passages follow each other.

    masked: share of the tokens that are predicted, 0 to 1.
    whole_words: mask all pieces of a word or none of them.
    next_sentence: cut windows in two where a sentence ends, and replace the second part of half of them with one of
        another document (Devlin et al. 2019, section 3.1).
    """

    masked: float = 0.15
    whole_words: bool = False
    next_sentence: bool = True

    def room(self, window: int, vocabulary: Vocabulary) -> int:
        """Return the number of tokens of text in a window, without special tokens."""
        return window - len(vocabulary.opening) - len(vocabulary.closing) * (1 + self.next_sentence)

    def ask(
        self, shard: Shard, windows: Windows, rows: np.ndarray, vocabulary: Vocabulary, chance: np.random.Generator
    ) -> Questions:
        """Turn some windows into a batch with targets; different ones for a different `chance`.

        Args:
            shard: the tokenised documents.
            windows: cut with the :meth:`room` of this task.
            rows: int64 ``(sequences,)``, which of them.
            vocabulary: facts about the tokenizer.
            chance: random number generator.
        """
        import torch

        from headstart.nn.packed import pack

        first, second, pairs = self._passages(shard, windows, rows, chance)
        pieces, sizes = [], []
        for (a, b), (c, d) in zip(first.tolist(), second.tolist(), strict=True):
            pieces += [vocabulary.opening, shard.tokens[a:b], vocabulary.closing]
            sizes += [sum(map(len, pieces[-3:])), 0]
            if d > c:
                pieces += [shard.tokens[c:d], vocabulary.closing]
                sizes[-1] = sum(map(len, pieces[-2:]))
        tokens = np.concatenate(pieces).astype(np.int64)
        lengths = np.array(sizes).reshape(-1, 2)
        boundaries = np.concatenate([[0], np.cumsum(lengths.sum(axis=1))])
        segments = np.repeat(np.arange(lengths.size) % 2, lengths.ravel()) if self.next_sentence else None
        batch = pack(tokens, boundaries, np.arange(len(rows)), segments=segments)
        # Words are masked in the packed batch, so that their places are those of its states.
        places, ids = self.hide(batch.ids.numpy(), vocabulary, chance)
        words = batch.ids[places]
        batch.ids[places] = torch.from_numpy(ids)
        asked = torch.from_numpy(pairs)[batch.order] if self.next_sentence else None
        return Questions(batch, torch.from_numpy(places), words, asked)

    def hide(
        self, tokens: np.ndarray, vocabulary: Vocabulary, chance: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Choose the tokens to be predicted, and what the model sees in their places; at least one if there are words.

        Of those chosen 80 % are masked, 10 % are replaced by any other word and 10 % stay, so that the model cannot
        rely on what it sees.

        Args:
            tokens: int ``(tokens,)``, texts end to end.
            vocabulary: facts about the tokenizer.
            chance: random number generator.

        Returns:
            int64 ``(places,)``, ascending, and int64 ``(places,)``, the ids to be seen there.
        """
        free = ~vocabulary.special[tokens]
        starts = ~(free & vocabulary.inside[tokens]) if self.whole_words else np.ones(len(tokens), dtype=bool)
        units = np.cumsum(starts) - 1
        chosen = free & (chance.random(len(tokens)) < self.masked)[units]
        if free.any() and not chosen.any():
            chosen = free & (units == units[chance.choice(np.flatnonzero(free))])
        places = np.flatnonzero(chosen)
        fate = chance.random(len(places))
        others = chance.choice(vocabulary.ordinary, len(places))
        seen = np.where(fate < HIDDEN + REPLACED, others, tokens[places])
        return places, np.where(fate < HIDDEN, vocabulary.mask, seen)

    def _passages(
        self, shard: Shard, windows: Windows, rows: np.ndarray, chance: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Cut windows into two passages, int64 ``(sequences, 2)`` each; return also whether the second follows."""
        starts, ends = windows.starts[rows], windows.ends[rows]
        if not self.next_sentence:
            return np.stack([starts, ends], 1), np.stack([ends, ends], 1), np.full(len(rows), UNASKED)
        cuts, several = _cut(shard, starts, ends, chance)
        others = chance.integers(len(windows), size=len(rows))
        limits = windows.limits[others]
        strange, _ = _cut(shard, windows.starts[others], windows.ends[others], chance)
        # A passage of a single sentence is taken from its beginning.
        strange = np.where(strange < windows.ends[others], strange, windows.starts[others])
        exchanged = several & (limits != windows.limits[rows]) & (chance.random(len(rows)) < 0.5)
        seconds = np.stack([cuts, ends], 1)
        # As long as the passage it replaces, if the other document is long enough, so that the length reveals nothing.
        seconds[exchanged] = np.stack([strange, np.minimum(strange + ends - cuts, limits)], 1)[exchanged]
        return np.stack([starts, cuts], 1), seconds, np.where(several, exchanged * ANOTHER, UNASKED)


def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """Collect the facts about a tokenizer that masking needs.

    Raises:
        CheckpointError: it has no mask token.
    """
    from headstart.core.errors import CheckpointError

    if tokenizer.mask is None:
        raise CheckpointError("the tokenizer has no mask token, so no word can be masked; start from another model.")
    special = np.zeros(tokenizer.size, dtype=bool)
    special[tokenizer.special] = True
    inside = tokenizer.inside_words()
    opening, closing = (np.array(ids, dtype=np.int64) for ids in (tokenizer.opening, tokenizer.closing))
    return Vocabulary(opening, closing, tokenizer.mask, special, np.flatnonzero(~special), inside)


def _cut(
    shard: Shard, starts: np.ndarray, ends: np.ndarray, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose a sentence end inside each window; the end of the window, and False, if there is none."""
    low = np.searchsorted(shard.sentences, starts, side="right")
    inner = np.searchsorted(shard.sentences, ends, side="left") - low
    chosen = low + (chance.random(len(starts)) * inner).astype(np.int64)
    several = inner > 0
    return np.where(several, shard.sentences[np.minimum(chosen, len(shard.sentences) - 1)], ends), several
