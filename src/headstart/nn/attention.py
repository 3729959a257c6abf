"""Multi-head self-attention over a packed batch (Vaswani et al. 2017, section 3.2), without padding or mask.

Texts of equal length are adjacent in a batch, so each group is a dense ``(texts, heads, length, width / heads)`` view
of the packed states that an attention kernel accepts without a copy. All groups write into one result, and their
gradients into one gradient, so nothing is split or concatenated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import repeat
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from headstart.nn.linear import Linear
from headstart.nn.packed import Batch

Groups = tuple[tuple[int, int], ...]

SMALL = 2**22  # multiplications in a group's scores: about a text of 100 tokens at a width of 384
MOST_FLASH = 256  # width of a head that flash attention supports at most

flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
flash_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default


class SelfAttention(nn.Module):
    """Let every token attend to all tokens of its own text.

    Query, key and value share one matrix product: weight ``(3 * width, width)``, queries first.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(
        self,
        hidden: Tensor,
        batch: Batch,
        first_only: bool = False,
        places: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Attend within each text.

        Args:
            hidden: float ``(tokens, width)``.
            batch: how the tokens are divided into texts.
            first_only: compute the output of each text's first token only. It still attends to all tokens, so the
                result is exact, and it is all that a head needs that reads only first tokens.
            places: int64 ``(places,)``, compute the output of these tokens only; None for all. Queries are still
                computed for all tokens, which is a twelfth of a block's work.
            bias: ``(heads, most, most)``, added to the attention scores of texts of up to `most` tokens, by the places
                of the query and the key; None for no bias.

        Returns:
            ``(tokens, width)``, or ``(sequences, width)`` with `first_only`, or ``(places, width)``.
        """
        query, states = self.queries_and_states(hidden, batch, first_only)
        if bias is None:
            attended = attend(query, states, batch, self.heads)
        else:
            terms = (bias[None, :, : 1 if first_only else length, :length] for _, length in batch.groups)
            attended = attend_by_group(query, states, batch.groups, self.heads, terms)
        out: Tensor = self.output(attended if places is None else attended[places])
        return out

    def queries_and_states(self, hidden: Tensor, batch: Batch, first_only: bool) -> tuple[Tensor | None, Tensor]:
        """Compute the arguments of :func:`attend_by_group`: queries and the rest, or None and everything."""
        if not first_only:
            return None, self.qkv(hidden)  # (tokens, 3 * width)
        width = hidden.shape[-1]
        return self.qkv.part(hidden[batch.starts], 0, width), self.qkv.part(hidden, width, 3 * width)


def attend(query: Tensor | None, states: Tensor, batch: Batch, heads: int) -> Tensor:
    """Attend within each text with the fastest implementation for the states' device.

    Args: as for :func:`attend_by_group`.
    """
    if states.device.type == "cpu":
        attended: Tensor = _Attend.apply(query, states, _asking(query, batch.groups), batch.groups, heads, False)
        return attended
    if _has_flash(states.device) and fits_flash(states, heads, 3 if query is None else 2):
        return attend_at_once(query, states, batch, heads)
    return attend_by_group(query, states, batch.groups, heads)


def attend_to(
    query: Tensor | None, states: Tensor, asking: Batch, answering: Batch, heads: int, causal: bool
) -> Tensor:
    """Attend from the tokens of one batch to those of another, text by text: cross attention, or causal attention.

    Both batches have their texts in the same order, and groups of the same numbers of texts; see `packed.pack_pairs`.

    Args:
        query: ``(asking tokens, width)``; None if `states` contains the queries, which both batches are then the same
            for.
        states: keys and values ``(answering tokens, 2 * width)``, or queries, keys and values.
        asking: the batch of the queries.
        answering: the batch of the keys and values.
        heads: number of attention heads.
        causal: whether a token attends to itself and earlier tokens only.

    Returns:
        ``(asking tokens, width)``.
    """
    if states.device.type == "cpu":
        attended: Tensor = _Attend.apply(query, states, asking.groups, answering.groups, heads, causal)
        return attended
    if _has_flash(states.device) and fits_flash(states, heads, 3 if query is None else 2):
        return attend_at_once(query, states, answering, heads, asking, causal)
    return attend_by_group(query, states, answering.groups, heads, asking=asking.groups, causal=causal)


@lru_cache
def _has_flash(device: torch.device) -> bool:
    """Return whether a GPU runs flash attention, which needs compute capability 8.0."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def fits_flash(states: Tensor, heads: int, parts: int) -> bool:
    """Return whether flash attention supports states: 16-bit floats, and a width per head that is a multiple of 8.

    Args:
        states: `parts` matrices of the same width side by side.
        heads: number of attention heads.
        parts: number of matrices.

    >>> fits_flash(torch.zeros(1, 3 * 312, dtype=torch.bfloat16), 12, 3)  # 26 per head
    False
    """
    size = states.shape[1] // parts // heads
    return states.dtype in (torch.bfloat16, torch.float16) and size % 8 == 0 and size <= MOST_FLASH


def attend_by_group(
    query: Tensor | None,
    states: Tensor,
    groups: Groups,
    heads: int,
    terms: Iterable[Tensor | None] | None = None,
    scale: float | None = None,
    asking: Groups | None = None,
    causal: bool = False,
) -> Tensor:
    """Attend group by group with the public function of torch: for any device, and the reference of the fast path.

    Args:
        query: ``(sequences, width)`` if only first tokens have queries, or one row for each token of `asking`; None if
            `states` contains the queries.
        states: keys and values ``(tokens, 2 * width)``, or queries, keys and values ``(tokens, 3 * width)``.
        groups: see :class:`~headstart.nn.packed.Batch`.
        heads: number of attention heads.
        terms: one tensor per group that is added to its scores before the softmax, broadcast to ``(texts, heads,
            queries, keys)``, differentiable; None for none.
        scale: factor of the products of queries and keys; None for one over the square root of a head's width.
        asking: groups of the queries; None for one query per text, or per token if `states` contains them.
        causal: whether a token attends to itself and earlier tokens only.

    Returns:
        ``(queries, width)``.
    """
    parts = zip(inputs(query, states, groups, heads, asking), repeat(None) if terms is None else terms, strict=False)
    # each (texts, heads, queries, size), then (texts * queries, width)
    answers = [
        F.scaled_dot_product_attention(q, k, v, term, is_causal=causal, scale=scale) for (q, k, v), term in parts
    ]
    return torch.cat([answer.transpose(1, 2).flatten(0, 1).flatten(1) for answer in answers])


def attend_at_once(
    query: Tensor | None,
    states: Tensor,
    batch: Batch,
    heads: int,
    asking: Batch | None = None,
    causal: bool = False,
) -> Tensor:
    """Attend in all texts with one call of flash attention (Dao 2023), which GPUs have for 16-bit floats.

    Args: as for :func:`attend_by_group`, with batches in place of their groups.
    """
    from torch.nn.attention.varlen import varlen_attn

    ends, longest = batch.boundaries, max(length for _, length in batch.groups)
    if query is None:
        queries, keys, values = states.unflatten(-1, (3, heads, -1)).unbind(1)  # each (tokens, heads, size)
        starts, most = ends, longest
    else:
        queries = query.unflatten(-1, (heads, -1))  # (queries, heads, size)
        keys, values = states.unflatten(-1, (2, heads, -1)).unbind(1)  # each (tokens, heads, size)
        if asking is None:
            starts, most = torch.arange(len(ends), dtype=torch.int32, device=ends.device), 1
        else:
            starts, most = asking.boundaries, max(length for _, length in asking.groups)
    # Positional, since the names of these arguments changed between releases, as did how causal attention is asked for:
    # by a flag, or by so many tokens before and after the query, -1 for all.
    kind: dict[str, Any] = {}
    if causal:
        by_window = "window_size" in inspect.signature(varlen_attn).parameters
        kind = {"window_size": (-1, 0)} if by_window else {"is_causal": True}
    out = varlen_attn(queries, keys, values, starts, ends, most, longest, **kind)
    assert isinstance(out, Tensor)
    return out.flatten(1)  # (tokens, width), or (sequences, width) with a query


def relations(left: Tensor, right: Tensor, groups: Groups, heads: int) -> Iterator[Tensor]:
    """Yield each group's scaled products of every token with every token, ``(texts, heads, length, length)``.

    With queries and keys these are the attention scores before the softmax (Vaswani et al. 2017, equation 1), which the
    fused kernels never store. Works on any device, with gradients.

    Args:
        left: ``(tokens, width)``, packed.
        right: ``(tokens, width)``, packed.
        groups: see :class:`~headstart.nn.packed.Batch`.
        heads: number of attention heads.
    """
    start = 0
    for count, length in groups:
        stop = start + count * length
        # each (texts, heads, length, size)
        one, other = (part[start:stop].view(count, length, heads, -1).transpose(1, 2) for part in (left, right))
        yield one @ other.transpose(2, 3) / one.shape[-1] ** 0.5  # (texts, heads, length, length)
        start = stop


class _Attend(torch.autograd.Function):
    """Softmax attention of every group, forward and backward, in place on slices of the packed tensors.

    The kernels are those behind ``scaled_dot_product_attention`` on the CPU. Calling them directly avoids concatenating
    the groups' results and, in the backward pass, a full-sized zero tensor for each group.
    """

    @staticmethod
    def forward(
        ctx: Any, query: Tensor | None, states: Tensor, asking: Groups, groups: Groups, heads: int, causal: bool
    ) -> Tensor:
        """Attend as :func:`attend_by_group` does."""
        width = states.shape[-1] // (3 if query is None else 2)
        out = states.new_empty(len(states if query is None else query), width)  # (queries, width)
        sums = []
        with threads_that_pay(width) as choose:
            for qkv, (place,), group in zip(
                inputs(query, states, groups, heads, asking),
                by_group(out, asking, heads, 1),
                groups,
                strict=True,
            ):
                choose(group)
                answer, logsumexp = flash(*qkv, 0.0, causal)
                place.copy_(answer)
                sums.append(logsumexp)
        ctx.save_for_backward(query, states, out, *sums)
        ctx.asking, ctx.groups, ctx.heads, ctx.causal = asking, groups, heads, causal
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None, None, None]:
        """Return the gradients of query and states; every slice is written once."""
        query, states, out, *sums = ctx.saved_tensors
        asking, groups, heads = ctx.asking, ctx.groups, ctx.heads
        query_gradient = None if query is None else torch.empty_like(query)
        states_gradient = torch.empty_like(states)
        with threads_that_pay(out.shape[-1]) as choose:
            for qkv, places, (answer,), (given,), logsumexp, group in zip(
                inputs(query, states, groups, heads, asking),
                inputs(query_gradient, states_gradient, groups, heads, asking),
                by_group(out, asking, heads, 1),
                by_group(gradient.contiguous(), asking, heads, 1),
                sums,
                groups,
                strict=True,
            ):
                choose(group)
                for place, value in zip(
                    places, flash_backward(given, *qkv, answer, logsumexp, 0.0, ctx.causal), strict=True
                ):
                    place.copy_(value)
        return query_gradient, states_gradient, None, None, None, None


@contextmanager
def threads_that_pay(width: int) -> Iterator[Callable[[tuple[int, int]], None]]:
    """Return a function that sets the number of threads for a group: one if the group is small, otherwise as before.

    Waking a sleeping thread takes about a tenth of a millisecond, in which one thread finishes a short text.
    """
    threads = torch.get_num_threads()

    def choose(group: tuple[int, int]) -> None:
        count, length = group
        torch.set_num_threads(1 if count * length**2 * width < SMALL else threads)

    try:
        yield choose
    finally:
        torch.set_num_threads(threads)


def inputs(
    query: Tensor | None, states: Tensor, groups: Groups, heads: int, asking: Groups | None = None
) -> Iterator[list[Tensor]]:
    """Yield each group's query, key and value; `asking` are the groups of the queries, by default one per text."""
    if query is None:
        yield from by_group(states, groups, heads, 3)
    else:
        queries = by_group(query, asking or _asking(query, groups), heads, 1)
        yield from ([*q, *kv] for q, kv in zip(queries, by_group(states, groups, heads, 2), strict=True))


def _asking(query: Tensor | None, groups: Groups) -> Groups:
    """Return the groups of the queries: all tokens, or one per text."""
    return groups if query is None else tuple((count, 1) for count, _ in groups)


def by_group(states: Tensor, groups: Groups, heads: int, parts: int) -> Iterator[list[Tensor]]:
    """Yield each group's `parts` as views ``(texts, heads, length, width / heads)``.

    Each view takes one call: slicing, viewing and transposing would cost as much as the attention of a short text.
    """
    row = states.shape[-1]
    width = row // parts
    size = width // heads
    start = states.storage_offset()
    for count, length in groups:
        shape, strides = (count, heads, length, size), (length * row, size, row, 1)
        yield [states.as_strided(shape, strides, start + part * width) for part in range(parts)]
        start += count * length * row
