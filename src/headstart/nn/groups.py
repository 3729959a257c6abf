"""Which weights are trained, and at which rate: strategies return groups, and the optimiser uses them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from headstart.nn.heads import Model
from headstart.nn.pretraining import Pretraining


@dataclass(frozen=True)
class Group:
    """Weights that are trained at one rate.

    weights: name -> parameter.
    learning_rate: the peak, reached after warm-up.
    """

    weights: dict[str, nn.Parameter]
    learning_rate: float


def by_stage(model: Model | Pretraining, stages: int, learning_rate: float, layer_decay: float = 1.0) -> list[Group]:
    """Train only the head and the top stages of the encoder, in place.

    Args:
        model: the model; weights of other stages stop requiring gradients.
        stages: number of stages of the encoder that are trained, counted from the top; all of them includes the
            embeddings. Layers that share one block are one stage, trained at the rate of the top one.
        learning_rate: the peak rate of the head.
        layer_decay: ratio of the learning rates of a stage and the stage above it.

    Returns:
        One group for the head, then one per stage from the top down. Weights that are never trained (sinusoidal
        positions) are left out.
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
    """Train only the head and some weights of the encoder's blocks at one rate, in place.

    The embeddings are frozen, so no gradient is computed for them.

    Args:
        model: the model; all other weights stop requiring gradients.
        learns: called with the name of each weight of a block, such as 'encoder.blocks.0.up.bias'; whether it is
            trained.
        learning_rate: the peak rate.
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
