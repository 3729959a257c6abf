"""The encoder of ModernBERT (Warner et al. 2024) on packed batches: rotary positions, local attention, gated layers.

Norms come before attention and feed-forward layers, and nothing has a bias.

Shapes: tokens = all tokens of the batch, sequences = its texts, width = hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from headstart.nn.block import ACTIVATIONS
from headstart.nn.dropout import Dropout
from headstart.nn.encoder import FirstStage, Stack, initialise
from headstart.nn.packed import Batch
from headstart.nn.rotary import RotaryAttention, turns


class ModernEmbeddings(FirstStage):
    """Word embeddings, normalised; positions are used only in attention."""

    def __init__(self, vocabulary: int, width: int, dropout: float, epsilon: float):
        super().__init__()
        self.word = nn.Embedding(vocabulary, width)
        self.norm = nn.LayerNorm(width, eps=epsilon, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Look up states ``(tokens, width)``."""
        hidden: Tensor = self.dropout(self.norm(self.word(batch.ids)))
        return hidden


class ModernBlock(nn.Module):
    """Attention and gated feed-forward layers, each preceded by a norm and followed by a residual sum.

    The first block has no norm before attention, since the embeddings end with one; the last one has a norm at its end.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        activation: str,
        epsilon: float,
        reach: int | None,
        first: bool,
        last: bool,
    ):
        super().__init__()
        self.attention_norm = None if first else nn.LayerNorm(width, eps=epsilon, bias=False)
        self.attention = RotaryAttention(width, heads, reach)
        self.feed_forward_norm = nn.LayerNorm(width, eps=epsilon, bias=False)
        self.up = nn.Linear(width, 2 * feed_forward, bias=False)  # the activated half, then the half that multiplies it
        self.down = nn.Linear(feed_forward, width, bias=False)
        self.final_norm = nn.LayerNorm(width, eps=epsilon, bias=False) if last else None
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.attention_adapter: nn.Module | None = None  # see `nn.bottleneck`
        self.output_adapter: nn.Module | None = None

    def forward(
        self,
        hidden: Tensor,
        batch: Batch,
        first_only: bool = False,
        places: Tensor | None = None,
        shared: Tensor | None = None,
    ) -> Tensor:
        """Map states ``(tokens, width)`` to the same shape, or only those of first tokens or of some `places`.

        Args:
            hidden: float ``(tokens, width)``.
            batch: how the tokens are divided into texts.
            first_only: return only the states of first tokens, ``(sequences, width)``.
            places: int64 ``(places,)``, return only the states of these tokens; None for all.
            shared: the result of :meth:`ModernEncoder.shared` for the batch.
        """
        assert shared is not None
        normed = hidden if self.attention_norm is None else self.attention_norm(hidden)
        turns = shared[0 if self.attention.reach is None else 1]  # (2, tokens, 1, half a head's width)
        attended = self.attention(normed, batch, turns, first_only, places)  # (tokens wanted, width)
        if self.attention_adapter is not None:
            attended = self.attention_adapter(attended)
        hidden = batch.select(hidden, first_only, places)  # (tokens wanted, width)
        hidden = hidden + attended
        active, gate = self.up(self.feed_forward_norm(hidden)).chunk(2, dim=-1)  # each (tokens wanted, feed_forward)
        expanded = self.down(self.dropout(self.activation(active) * gate))  # (tokens wanted, width)
        if self.output_adapter is not None:
            expanded = self.output_adapter(expanded)
        hidden = hidden + expanded
        return hidden if self.final_norm is None else self.final_norm(hidden)


class ModernEncoder(Stack):
    """The encoder of ModernBERT."""

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        feed_forward: int,
        window: int,
        dropout: float = 0.0,
        activation: str = "gelu",
        epsilon: float = 1e-5,
        reach: int = 64,
        far_every: int = 3,
        near_theta: float = 10_000.0,
        far_theta: float = 160_000.0,
    ):
        """Build an encoder with random weights, see `encoder.initialise`.

        Args:
            vocabulary: number of token ids.
            width: hidden size.
            layers: number of blocks.
            heads: attention heads per block.
            feed_forward: width of the feed-forward layers.
            window: maximum number of tokens of a text.
            dropout: rate on embeddings and inside feed-forward layers, 0 to 1; there is none on attention weights.
            activation: name in `block.ACTIVATIONS`.
            epsilon: of the layer norms.
            reach: maximum distance of the tokens that a token attends to in local blocks.
            far_every: every so many blocks, starting with the first, one attends to the whole text.
            near_theta: base of the rotation in local blocks, see `rotary.turns`.
            far_theta: base of the rotation in global blocks.
        """
        super().__init__(
            ModernEmbeddings(vocabulary, width, dropout, epsilon),
            (
                ModernBlock(
                    width,
                    heads,
                    feed_forward,
                    dropout,
                    activation,
                    epsilon,
                    reach if number % far_every else None,
                    first=number == 0,
                    last=number == layers - 1,
                )
                for number in range(layers)
            ),
            width,
            window,
        )
        self.head_width = width // heads
        self.thetas = far_theta, near_theta
        initialise(self)

    def shared(self, batch: Batch) -> Tensor:
        """Compute the rotations of global and local blocks, ``(2, 2, tokens, 1, half a head's width)``."""
        return torch.stack([turns(batch, self.head_width, theta) for theta in self.thetas])
