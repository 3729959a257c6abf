"""Fine-tune the top blocks only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.core.errors import at_least
from headstart.nn.choices import Pooling
from headstart.strategies import Strategy

if TYPE_CHECKING:
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model


@dataclass(frozen=True)
class Partial(Strategy):
    """Fine-tune the top blocks and the head; the rest runs once per text and its output is stored (Lee et al. 2019).

    blocks: number of trained blocks, counted from the top.
    learning_rate: peak rate of all trained weights.
    pooling: what the head reads; see `contenders.finetuned`.
    """

    blocks: int = 2
    learning_rate: float = 1e-4
    epochs: int = 4
    pooling: Literal[Pooling, "checkpoint"] = "first"

    level: ClassVar[str] = "light tuning"

    def __post_init__(self) -> None:
        at_least(0, blocks=self.blocks)

    def prepare(self, model: Model) -> list[Group]:
        """Freeze the embeddings and the lower blocks; return the trained weights."""
        from headstart.nn.groups import by_stage

        return by_stage(model, min(self.blocks, len(model.encoder.blocks)), self.learning_rate, 1.0)


PLUGIN = Partial
