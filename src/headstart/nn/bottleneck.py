"""Adapters: small layers inside a block that are trained while the block is frozen."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.choices import PLACES
from headstart.nn.encoder import initialise
from headstart.nn.heads import Model

# Standard deviation of new weights; smaller ones work as well, larger ones worse (Houlsby et al. 2019, section 3.6).
DEVIATION = 1e-2


class Bottleneck(nn.Module):
    """Project down, apply a GELU, project up and add the input; close to the identity at first.

    width: width of the states.
    inner: width of the bottleneck.
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
    """Insert bottlenecks into every block, in place.

    Args:
        model: the model to change.
        kind: 'houlsby' for one after attention and one after the feed-forward layers (Houlsby et al. 2019, figure 2),
            or 'pfeiffer' for the second only (Pfeiffer et al. 2020).
        inner: width of the bottleneck.
    """
    blocks: Iterable[Any] = model.encoder.blocks
    for block in blocks:
        for place in PLACES[kind]:
            setattr(block, place, Bottleneck(model.encoder.width, inner).to(block.up.weight.device))


def split(model: Model) -> tuple[Model, dict[str, Tensor]]:
    """Return the model without its bottlenecks, sharing its weights, and the weights of the bottlenecks.

    >>> from headstart.nn.encoder import Encoder
    >>> from headstart.nn.heads import ClassificationHead
    >>> encoder = Encoder(vocabulary=9, width=8, layers=1, heads=2, feed_forward=16, window=4)
    >>> model = Model(encoder, ClassificationHead(8, 2))
    >>> insert(model, "pfeiffer", 2)
    >>> sorted(split(model)[1])[:2]
    ['encoder.blocks.0.output_adapter.down.bias', 'encoder.blocks.0.output_adapter.down.weight']
    """
    plain = copy.deepcopy(model, {id(weight): weight for weight in model.parameters()})
    blocks: Iterable[Any] = plain.encoder.blocks
    for block in blocks:
        block.attention_adapter = block.output_adapter = None
    plain_names = {name for name, _ in plain.named_parameters()}
    return plain, {name: weight.detach() for name, weight in model.named_parameters() if name not in plain_names}


def join(model: Model, weights: Mapping[str, Tensor]) -> None:
    """Insert the bottlenecks that :func:`split` removed into a model without bottlenecks, in place.

    Raises:
        ValueError: their names or shapes are not those of this model, or they are not finite numbers.
    """
    kind = "houlsby" if any("attention_adapter" in name for name in weights) else "pfeiffer"
    insert(model, kind, next(len(weight) for name, weight in weights.items() if name.endswith("down.bias")))
    added = {name: weight for name, weight in model.named_parameters() if "_adapter." in name}
    if {name: weight.shape for name, weight in weights.items()} != {name: part.shape for name, part in added.items()}:
        raise ValueError("the bottlenecks have other names or shapes than those of the model")
    for name, weight in weights.items():
        if not weight.is_floating_point() or not torch.isfinite(weight).all():
            raise ValueError(f"the bottleneck '{name}' holds values that are not finite numbers")
    model.load_state_dict(dict(weights), strict=False)
