"""Models that answer with a text: a decoder (Vaswani et al. 2017, section 3.1), with or without an encoder.

Shapes: tokens = all tokens of the batch, width = hidden size, size = width of an attention head.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.attention import attend_to
from headstart.nn.block import ACTIVATIONS
from headstart.nn.cross_entropy import cross_entropy
from headstart.nn.dropout import Dropout
from headstart.nn.encoder import FirstStage, Stack
from headstart.nn.layer import DecoderLayer, make_norm, packed_attention
from headstart.nn.packed import Batch, PairBatch
from headstart.nn.positions import distance_bias
from headstart.nn.rotary import turns

if TYPE_CHECKING:
    from headstart.nn.layer import Attend


class TokenEmbeddings(FirstStage):
    """Word embeddings, scaled if the family does so, plus those of positions if there are any, normalised if it is."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        dropout: float,
        *,
        window: int = 0,
        offset: int = 0,
        scale: float = 1.0,
        epsilon: float | None = None,
        distances: int = 0,
        heads: int = 0,
        types: int = 0,
    ):
        """Build embeddings with torch's random weights.

        Args:
            vocabulary: number of token ids.
            width: hidden size.
            dropout: rate, 0 to 1.
            window: number of embedded positions; 0 for none.
            offset: number of the first position.
            scale: factor of word embeddings.
            epsilon: of the norm; None for no norm.
            distances: number of learned biases per head by the distance of two tokens, which all layers share, see
                `positions.distance_bias`; 0 for none.
            heads: attention heads.
            types: number of segments, of which every token is in the first; 0 for none.
        """
        super().__init__()
        self.window, self.offset, self.scale = window, offset, scale
        self.word = nn.Embedding(vocabulary, width)
        self.position = nn.Embedding(window + offset, width) if window else None
        self.segment = nn.Embedding(types, width) if types else None
        self.norm = None if epsilon is None else make_norm(width, epsilon, False)
        self.distance = nn.Embedding(distances, heads) if distances else None
        self.dropout = Dropout(dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Look up the states of a batch, ``(tokens, width)``."""
        return self.look_up(batch.ids, batch.positions)

    def look_up(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Look up states ``(tokens, width)`` of token ids and positions, each int64 ``(tokens,)``."""
        hidden = self.word(ids)
        if self.scale != 1:
            hidden = hidden * self.scale
        if self.position is not None:
            hidden = hidden + self.position(positions + self.offset)
        if self.segment is not None:
            hidden = hidden + self.segment.weight[0]
        states: Tensor = self.dropout(hidden if self.norm is None else self.norm(hidden))
        return states


class LayerEncoder(Stack):
    """An encoder of :class:`~headstart.nn.layer.EncoderLayer`, such as T5's and Marian's."""

    embeddings: TokenEmbeddings

    def shared(self, batch: Batch) -> Tensor | None:
        """Return the bias of the attention scores, ``(heads, most, most)`` for a batch's longest text, or None."""
        distance = self.embeddings.distance
        return None if distance is None else distance_bias(distance.weight, batch.groups[-1][1])


class Transform(nn.Module):
    """A dense layer with a norm between the last states and the logits, as BERT's have (Devlin et al. 2019)."""

    def __init__(self, width: int, activation: str, epsilon: float):
        super().__init__()
        self.dense = nn.Linear(width, width)
        self.norm = make_norm(width, epsilon, False)
        self.activation = ACTIVATIONS[activation]

    def forward(self, states: Tensor) -> Tensor:
        """Map states ``(tokens, width)`` to the same shape."""
        out: Tensor = self.norm(self.activation(self.dense(states)))
        return out


class Decoder(nn.Module):
    """A decoder: embeddings, layers that attend to earlier tokens only, and logits of the next token."""

    def __init__(
        self,
        embeddings: TokenEmbeddings,
        layers: list[DecoderLayer],
        *,
        final_norm: nn.Module | None = None,
        theta: float | None = None,
        output: bool = False,
        output_bias: bool = False,
        output_scale: float = 1.0,
    ):
        """Assemble a decoder.

        Args:
            embeddings: of its tokens.
            layers: its layers.
            final_norm: of its last states, or any other function of them; None for none.
            theta: base of the rotation of queries and keys, see `rotary.turns`; None for none.
            output: whether logits have a matrix of their own; otherwise it is that of the word embeddings.
            output_bias: whether logits have a bias.
            output_scale: factor of the states that the logits are computed from.
        """
        super().__init__()
        self.embeddings = embeddings
        self.blocks = nn.ModuleList(layers)
        self.final_norm = final_norm
        vocabulary, width = embeddings.word.weight.shape
        self.output = nn.Linear(width, vocabulary, bias=False) if output else None
        self.output_bias = nn.Parameter(torch.zeros(vocabulary)) if output_bias else None
        self.theta, self.output_scale = theta, output_scale

    @property
    def layers(self) -> list[DecoderLayer]:
        """Its layers, from bottom to top."""
        return [layer for layer in self.blocks if isinstance(layer, DecoderLayer)]

    def forward(self, batch: Batch, memory: Tensor | None = None, runs: Batch | None = None) -> Tensor:
        """Compute the states of all tokens, ``(tokens, width)``.

        Args:
            batch: the tokens, each text from its first one.
            memory: states of the sources, ``(source tokens, width)``; None without sources.
            runs: the sources, see `packed.PairBatch`.
        """
        own = self.attention(batch)
        hidden = self.embeddings(batch)
        for layer in self.layers:
            hidden = layer(hidden, own, None if memory is None else _reading(layer, memory, batch, runs))
        return self.finish(hidden)

    def attention(self, batch: Batch) -> Attend:
        """Return the attention of every layer within packed texts, each read from its first token."""
        first = self.layers[0]
        turned = None if self.theta is None else turns(batch, first.size, self.theta)
        distance = self.embeddings.distance
        longest = max(length for _, length in batch.groups)
        bias = None if distance is None else distance_bias(distance.weight, longest, causal=True)
        return packed_attention(batch, first.heads, first.key_heads, causal=True, turns=turned, bias=bias)

    def finish(self, hidden: Tensor) -> Tensor:
        """Return the last layer's states, normalised if the family does so."""
        return hidden if self.final_norm is None else self.final_norm(hidden)

    def logits(self, states: Tensor) -> Tensor:
        """Compute the logits of the next token, ``(tokens, vocabulary)``, from states ``(tokens, width)``."""
        return F.linear(self._scaled(states), self._matrix, self.output_bias)

    def cross_entropy(self, states: Tensor, labels: Tensor, smoothing: float) -> Tensor:
        """Sum the cross-entropies of the next tokens, a scalar, from states ``(tokens, width)``.

        Args:
            states: of the last layer.
            labels: int64 ``(tokens,)``, the next tokens.
            smoothing: see `cross_entropy.cross_entropy`.
        """
        return cross_entropy(self._scaled(states), self._matrix, self.output_bias, labels, smoothing)

    @property
    def _matrix(self) -> Tensor:
        """The matrix of the logits, ``(vocabulary, width)``."""
        return self.embeddings.word.weight if self.output is None else self.output.weight

    def _scaled(self, states: Tensor) -> Tensor:
        return states if self.output_scale == 1 else states * self.output_scale


def _reading(layer: DecoderLayer, memory: Tensor, asking: Batch, runs: Batch | None) -> Attend:
    """Return a layer's attention to packed sources."""
    assert layer.cross is not None
    assert runs is not None
    states = layer.cross.states(memory)  # (source tokens, 2 * heads * size)
    if layer.scaled:
        return lambda query: attend_to(query, states, asking, runs, layer.heads, False)
    # Without a division by the square root of the size, as in T5.
    return lambda query: attend_to(query * layer.size**0.5, states, asking, runs, layer.heads, False)


class Generator(nn.Module):
    """An encoder, if there is one, and a decoder.

    encoder: of the sources; None for a decoder that continues texts.
    decoder: of the targets.
    """

    def __init__(self, encoder: Stack | None, decoder: Decoder):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, batch: PairBatch | Batch) -> Tensor:
        """Return the logits of the next token for every target token, ``(tokens, vocabulary)``, in packed order."""
        return self.decoder.logits(self.states(batch))

    def states(self, batch: PairBatch | Batch) -> Tensor:
        """Return the decoder's last states of every target token, ``(tokens, width)``, in packed order."""
        if isinstance(batch, Batch):
            states: Tensor = self.decoder(batch)
            return states
        assert self.encoder is not None
        decoded: Tensor = self.decoder(batch.target, self.encoder(batch.source), batch.runs)
        return decoded

    def cross_entropy(self, batch: PairBatch | Batch, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """Sum the cross-entropies of the next tokens, a scalar.

        Args:
            batch: the texts.
            labels: int64 ``(target tokens,)``, the token after each, in packed order.
            smoothing: see `cross_entropy.cross_entropy`.
        """
        return self.decoder.cross_entropy(self.states(batch), labels, smoothing)
