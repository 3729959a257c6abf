"""Matrix products for a single short text on a CPU, with weights laid out beforehand.

With few tokens a product does little more than read the weights, and the usual kernel (MKL) lays them out anew in
every call. oneDNN's does it once. From a few hundred tokens on MKL's is the faster one.
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

# Tokens up to which it pays.
FEW = 128
# What the kernel does to a product before it writes it, as it names that; 'none' is the exact GELU, by erf.
NOTHING, GELU = ("none", ""), ("gelu", "none")


def available() -> bool:
    """Say whether this build of torch has the kernel."""
    return bool(torch.backends.mkldnn.is_available())


def prepacked(model: Model) -> Model:
    """Return a copy of a model on the CPU that answers short texts sooner; the model stays as it is.

    The two share all weights but those of the blocks, of which the copy has its own.
    """
    found = with_layers(model, PrepackedLinear)
    blocks: Iterable[Any] = found.encoder.blocks
    for block in blocks:
        joins = isinstance(block, Block)  # whose activation is of all that `up` gives
        if joins and block.activation is F.gelu:
            block.up.after = GELU
            block.activation = nn.Identity()
    return found


class PrepackedLinear(nn.Module):
    """A linear layer that keeps its weights as the kernel wants them.

    after: what is done to its outputs on the way, `NOTHING` or `GELU`.
    """

    def __init__(self, layer: nn.Linear, cuts: Sequence[int] = ()):
        """Copy the weights of a layer.

        Args:
            cuts: see `nn.layers.with_layers`.
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
        """Map float32 ``(tokens, inputs)`` to float32 ``(tokens, outputs)``; gives no gradient."""
        return self.part(hidden, 0, self.outputs)

    def part(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        """Compute the outputs from `start` up to `stop`, both of them cuts, and no others."""
        weight, bias = self.parts[start, stop]
        name, algorithm = self.after
        out: Tensor = torch.ops.mkldnn._linear_pointwise(hidden, weight, bias, name, [], algorithm)
        return out
