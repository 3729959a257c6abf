"""Matrix products for a single short text on a CPU, with prepacked weights.

With few tokens a product mostly reads the weights, and the usual kernel (MKL) repacks them in every call. oneDNN's
kernel packs them once. From a few hundred tokens on MKL is faster.

oneDNN compiles a kernel for every number of tokens that it meets and keeps the last 1,024 of them, which takes about a
millisecond and some hundred kilobytes each: a server would pay that for its first texts of every length, and grow by
hundreds of megabytes. So the rows of a product are filled up with zeros to one of a few numbers, see :func:`rounded`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.block import Block
from headstart.nn.heads import Model
from headstart.nn.layers import with_layers

# Maximum number of tokens for which it is faster.
FEW = 128
# Operations that the kernel fuses with a product, by its names; 'none' is the exact GELU, by erf.
NOTHING, GELU = ("none", ""), ("gelu", "none")


def available() -> bool:
    """Return whether this build of torch has the kernel."""
    return bool(torch.backends.mkldnn.is_available())


def prepacked(model: Model) -> Model:
    """Return a copy of a model on the CPU that predicts short texts faster; the model itself is unchanged.

    The two share all weights except those of the blocks, which the copy has in its own layout.
    """
    copied = with_layers(model, PrepackedLinear)
    blocks: Iterable[Any] = copied.encoder.blocks
    for block in blocks:
        joins = isinstance(block, Block)  # only then is the activation applied to all outputs of `up`
        if joins and block.activation is F.gelu:
            block.up.after = GELU
            block.activation = nn.Identity()
    return copied


def rounded(tokens: int) -> int:
    """Return the number of rows that a product of so many tokens has: at most a quarter more.

    >>> [rounded(tokens) for tokens in (1, 7, 9, 17, 25, 33, 128)]
    [1, 7, 10, 20, 28, 40, 128]
    """
    step = 1 << max(0, (tokens - 1).bit_length() - 3)
    return -(-tokens // step) * step


class PrepackedLinear(nn.Module):
    """A linear layer that stores its weights in the kernel's layout.

    after: the operation fused with the product, `NOTHING` or `GELU`.
    """

    def __init__(self, layer: nn.Linear, cuts: Sequence[int] = ()):
        """Pack the weights of a layer.

        Args:
            layer: a float32 layer.
            cuts: see `nn.layers.with_layers`.
            after: see :class:`PrepackedLinear`.
        """
        super().__init__()
        self.outputs = layer.out_features
        self.after = NOTHING
        weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
        self.parts = {
            (start, stop): (
                torch.ops.mkldnn._reorder_linear_weight(weight[start:stop], None),
                None if bias is None else bias[start:stop],
            )
            for start, stop in {(0, self.outputs), *itertools.pairwise((0, *cuts, self.outputs))}
        }

    def forward(self, hidden: Tensor) -> Tensor:
        """Map float32 ``(tokens, inputs)`` to float32 ``(tokens, outputs)``, without gradient."""
        return self.part(hidden, 0, self.outputs)

    def part(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        """Compute only the outputs from `start` up to `stop`, both of which must be cuts."""
        weight, bias = self.parts[start, stop]
        name, algorithm = self.after
        tokens = len(hidden)
        filled = F.pad(hidden, (0, 0, 0, rounded(tokens) - tokens))  # (rounded tokens, inputs)
        out: Tensor = torch.ops.mkldnn._linear_pointwise(filled, weight, bias, name, [], algorithm)
        return out[:tokens]
