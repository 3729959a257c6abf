"""A linear layer of which some outputs can be computed without the others."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Linear(nn.Linear):
    """Multiply by one matrix that combines several: query, key and value of attention."""

    def part(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        """Compute only the outputs from `start` up to `stop` of states ``(tokens, width)``."""
        return F.linear(hidden, self.weight[start:stop], None if self.bias is None else self.bias[start:stop])
