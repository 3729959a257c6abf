"""A Transformer layer of encoders, of decoders and of decoders that also attend to a source text.

What attention reads is passed as a function, so that the same layer trains on packed texts (`packed_attention`) and
continues texts token by token from stored keys and values (`nn.cache`).

Shapes: tokens = all tokens of the batch, width = hidden size, size = width of an attention head.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from headstart.nn.attention import attend_by_group, attend_to
from headstart.nn.block import ACTIVATIONS
from headstart.nn.dropout import Dropout
from headstart.nn.linear import Linear
from headstart.nn.packed import Batch
from headstart.nn.rotary import turn

# Queries, keys and values ``(tokens, (heads + 2 * key heads) * size)``, or only queries ``(tokens, heads * size)``, to
# what the queries read: ``(tokens, heads * size)``.
Attend: TypeAlias = Callable[[Tensor], Tensor]


class Attention(nn.Module):
    """The matrices of attention within a text; query, key and value share one product."""

    def __init__(self, width: int, heads: int, key_heads: int, size: int, bias: bool):
        super().__init__()
        self.qkv = Linear(width, (heads + 2 * key_heads) * size, bias=bias)
        self.output = nn.Linear(heads * size, width, bias=bias)


class CrossAttention(nn.Module):
    """The matrices of attention to a source text; key and value share one product."""

    def __init__(self, width: int, heads: int, size: int, bias: bool):
        super().__init__()
        self.query = nn.Linear(width, heads * size, bias=bias)
        self.states = Linear(width, 2 * heads * size, bias=bias)
        self.output = nn.Linear(heads * size, width, bias=bias)


class Layer(nn.Module):
    """Attention within the text, attention to a source text if there is one, and feed-forward, each with a residual."""

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        activation: str,
        epsilon: float,
        *,
        cross: bool,
        norm_first: bool,
        rms: bool = False,
        bias: bool = True,
        gated: bool = False,
        size: int | None = None,
        key_heads: int | None = None,
        scaled: bool = True,
    ):
        """Build a layer with torch's random weights.

        Args:
            width: hidden size.
            heads: attention heads.
            feed_forward: width of the feed-forward layer.
            dropout: rate before each residual sum, 0 to 1; there is none on attention weights.
            activation: name in `block.ACTIVATIONS`.
            epsilon: of the norms.
            cross: whether it attends to a source text.
            norm_first: whether norms come before attention and feed-forward (Xiong et al. 2020), not after residuals.
            rms: whether norms divide by the root mean square (Zhang & Sennrich 2019), without a mean or biases.
            bias: whether matrices have biases.
            gated: whether the feed-forward layer multiplies an activated half by another half (Shazeer 2020).
            size: width of a head; None for the width divided by the heads.
            key_heads: number of heads of keys and values, each shared by several heads of queries (Ainslie et al.
                2023); None for as many.
            scaled: whether products of queries and keys are divided by the square root of the size.
        """
        super().__init__()
        self.heads, self.key_heads = heads, key_heads or heads
        self.size = size = size or width // heads
        self.norm_first, self.gated, self.scaled = norm_first, gated, scaled
        self.attention = Attention(width, heads, self.key_heads, size, bias)
        self.attention_norm = make_norm(width, epsilon, rms)
        self.cross = CrossAttention(width, heads, size, bias) if cross else None
        self.cross_norm = make_norm(width, epsilon, rms) if cross else None
        self.up = nn.Linear(width, (1 + gated) * feed_forward, bias=bias)
        self.down = nn.Linear(feed_forward, width, bias=bias)
        self.feed_forward_norm = make_norm(width, epsilon, rms)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.attention_adapter: nn.Module | None = None  # see `nn.bottleneck`
        self.output_adapter: nn.Module | None = None

    def run(self, hidden: Tensor, own: Attend, other: Attend | None = None) -> Tensor:
        """Map states ``(tokens, width)`` to the same shape.

        Args:
            hidden: float ``(tokens, width)``.
            own: attends within the text.
            other: attends to the source text; needed if the layer does.
        """

        def within(states: Tensor) -> Tensor:
            attended: Tensor = self.attention.output(own(self.attention.qkv(states)))
            return attended if self.attention_adapter is None else self.attention_adapter(attended)

        def across(states: Tensor) -> Tensor:
            assert self.cross is not None
            assert other is not None
            attended: Tensor = self.cross.output(other(self.cross.query(states)))
            return attended

        hidden = self._add(self.attention_norm, hidden, within)
        if self.cross_norm is not None:
            hidden = self._add(self.cross_norm, hidden, across)
        return self._add(self.feed_forward_norm, hidden, self._feed)

    def _feed(self, states: Tensor) -> Tensor:
        raised = self.up(states)  # (tokens, feed_forward), or twice as wide
        if self.gated:
            active, gate = raised.chunk(2, dim=-1)
            raised = self.activation(active) * gate
        else:
            raised = self.activation(raised)
        out: Tensor = self.down(raised)
        return out if self.output_adapter is None else self.output_adapter(out)

    def _add(self, norm: nn.Module, hidden: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        """Add what a part of the layer computes to its input, normalised before or after."""
        if self.norm_first:
            out: Tensor = self.dropout(compute(norm(hidden)), hidden)
        else:
            out = norm(self.dropout(compute(hidden), hidden))
        return out


class DecoderLayer(Layer):
    """A layer of a decoder."""

    def forward(self, hidden: Tensor, own: Attend, other: Attend | None = None) -> Tensor:
        """Map states ``(tokens, width)`` to the same shape, see :meth:`Layer.run`."""
        return self.run(hidden, own, other)


class EncoderLayer(Layer):
    """A layer of an encoder.

    final_norm: of the last layer of an encoder whose norms come first; None for others.
    """

    def __init__(self, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.final_norm: nn.Module | None = None

    def forward(
        self,
        hidden: Tensor,
        batch: Batch,
        first_only: bool = False,
        places: Tensor | None = None,
        shared: Tensor | None = None,
    ) -> Tensor:
        """Map states ``(tokens, width)`` to the same shape, or to those that are wanted, see `block.Block`."""
        out = self.run(hidden, packed_attention(batch, self.heads, self.key_heads, causal=False, bias=shared))
        out = batch.select(out, first_only, places)
        return out if self.final_norm is None else self.final_norm(out)


def make_norm(width: int, epsilon: float, rms: bool) -> nn.Module:
    """Build a norm of states ``(tokens, width)``, see :class:`Layer`."""
    return nn.RMSNorm(width, epsilon) if rms else nn.LayerNorm(width, epsilon)


def packed_attention(
    batch: Batch,
    heads: int,
    key_heads: int,
    *,
    causal: bool,
    turns: Tensor | None = None,
    bias: Tensor | None = None,
) -> Attend:
    """Return attention within packed texts.

    Args:
        batch: how tokens are divided into texts.
        heads: number of heads of queries.
        key_heads: number of heads of keys and values.
        causal: whether a token attends to itself and earlier tokens only.
        turns: rotations of the tokens, see `rotary.turns`; None for none.
        bias: ``(heads, most, most)``, added to the products of queries and keys, which are then not divided by the
            square root of the size (Raffel et al. 2020, "T5"); see `positions.distance_bias`. None for none.
    """

    def attend(states: Tensor) -> Tensor:
        if turns is not None:
            states = turn(states, turns, heads + key_heads)
        if key_heads != heads:
            states = spread(states, heads, key_heads)  # (tokens, 3 * heads * size)
        if bias is None:
            return attend_to(None, states, batch, batch, heads, causal)
        ahead = torch.ones(bias.shape[1:], dtype=torch.bool, device=bias.device).triu(1)
        scores = bias.masked_fill(ahead, -torch.inf) if causal else bias
        terms = (scores[None, :, :length, :length] for _, length in batch.groups)
        return attend_by_group(None, states, batch.groups, heads, terms, scale=1.0)

    return attend


def spread(states: Tensor, heads: int, key_heads: int) -> Tensor:
    """Repeat each head of keys and values for the heads of queries that share it.

    ``(tokens, (heads + 2 * key_heads) * size)`` to ``(tokens, 3 * heads * size)``.
    """
    parts = states.unflatten(-1, (heads + 2 * key_heads, -1))  # (tokens, all heads, size)
    queries, shared = parts[:, :heads], parts[:, heads:]
    return torch.cat([queries, shared.repeat_interleave(heads // key_heads, dim=1)], dim=1).flatten(1)
