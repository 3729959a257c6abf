"""Fine-tune only the biases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.core.errors import UsageError
from headstart.nn.choices import Pooling
from headstart.strategies import Strategy

if TYPE_CHECKING:
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model


@dataclass(frozen=True)
class BitFit(Strategy):
    """Fine-tune the biases of all blocks and the head, under 1 % of the weights (Ben Zaken et al. 2022).

    learning_rate: peak rate of all trained weights.
    pooling: what the head reads; see `contenders.finetuned`.
    """

    learning_rate: float = 5e-3
    epochs: int = 4
    pooling: Literal[Pooling, "checkpoint"] = "first"

    level: ClassVar[str] = "light tuning"

    def prepare(self, model: Model) -> list[Group]:
        """Freeze every matrix of the encoder, and the embeddings; return the trained weights.

        Raises:
            UsageError: the encoder's blocks have no biases.
        """
        from headstart.nn.groups import by_name

        groups = by_name(model, lambda name: name.endswith(".bias"), self.learning_rate)
        if all(name.startswith("head.") for name in groups[0].weights):
            raise UsageError("this model's blocks have no biases, so bitfit has nothing to train; use lora or frozen.")
        return groups


PLUGIN = BitFit
