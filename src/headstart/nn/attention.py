"""Multi-head self-attention over a packed batch (Vaswani et al. 2017, section 3.2), no padding and no mask.

Texts of equal length stand side by side in a batch, so each group is a dense ``(texts, heads, length, width)``
block that the framework's attention kernel takes as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.packed import Batch


class SelfAttention(nn.Module):
    """Let every token look at all tokens of its own text.

    Query, key and value share one matrix product: weight ``(3 * width, width)``, queries first.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, hidden: Tensor, batch: Batch, first_only: bool = False) -> Tensor:
        """Attend within each text.

        Args:
            hidden: ``(tokens, width)``.
            first_only: compute the answer for each text's first token alone (keys and values of all tokens still
                take part): exact, and all that a head needs that reads nothing else.

        Returns:
            ``(tokens, width)``, or ``(sequences, width)`` for first tokens only.
        """
        width = hidden.shape[-1]
        if first_only:
            query = F.linear(hidden[batch.starts], self.qkv.weight[:width], self.qkv.bias[:width])
            key, value = F.linear(hidden, self.qkv.weight[width:], self.qkv.bias[width:]).chunk(2, dim=-1)
        else:
            query, key, value = self.qkv(hidden).chunk(3, dim=-1)
        attended = []
        token = text = 0
        for count, length in batch.groups:
            span = slice(token, token + count * length)
            asking = slice(text, text + count) if first_only else span
            answer = F.scaled_dot_product_attention(
                self._split(query[asking], count),
                self._split(key[span], count),
                self._split(value[span], count),
            )
            attended.append(answer.transpose(1, 2).reshape(-1, width))
            token, text = span.stop, text + count
        out: Tensor = self.output(torch.cat(attended))
        return out

    def _split(self, states: Tensor, count: int) -> Tensor:
        """``(count * length, width)`` -> ``(count, heads, length, width / heads)``."""
        return states.view(count, -1, self.heads, states.shape[-1] // self.heads).transpose(1, 2)
