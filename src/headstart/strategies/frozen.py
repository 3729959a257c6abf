"""Train only the head, on the encoder's unchanged states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.nn.choices import Pooling
from headstart.strategies import Strategy

if TYPE_CHECKING:
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model

# For a head that is trained by steps, as part of a larger training.
LEARNING_RATE = 1e-3


@dataclass(frozen=True)
class Frozen(Strategy):
    """Train only a linear head; the encoder runs once per text and its states are stored (Peters et al. 2019).

    The head is a logistic regression, whose optimum is computed exactly (see `training.convex`).

    pooling: what the head reads; see `contenders.finetuned`.
    """

    pooling: Literal[Pooling, "checkpoint"] = "checkpoint"

    level: ClassVar[str] = "frozen"
    epochs: ClassVar[int] = 1  # passes of the encoder over the texts

    def prepare(self, model: Model) -> list[Group]:
        """Freeze the encoder and remove the head's dense layer; return the weights of its output layer."""
        from headstart.nn.groups import by_stage

        model.head.make_linear()
        return by_stage(model, 0, LEARNING_RATE)


PLUGIN = Frozen
