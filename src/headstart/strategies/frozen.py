"""Train the head on the encoder's states as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from headstart.nn.groups import Group, by_stage
from headstart.nn.heads import Model, Pooling

# Of a head that is trained by steps after all, as part of a larger training.
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Frozen:
    """Train a linear head alone; the encoder runs once per text and its answer is kept (Peters et al. 2019).

    The head is a logistic regression, whose one optimum is found exactly (see `training.convex`).
    pooling: what the head reads; see `contenders.finetuned`.
    """

    pooling: Literal[Pooling, "checkpoint"] = "checkpoint"

    rung: ClassVar[str] = "frozen"
    epochs: ClassVar[int] = 1  # over the texts, by the encoder

    def prepare(self, model: Model) -> list[Group]:
        """Freeze the encoder and leave out the head's dense layer; return the weights of its output layer."""
        model.head.make_linear()
        return by_stage(model, 0, LEARNING_RATE)


PLUGIN = Frozen
