"""Adapters: small layers between those of a block, which learn while the block stays as it is."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.encoder import initialise
from headstart.nn.heads import Model

# Where in a block they stand: behind each of these layers.
PLACES = {"houlsby": ("attention_adapter", "output_adapter"), "pfeiffer": ("output_adapter",)}
# Standard deviation of fresh weights; smaller ones do as well, greater ones worse (Houlsby et al. 2019, section 3.6).
DEVIATION = 1e-2


class Bottleneck(nn.Module):
    """Down to a few values, a GELU, up again, and the input added: nearly the identity at first.

    width: that of the states. inner: the few values.
    """

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.down = nn.Linear(width, inner)
        self.up = nn.Linear(inner, width)
        initialise(self, DEVIATION)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map ``(tokens, width)`` to the same shape."""
        out: Tensor = hidden + self.up(F.gelu(self.down(hidden)))
        return out


def insert(model: Model, kind: str, inner: int) -> None:
    """Put bottlenecks into every block, in place.

    Args:
        kind: 'houlsby' for one behind attention and one behind the feed-forward layers (Houlsby et al. 2019, figure
            2), 'pfeiffer' for the second alone (Pfeiffer et al. 2020).
        inner: see :class:`Bottleneck`.
    """
    blocks: Iterable[Any] = model.encoder.blocks
    for block in blocks:
        for place in PLACES[kind]:
            setattr(block, place, Bottleneck(model.encoder.width, inner).to(block.up.weight.device))


def split(model: Model) -> tuple[Model, dict[str, Tensor]]:
    """Take a model apart: the same without bottlenecks, sharing its weights, and the weights of the bottlenecks.

    >>> from headstart.nn.encoder import Encoder
    >>> from headstart.nn.heads import ClassificationHead
    >>> encoder = Encoder(vocabulary=9, width=8, layers=1, heads=2, feed_forward=16, window=4)
    >>> model = Model(encoder, ClassificationHead(8, classes=2))
    >>> insert(model, "pfeiffer", 2)
    >>> sorted(split(model)[1])[:2]
    ['encoder.blocks.0.output_adapter.down.bias', 'encoder.blocks.0.output_adapter.down.weight']
    """
    plain = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    blocks: Iterable[Any] = plain.encoder.blocks
    for block in blocks:
        block.attention_adapter = block.output_adapter = None
    kept = {name for name, _ in plain.named_parameters()}
    return plain, {name: weight.detach() for name, weight in model.named_parameters() if name not in kept}


def join(model: Model, weights: Mapping[str, Tensor]) -> None:
    """Put the bottlenecks that :func:`split` took out into a model that has none, in place."""
    kind = "houlsby" if any("attention_adapter" in name for name in weights) else "pfeiffer"
    insert(model, kind, next(len(weight) for name, weight in weights.items() if name.endswith("down.bias")))
    model.load_state_dict(dict(weights), strict=False)
