"""The cross-entropy of the next token, without storing the logits of all tokens.

Logits of 2,000 tokens over 8,000 words are 64 MB, which the usual functions write four times: as logits, as log
probabilities and as the gradients of both. On a CPU they are computed here in chunks that stay in its cache, and the
gradients with them, so that the backward pass only scales these.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Logits of a chunk, of 16 MB; and the smallest number of tokens, below which products of matrices become slow.
CHUNK, LEAST = 2**22, 64


def cross_entropy(states: Tensor, matrix: Tensor, bias: Tensor | None, labels: Tensor, smoothing: float) -> Tensor:
    """Sum the cross-entropies of the tokens' labels, a scalar.

    Args:
        states: float ``(tokens, width)``.
        matrix: ``(vocabulary, width)``, of the logits.
        bias: ``(vocabulary,)``; None for none.
        labels: int64 ``(tokens,)``.
        smoothing: share of each label's probability that is spread over all tokens (Szegedy et al. 2016, section 7).

    >>> states, matrix, labels = torch.ones(3, 2), torch.zeros(4, 2), torch.tensor([0, 1, 3])
    >>> round(cross_entropy(states, matrix, None, labels, 0.0).item(), 4)  # three times the logarithm of 4
    4.1589
    """
    if states.device.type != "cpu":
        logits = F.linear(states, matrix, bias).float()  # (tokens, vocabulary)
        return F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum")
    total: Tensor = _Chunked.apply(states, matrix, bias, labels, smoothing, torch.is_grad_enabled())
    return total


class _Chunked(torch.autograd.Function):
    """Computes losses and gradients chunk by chunk, both in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, matrix: Tensor, bias: Tensor | None, labels: Tensor, smoothing: float, learns: bool
    ) -> Tensor:
        """Sum the losses, and compute the gradients of what needs one."""
        of_states, of_matrix, of_bias = (learns and needed for needed in ctx.needs_input_grad[:3])
        vocabulary = len(matrix)
        size = min(max(LEAST, CHUNK // vocabulary), max(1, len(states)))
        room = states.new_empty(size, vocabulary)
        given = torch.empty_like(states) if of_states else None
        matrix_gradient = torch.zeros_like(matrix) if of_matrix else None
        bias_gradient = torch.zeros_like(bias) if bias is not None and of_bias else None
        total = states.new_zeros(())
        for start in range(0, len(states), size):
            own = states[start : start + size]  # (chunk, width)
            label = labels[start : start + size, None]
            logits = torch.mm(own, matrix.T, out=room[: len(own)])  # (chunk, vocabulary)
            if bias is not None:
                logits += bias
            logits -= logits.amax(-1, keepdim=True)
            total -= (1 - smoothing) * logits.gather(1, label).sum()
            if smoothing:
                total -= smoothing / vocabulary * logits.sum()
            sums = logits.exp_().sum(-1, keepdim=True)
            total += sums.log().sum()
            if not (of_states or of_matrix or of_bias):
                continue
            gradient = logits.div_(sums)  # the probabilities, less the labels'
            if smoothing:
                gradient -= smoothing / vocabulary
            gradient.scatter_add_(1, label, gradient.new_full(label.shape, smoothing - 1))
            if given is not None:
                torch.mm(gradient, matrix, out=given[start : start + size])
            if matrix_gradient is not None:
                matrix_gradient.addmm_(gradient.T, own)
            if bias_gradient is not None:
                bias_gradient += gradient.sum(0)
        ctx.save_for_backward(given, matrix_gradient, bias_gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Scale the gradients."""
        scaled = (None if each is None else each * gradient for each in ctx.saved_tensors)
        return (*scaled, None, None, None)
