"""Dropout (Srivastava et al. 2014) fused with the residual sum, several times cheaper than usual.

On a CPU ``F.dropout`` draws one random number per value and stores its mask in float32. Here 64 random bits serve four
values, and a mask takes one byte per value.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from headstart.nn import chance

# Number of distinct rates: dropout compares 16-bit random numbers.
STEPS = 2**16


class Dropout(nn.Module):
    """Set a random share of values to zero during training and scale the rest so that the mean is unchanged.

    p: the share, 0 to 1; on a CPU rounded to a multiple of 1 / 65,536.
    """

    def __init__(self, p: float):
        super().__init__()
        self.p = p

    def forward(self, values: Tensor, residual: Tensor | None = None) -> Tensor:
        """Return ``dropout(values) + residual``, all of the same shape; without dropout no random numbers are drawn."""
        if not self.training or self.p == 0:
            return values if residual is None else values + residual
        share = round(self.p * STEPS)
        if values.device.type != "cpu" or share == STEPS:
            dropped = F.dropout(values, self.p)
            return dropped if residual is None else dropped + residual
        out: Tensor = _Drop.apply(values, residual, share)
        return out


class _Drop(torch.autograd.Function):
    """Multiply by a random mask of zeros and ``1 / (1 - rate)``, and add the residual in the same pass."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, residual: Tensor | None, dropped: int) -> Tensor:
        """Drop each value with probability ``dropped / 65,536``."""
        count = values.numel()
        drawn = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None, generator=chance.generator())
        bits = drawn.view(torch.int16)  # (4 * drawn,), at least one per value
        # Compared by numpy, whose loop over 16-bit integers is ten times as fast as torch's.
        mask = torch.from_numpy(bits[:count].numpy() >= dropped - STEPS // 2).view(torch.uint8).view(values.shape)
        scale = STEPS / (STEPS - dropped)
        ctx.save_for_backward(mask)
        ctx.scale, ctx.joined = scale, residual is not None
        if residual is None:
            return mask.to(values.dtype).mul_(values).mul_(scale)
        return torch.addcmul(residual, values, mask.to(values.dtype), value=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        """Return the gradients of values and residual."""
        (mask,) = ctx.saved_tensors
        scaled = mask.to(gradient.dtype).mul_(gradient).mul_(ctx.scale)
        return scaled, gradient if ctx.joined else None, None
