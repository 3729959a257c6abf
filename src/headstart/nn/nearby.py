"""Attention to nearby tokens only (Beltagy et al. 2020, "Longformer", section 3.1), for long texts in pieces.

A piece consists of some queries and all keys that are near any of them. A mask hides those that are too far from a
query. The cost of a text grows linearly with its length, not quadratically.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from headstart.nn.attention import Groups, by_group, flash, flash_backward, inputs, threads_that_pay
from headstart.nn.packed import Batch

LEAST = 64  # queries of a piece; twice the reach if that is more


def attend_nearby(query: Tensor | None, states: Tensor, batch: Batch, heads: int, reach: int) -> Tensor:
    """Attend to tokens at a distance of at most `reach`.

    Args:
        query: ``(sequences, width)`` if only first tokens have queries; None if `states` contains the queries.
        states: keys and values ``(tokens, 2 * width)``, or queries, keys and values ``(tokens, 3 * width)``.
        batch: how the tokens are divided into texts.
        heads: number of attention heads.
        reach: maximum distance, in tokens.
    """
    if states.device.type == "cpu":
        attended: Tensor = _AttendNearby.apply(query, states, batch.groups, heads, reach)
        return attended
    return nearby_by_group(query, states, batch.groups, heads, reach)


def nearby_by_group(query: Tensor | None, states: Tensor, groups: Groups, heads: int, reach: int) -> Tensor:
    """Attend piece by piece with the public function of torch: for any device, and the reference of the fast path.

    Args: as for :func:`attend_nearby`, with groups in place of the batch.
    """
    answers = []
    for q, k, v in inputs(query, states, groups, heads):
        parts = [
            F.scaled_dot_product_attention(q[:, :, asking], k[:, :, near], v[:, :, near], mask)
            for asking, near, mask in _pieces(q.shape[2], k.shape[2], reach, q)
        ]
        answers.append(torch.cat(parts, 2).transpose(1, 2).flatten(0, 1).flatten(1))  # (texts * queries, width)
    return torch.cat(answers)


def _pieces(asking: int, length: int, reach: int, like: Tensor) -> Iterator[tuple[slice, slice, Tensor | None]]:
    """Yield the queries and keys of each piece, and the mask ``(1, 1, queries, keys)`` added to its scores: 0 or -inf.

    Args:
        asking: number of queries of a text, from its first token.
        length: number of its tokens.
        reach: maximum distance, in tokens.
        like: a tensor of the device and type of the mask.
    """
    step = max(LEAST, 2 * reach)
    for start in range(0, asking, step):
        stop = min(start + step, asking)
        first, last = max(0, start - reach), min(stop + reach, length)
        mask = None
        if max(stop - 1 - first, last - 1 - start) > reach:
            places = torch.arange(first, last, device=like.device)  # (keys,)
            far = (torch.arange(start, stop, device=like.device)[:, None] - places).abs() > reach  # (queries, keys)
            mask = like.new_zeros(far.shape).masked_fill_(far, float("-inf"))[None, None]
        yield slice(start, stop), slice(first, last), mask


class _AttendNearby(torch.autograd.Function):
    """Local attention, forward and backward, in place on slices of the packed tensors; see `attention`."""

    @staticmethod
    def forward(ctx: Any, query: Tensor | None, states: Tensor, groups: Groups, heads: int, reach: int) -> Tensor:
        """Attend as :func:`nearby_by_group` does."""
        width = states.shape[-1] // (3 if query is None else 2)
        out = states.new_empty(len(states if query is None else query), width)
        sums = []
        with threads_that_pay(width) as choose:
            for (q, k, v), (place,), (count, _) in zip(
                inputs(query, states, groups, heads), _answers(out, query, groups, heads), groups, strict=True
            ):
                for asking, near, mask in _pieces(q.shape[2], k.shape[2], reach, q):
                    choose((count, near.stop - near.start))
                    answer, logsumexp = flash(q[:, :, asking], k[:, :, near], v[:, :, near], attn_mask=mask)
                    place[:, :, asking].copy_(answer)
                    sums.append(logsumexp)
        ctx.save_for_backward(query, states, out, *sums)
        ctx.groups, ctx.heads, ctx.reach = groups, heads, reach
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None, None]:
        """Return the gradients of query and states; that of a key is summed over all pieces it belongs to."""
        query, states, out, *log_sums = ctx.saved_tensors
        groups, heads = ctx.groups, ctx.heads
        query_gradient = None if query is None else torch.zeros_like(query)
        states_gradient = torch.zeros_like(states)
        sums = iter(log_sums)
        with threads_that_pay(out.shape[-1]) as choose:
            for (q, k, v), (to_q, to_k, to_v), (answer,), (given,), (count, _) in zip(
                inputs(query, states, groups, heads),
                inputs(query_gradient, states_gradient, groups, heads),
                _answers(out, query, groups, heads),
                _answers(gradient.contiguous(), query, groups, heads),
                groups,
                strict=True,
            ):
                for asking, near, mask in _pieces(q.shape[2], k.shape[2], ctx.reach, q):
                    choose((count, near.stop - near.start))
                    pair = k[:, :, near], v[:, :, near]
                    answers = answer[:, :, asking], next(sums)
                    gradients = flash_backward(
                        given[:, :, asking], q[:, :, asking], *pair, *answers, 0.0, False, attn_mask=mask
                    )
                    places = to_q[:, :, asking], to_k[:, :, near], to_v[:, :, near]
                    for place, value in zip(places, gradients, strict=True):
                        place.add_(value)
        return query_gradient, states_gradient, None, None, None


def _answers(out: Tensor, query: Tensor | None, groups: Groups, heads: int) -> Iterator[list[Tensor]]:
    return by_group(out, groups if query is None else tuple((count, 1) for count, _ in groups), heads, 1)
