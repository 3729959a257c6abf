"""One Transformer block of the BERT kind: attention, then feed-forward, each followed by a residual and a norm."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.attention import SelfAttention
from headstart.nn.dropout import Dropout
from headstart.nn.packed import Batch

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),  # not a lambda, which could not be pickled
    "relu": F.relu,
    "tanh": torch.tanh,
    "silu": F.silu,
}


class Block(nn.Module):
    """Attention and feed-forward with layer norm after each residual (Devlin et al. 2019)."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float, activation: str, epsilon: float):
        super().__init__()
        self.attention = SelfAttention(width, heads)
        self.attention_norm = nn.LayerNorm(width, eps=epsilon)
        self.up = nn.Linear(width, feed_forward)
        self.down = nn.Linear(feed_forward, width)
        self.output_norm = nn.LayerNorm(width, eps=epsilon)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.attention_adapter: nn.Module | None = None  # see `nn.bottleneck`
        self.output_adapter: nn.Module | None = None

    def forward(
        self,
        hidden: Tensor,
        batch: Batch,
        first_only: bool = False,
        places: Tensor | None = None,
        shared: Tensor | None = None,
    ) -> Tensor:
        """Map states ``(tokens, width)`` to the same shape, or only those of first tokens or of some `places`.

        Args:
            hidden: float ``(tokens, width)``.
            batch: how the tokens are divided into texts.
            first_only: return only the states of first tokens, ``(sequences, width)``.
            places: int64 ``(places,)``, return only the states of these tokens; None for all.
            shared: the input common to all blocks, here the bias of the attention scores; None for none.
        """
        attended = self.attention(hidden, batch, first_only, places, shared)  # (tokens wanted, width)
        if self.attention_adapter is not None:
            attended = self.attention_adapter(attended)
        hidden = batch.select(hidden, first_only, places)  # (tokens wanted, width)
        hidden = self.attention_norm(self.dropout(attended, hidden))
        expanded = self.down(self.activation(self.up(hidden)))
        if self.output_adapter is not None:
            expanded = self.output_adapter(expanded)
        out: Tensor = self.output_norm(self.dropout(expanded, hidden))
        return out
