"""Replace the linear layers of a model's blocks, for prediction only."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import nn

from headstart.nn.heads import Model


def with_layers(model: Model, make: Callable[[nn.Linear, Sequence[int]], nn.Module]) -> Model:
    """Return a copy of a model with every linear layer of its blocks replaced; the model itself is unchanged.

    The two share all other weights. The copy predicts but cannot be trained.

    Args:
        model: the model to copy.
        make: (layer, cuts) -> its replacement. Between two cuts (or a cut and an end) are outputs that can be computed
            separately by `part`, as in `nn.linear.Linear`; only the last block's attention has a cut.
    """
    shared = {id(weight): weight for weight in model.parameters()}
    copied = copy.deepcopy(model, shared).eval()
    blocks: Iterable[Any] = copied.encoder.blocks
    for block in blocks:
        attention = block.attention
        # If the head reads only first tokens, the last block computes queries separately from keys and values.
        cuts = (attention.qkv.in_features,) if block is copied.encoder.blocks[-1] else ()
        attention.qkv = make(attention.qkv, cuts)
        attention.output = make(attention.output, ())
        block.up = make(block.up, ())
        block.down = make(block.down, ())
    return copied
