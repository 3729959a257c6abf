"""Give a model's blocks other linear layers, for prediction alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import nn

from headstart.nn.heads import Model


def with_layers(model: Model, make: Callable[[nn.Linear, Sequence[int]], nn.Module]) -> Model:
    """Return a copy of a model with every linear layer of its blocks made anew; the model stays as it is.

    The two share all other weights. The copy predicts and does not learn.

    Args:
        make: layer, cuts -> what takes its place. Between two cuts (or a cut and an end) lie outputs that `part` is
            asked for, as `nn.linear.Linear` has it; only the last block's attention has a cut.
    """
    shared = {id(weight): weight for weight in model.parameters()}
    found = copy.deepcopy(model, shared).eval()
    blocks: Iterable[Any] = found.encoder.blocks
    for block in blocks:
        attention = block.attention
        # Where the head reads first tokens alone, the last block computes queries apart from keys and values.
        cuts = (attention.qkv.in_features,) if block is found.encoder.blocks[-1] else ()
        attention.qkv = make(attention.qkv, cuts)
        attention.output = make(attention.output, ())
        block.up = make(block.up, ())
        block.down = make(block.down, ())
    return found
