"""Which weights learn, and how fast: strategies say it in groups, the optimiser takes it from there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from headstart.nn.heads import Model
from headstart.nn.pretraining import Pretraining


@dataclass(frozen=True)
class Group:
    """Weights that learn at one rate.

    weights: name -> parameter. learning_rate: the peak, reached after warm-up.
    """

    weights: dict[str, nn.Parameter]
    learning_rate: float


def by_stage(model: Model | Pretraining, stages: int, learning_rate: float, layer_decay: float = 1.0) -> list[Group]:
    """Let the head and the top stages of the encoder learn, in place, and nothing else.

    Args:
        stages: how many of the encoder's stages learn, counted from the top; all of them includes the embeddings.
            Layers that are one block are one stage, and learn at the rate of the top one.
        layer_decay: factor from one stage's learning rate to that of the stage below it.

    Returns:
        One group for the head, then one a stage from the top down. Weights that never learn (sinusoidal
        positions) stay out.
    """
    learns = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    model.requires_grad_(False)
    groups = []
    for depth, part in enumerate([model.head, *reversed(model.encoder.stages)][: stages + 1]):
        inside = {id(weight) for weight in part.parameters()}
        weights = {name: weight for name, weight in learns.items() if id(weight) in inside}
        for weight in weights.values():
            weight.requires_grad_(True)
        groups.append(Group(weights, learning_rate * layer_decay**depth))
    return groups


def by_name(model: Model, learns: Callable[[str], bool], learning_rate: float) -> list[Group]:
    """Let the head and some weights of the encoder's blocks learn at one rate, in place, and nothing else.

    The embeddings never learn: no gradient has to reach them, and none is computed.

    Args:
        learns: asked for the name of each weight of a block, such as 'encoder.blocks.0.up.bias'.
    """
    model.requires_grad_(False)
    weights = {
        name: weight
        for name, weight in model.named_parameters()
        if name.startswith("head.") or (name.startswith("encoder.blocks.") and learns(name))
    }
    for weight in weights.values():
        weight.requires_grad_(True)
    return [Group(weights, learning_rate)]
