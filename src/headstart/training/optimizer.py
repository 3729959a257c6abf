"""AdamW over groups of weights that each have their own learning rate."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from headstart.nn.groups import Group


def adamw(groups: Sequence[Group], weight_decay: float) -> torch.optim.AdamW:
    """Build AdamW (Loshchilov & Hutter 2019) with decay on matrices only: not on biases and not on norms.

    Each parameter group keeps its peak rate as ``peak`` for the schedule to scale.
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
