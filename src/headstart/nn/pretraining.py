"""The two heads of pretraining (Devlin et al. 2019, section 3.1): masked words, and passages that follow each other.

Shapes: places = masked words of the batch, sequences = its texts, width = hidden size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from headstart.nn.block import ACTIVATIONS, Block
from headstart.nn.encoder import DEVIATION, Encoder, initialise
from headstart.nn.packed import Batch

# Word vectors from counts are scaled to so many times the length of random ones, since they should outweigh positions
# and change less; the first block adds the mean of the text times MEAN to each token (docs/lab.md).
LENGTH, MEAN = 3.0, 2.0


class WordHead(nn.Module):
    """Score every word of the vocabulary at masked places: a dense layer, an activation, a norm, the word embeddings.

    The last matrix is shared with the embeddings (Press & Wolf 2017) and passed by the caller; a bias is added.
    """

    def __init__(self, width: int, vocabulary: int, activation: str, epsilon: float):
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """Map states ``(places, width)`` and embeddings ``(vocabulary, width)`` to logits ``(places, vocabulary)``."""
        return F.linear(self.norm(self.activation(self.dense(hidden))), words, self.bias)


class PretrainingHead(nn.Module):
    """The head for masked words and, on first tokens, BERT's pooler with two classes: follows (0), does not (1)."""

    def __init__(self, width: int, vocabulary: int, activation: str = "gelu", epsilon: float = 1e-12):
        super().__init__()
        self.words = WordHead(width, vocabulary, activation, epsilon)
        self.dense = nn.Linear(width, width)
        self.next = nn.Linear(width, 2)
        initialise(self)


class Pretraining(nn.Module):
    """An encoder with the heads of pretraining; its last block computes only the states that a head reads."""

    def __init__(self, encoder: Encoder, head: PretrainingHead):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, batch: Batch, places: Tensor, pairs: bool) -> tuple[Tensor, Tensor | None]:
        """Score masked words and, if the texts are pairs, whether their passages follow each other.

        Args:
            batch: the texts.
            places: int64 ``(places,)``, the masked tokens, in the packed order of the batch.
            pairs: whether the texts are pairs of passages.

        Returns:
            logits ``(places, vocabulary)``; logits ``(sequences, 2)``, or None without `pairs`.
        """
        read = torch.cat((batch.starts.long(), places)) if pairs else places  # (sequences + places,) or (places,)
        hidden = self.encoder(batch, places=read)  # (read, width)
        # (sequences, width), empty without `pairs`; (places, width)
        first, hidden = hidden[: len(read) - len(places)], hidden[len(read) - len(places) :]
        words = self.head.words(hidden, self.encoder.embeddings.word.weight)  # (places, vocabulary)
        return words, self.head.next(self.head.dense(first).tanh()) if pairs else None


@torch.no_grad()
def begin_with(encoder: Encoder, vectors: Tensor) -> None:
    """Initialise an encoder with known word vectors, and its first block so that it adds the mean of the text.

    The first token then represents the topic of the text from the start. A random block would add almost nothing, and a
    small model needs longer than minutes to learn that a mean is useful.

    Args:
        encoder: the encoder to change, in place.
        vectors: float32 ``(vocabulary, width)``, rows of length 1, or of zeros for words that stay random.
    """
    words, width = encoder.embeddings.word.weight, encoder.width
    known = vectors.any(dim=1)  # (vocabulary,)
    words[known] = (vectors[known] * (LENGTH * DEVIATION * width**0.5)).to(words.device)
    block = encoder.blocks[0]
    assert isinstance(block, Block)
    # Queries and keys are small, so each token attends to all equally; the output matrix inverts the value matrix.
    turn = nn.init.orthogonal_(torch.empty(width, width))
    block.attention.qkv.weight[2 * width :] = turn
    block.attention.output.weight.copy_(MEAN * turn.T)


def word_loss(logits: Tensor, words: Tensor) -> Tensor:
    """Sum the cross-entropy of logits ``(places, vocabulary)`` against word ids ``(places,)``, with one pass less.

    Over thousands of words the exponentials cost as much as a layer of a small model. The usual function computes them
    once in the forward and again in the backward pass.
    """
    loss: Tensor = _WordLoss.apply(logits, words)
    return loss


class _WordLoss(torch.autograd.Function):
    """Store the probabilities of the words and turn them, in place, into the gradient."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, words: Tensor) -> Tensor:
        """Compute the loss."""
        chances = logits.softmax(-1)
        ctx.save_for_backward(chances, words)
        right = chances.gather(1, words[:, None])  # (places, 1)
        return -right.clamp(min=torch.finfo(right.dtype).tiny).log().sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of the logits: the probability of each word, minus one for the right one."""
        chances, words = ctx.saved_tensors
        chances.scatter_add_(1, words[:, None], chances.new_full((len(words), 1), -1.0))
        return chances.mul_(gradient), None


def operations(arguments: dict[str, Any], length: float, masked: float) -> float:
    """Count the multiplications and additions of a step per token: forward once, backward twice.

    Beyond keys, values and queries, the last block computes only masked words. Embeddings, norms and activations are
    not counted.

    Args:
        arguments: those the encoder was built with.
        length: tokens of a text.
        masked: share of masked words, 0 to 1.

    >>> small = {"width": 512, "layers": 4, "feed_forward": 2048, "vocabulary": 30_000}
    >>> 6e7 < operations(small, 128, 0.15) < 9e7
    True
    """
    width, wide = arguments["width"], arguments["feed_forward"]
    after = width**2 + 2 * width * wide
    linear = arguments["layers"] * (3 * width**2 + after) - (1 - masked) * after
    attention = arguments["layers"] * 2 * width * length
    head = masked * (width**2 + width * arguments["vocabulary"])
    return float(3 * 2 * (linear + attention + head))
