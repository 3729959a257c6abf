"""Low-rank updates of linear layers (Hu et al. 2021, "LoRA"), trained next to frozen weights and then added to them.

Shapes: tokens = rows of the input, inputs and outputs = a matrix's widths, rank = that of an update.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.choices import TARGETS
from headstart.nn.dropout import Dropout
from headstart.nn.heads import Model
from headstart.nn.layer import Layer

SHARING = {"attention.qkv": 3}


@dataclass(frozen=True)
class Updates:
    """The updates that a training has added to a model's matrices: ``alpha / rank * up @ down`` for each.

    rank: rank of each update.
    alpha: scale of the updates, divided by the rank.
    dropout: rate on the input of the updates during training, 0 to 1.
    pairs: (name of the layer, number of the matrix in it) -> down ``(rank, inputs)`` and up ``(outputs, rank)``.
    """

    rank: int
    alpha: float
    dropout: float
    pairs: dict[tuple[str, int], tuple[Tensor, Tensor]]


class Update(nn.Module):
    """The two factors of one matrix's update, which is zero at first (section 4.1)."""

    def __init__(self, inputs: int, outputs: int, rank: int):
        super().__init__()
        self.down = nn.Parameter(torch.empty(rank, inputs))
        self.up = nn.Parameter(torch.zeros(outputs, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))


class LowRank(nn.Module):
    """A linear layer with updates of some of its matrices.

    layer: the frozen layer.
    heights: outputs of each matrix in the layer, in order.
    numbers: which of them are updated, from 0.
    rank: rank of each update.
    alpha: the update is scaled by ``alpha / rank``.
    dropout: rate on the input of the updates, 0 to 1.
    """

    def __init__(
        self, layer: nn.Linear, heights: Sequence[int], numbers: Sequence[int], rank: int, alpha: float, dropout: float
    ):
        super().__init__()
        self.layer = layer
        self.spans = [(sum(heights[:number]), height) for number, height in enumerate(heights)]  # first row, rows
        self.scale = alpha / rank
        self.dropout = Dropout(dropout)
        self.updates = nn.ModuleDict({str(n): Update(layer.in_features, heights[n], rank) for n in numbers})

    def forward(self, hidden: Tensor) -> Tensor:
        """Map ``(tokens, inputs)`` to ``(tokens, outputs)``."""
        return self.part(hidden, 0, self.layer.out_features)

    def part(self, hidden: Tensor, start: int, stop: int) -> Tensor:
        """Compute only the outputs from `start` up to `stop`, which must contain whole matrices."""
        bias = None if self.layer.bias is None else self.layer.bias[start:stop]
        out = F.linear(hidden, self.layer.weight[start:stop], bias)  # (tokens, stop - start)
        updates: dict[str, Any] = dict(self.updates.items())
        within = {self.spans[int(number)][0] - start: update for number, update in updates.items()}
        within = {place: update for place, update in within.items() if 0 <= place < stop - start}
        if not within:
            return out
        # One product for all updates, with zeros for the other matrices: several products would each copy all outputs.
        down = torch.cat([update.down for update in within.values()])  # (updates * rank, inputs)
        # (stop - start, updates * rank)
        up = torch.cat(
            [F.pad(each.up, (0, 0, place, stop - start - place - len(each.up))) for place, each in within.items()], 1
        )
        return torch.addmm(out, self.dropout(hidden) @ down.T, up.T, alpha=self.scale)


def insert(model: Model, targets: Sequence[str], rank: int, alpha: float, dropout: float) -> None:
    """Insert updates into the target layers of every block, in place; the model's outputs do not change.

    Args:
        model: the model to change.
        targets: names in `TARGETS`.
        rank: see :class:`LowRank`.
        alpha: see :class:`LowRank`.
        dropout: see :class:`LowRank`.
    """
    layers: dict[str, list[int]] = {}
    for target in targets:
        place, number = TARGETS[target]
        layers.setdefault(place, []).append(number)
    for block in model.encoder.blocks:
        for place, numbers in layers.items():
            layer = block.get_submodule(place)
            assert isinstance(layer, nn.Linear)
            made = LowRank(layer, _heights(block, place, layer), numbers, rank, alpha, dropout)
            block.set_submodule(place, made.to(layer.weight.device))


def _heights(block: nn.Module, place: str, layer: nn.Linear) -> list[int]:
    """Return the outputs of each matrix in a layer: of keys and values fewer where heads of queries share them."""
    if isinstance(block, Layer) and place == "attention.qkv":
        return [count * block.size for count in (block.heads, block.key_heads, block.key_heads)]
    matrices = SHARING.get(place, 1)
    return [layer.out_features // matrices] * matrices


@torch.no_grad()
def merge(model: Model) -> dict[tuple[str, int], tuple[Tensor, Tensor]]:
    """Add all updates to their matrices and restore ordinary layers, in place.

    Returns:
        the updates that were added, see :class:`Updates`.

    >>> from headstart.nn.encoder import Encoder
    >>> from headstart.nn.heads import ClassificationHead
    >>> encoder = Encoder(vocabulary=9, width=8, layers=1, heads=2, feed_forward=16, window=4)
    >>> insert(Model(encoder, ClassificationHead(8, 2)), ["up"], rank=2, alpha=4, dropout=0)
    >>> type(encoder.blocks[0].up).__name__
    'LowRank'
    >>> list(merge(Model(encoder, ClassificationHead(8, 2)))), type(encoder.blocks[0].up).__name__
    ([('encoder.blocks.0.up', 0)], 'Linear')
    """
    pairs = {}
    for name, part in list(model.named_modules()):
        if isinstance(part, LowRank):
            for key, update in part.updates.items():
                assert isinstance(update, Update)
                number = int(key)
                start, height = part.spans[number]
                part.layer.weight[start : start + height].addmm_(update.up, update.down, alpha=part.scale)
                pairs[name, number] = (update.down.detach(), update.up.detach())
            model.set_submodule(name, part.layer)
    return pairs
