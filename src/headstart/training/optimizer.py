"""AdamW over groups of weights with separate learning rates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from headstart.nn.groups import Group


def adamw(groups: Sequence[Group], weight_decay: float) -> torch.optim.AdamW:
    """Build AdamW (Loshchilov & Hutter 2019) with weight decay on matrices only, not on biases and norms.

    Each parameter group stores its peak rate as ``peak``, which the schedule scales.
    """
    parts = []
    for group in groups:
        matrices = [weight for weight in group.weights.values() if weight.ndim > 1]
        others = [weight for weight in group.weights.values() if weight.ndim <= 1]
        for weights, decay in ((matrices, weight_decay), (others, 0.0)):
            if weights:
                rate = group.learning_rate
                parts.append({"params": weights, "lr": rate, "peak": rate, "weight_decay": decay})
    return torch.optim.AdamW(parts, betas=(0.9, 0.999), eps=1e-8, fused=True)


def clipped_step(optimizer: torch.optim.AdamW, weights: Iterable[nn.Parameter], clip: float) -> Tensor:
    """Take a step with the gradient clipped to the norm `clip`, and reset the gradient.

    The fused optimiser divides gradients as it reads them, which saves a pass over all of them and, on a GPU, waiting
    for the norm.

    Args:
        optimizer: made by :func:`adamw`.
        weights: the weights that it trains.
        clip: maximum norm.

    Returns:
        the norm before clipping, a scalar on the weights' device.
    """
    norm = nn.utils.get_total_norm([weight.grad for weight in weights if weight.grad is not None])
    optimizer.grad_scale = norm.clamp(min=clip) / clip  # type: ignore[attr-defined]  # as torch's GradScaler sets it
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
