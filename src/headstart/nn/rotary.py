"""Self-attention with rotary positions (Su et al. 2021, "RoFormer"), global or local.

Shapes: tokens = all tokens of the batch, sequences = its texts, width = hidden size, half = half the width of a head.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from headstart.nn.attention import attend
from headstart.nn.linear import Linear
from headstart.nn.nearby import attend_nearby
from headstart.nn.packed import Batch


class RotaryAttention(nn.Module):
    """Let every token attend to its own text, or only to tokens at a distance of at most `reach`.

    Query, key and value share one matrix product without biases: weight ``(3 * width, width)``, queries first.
    """

    def __init__(self, width: int, heads: int, reach: int | None):
        super().__init__()
        self.heads = heads
        self.reach = reach
        self.qkv = Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(
        self, hidden: Tensor, batch: Batch, turns: Tensor, first_only: bool = False, places: Tensor | None = None
    ) -> Tensor:
        """Attend within each text.

        Args:
            hidden: float ``(tokens, width)``.
            batch: how the tokens are divided into texts.
            turns: see :func:`turns`.
            first_only: as for `attention.SelfAttention`.
            places: as for `attention.SelfAttention`.

        Returns:
            ``(tokens, width)``, or ``(sequences, width)`` with `first_only`, or ``(places, width)``.
        """
        width = hidden.shape[-1]
        query: Tensor | None = None
        if first_only:
            query = self.qkv.part(hidden[batch.starts], 0, width)  # at place 0, where nothing is rotated
            # (tokens, 2 * width)
            states = turn(self.qkv.part(hidden, width, 3 * width), turns, self.heads)
        else:
            states = turn(self.qkv(hidden), turns, 2 * self.heads)  # (tokens, 3 * width)
        if self.reach is None or batch.groups[-1][1] <= self.reach + 1:
            attended = attend(query, states, batch, self.heads)
        else:
            attended = attend_nearby(query, states, batch, self.heads, self.reach)
        out: Tensor = self.output(attended if places is None else attended[places])
        return out


def turns(batch: Batch, size: int, theta: float) -> Tensor:
    """Compute cosines and sines of the rotation angles of the tokens (section 3.2.2), ``(2, tokens, 1, half)``.

    Args:
        batch: the texts.
        size: width of a head, even.
        theta: base of the slowest rotation; larger for longer texts.
    """
    every = torch.arange(batch.groups[-1][1], device=batch.positions.device)  # (longest,)
    return turns_at(every, size, theta)[:, batch.positions]


def turns_at(positions: Tensor, size: int, theta: float) -> Tensor:
    """Compute cosines and sines for tokens at some positions, int64 ``(tokens,)``, as :func:`turns` does."""
    speeds = theta ** (-torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size)  # (half,)
    angles = positions[:, None] * speeds  # (tokens, half)
    return torch.stack((angles.cos(), angles.sin()))[:, :, None]


def turn(states: Tensor, turns: Tensor, heads: int) -> Tensor:
    """Rotate the first `heads` heads of states ``(tokens, width)`` in place, by the result of :func:`turns`."""
    turned: Tensor = _Turn.apply(states, turns, heads * 2 * turns.shape[-1], heads)
    return turned


class _Turn(torch.autograd.Function):
    """Rotate the first columns of some states in place: each head's first half is paired with its second."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, turns: Tensor, columns: int, heads: int) -> Tensor:
        """Rotate `columns` columns of ``(tokens, columns or more)``, which contain so many heads."""
        ctx.mark_dirty(states)
        ctx.save_for_backward(turns)
        ctx.shape = columns, heads
        _turn(states, turns[0], turns[1], columns, heads)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """Rotate the gradient back."""
        (turns,) = ctx.saved_tensors
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        _turn(gradient, turns[0], -turns[1], *ctx.shape)
        return gradient, None, None, None


def _turn(states: Tensor, cosines: Tensor, sines: Tensor, columns: int, heads: int) -> None:
    first, second = states[:, :columns].unflatten(1, (heads, 2, -1)).unbind(2)  # each (tokens, heads, half)
    turned = first * cosines - second * sines
    second.mul_(cosines).addcmul_(first, sines.to(states.dtype))
    first.copy_(turned)
