"""Fine-tune every weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from headstart.core.errors import UsageError, at_least
from headstart.nn.encoder import initialise
from headstart.nn.groups import Group, by_stage
from headstart.nn.heads import Model, Pooling


@dataclass(frozen=True)
class Full:
    """Fine-tune every weight (Devlin et al. 2019, section 3.2), lower layers a little slower.

    learning_rate: of the head; each stage below learns at `layer_decay` times the rate of the one above
        (Howard & Ruder 2018, section 3.2; 1.0 for one rate everywhere).
    reinitialise: how many blocks, counted from the top, begin afresh, and with them the head's dense layer: what lies
        there is the most bound to the task of the pretraining (Zhang et al. 2021, section 5); drawn from torch's
        generator.
    pooling: what the head reads; see `contenders.finetuned`.
    """

    learning_rate: float = 1e-4
    layer_decay: float = 0.9
    epochs: int = 3
    pooling: Literal[Pooling, "checkpoint"] = "first"
    reinitialise: int = 0

    rung: ClassVar[str] = "full tuning"

    def __post_init__(self) -> None:
        at_least(0, reinitialise=self.reinitialise)

    def prepare(self, model: Model) -> list[Group]:
        """Let everything learn; return the weights in groups, one per stage.

        Raises:
            UsageError: layers cannot begin afresh one by one, since all are one block.
        """
        if self.reinitialise:
            if model.encoder.repeats > 1:
                raise UsageError(
                    f"option 'reinitialise' is {self.reinitialise}, but all layers of this model are one block, which "
                    "would begin afresh as a whole; set full.reinitialise=0."
                )
            for part in [model.head.dense, *list(model.encoder.blocks)[-self.reinitialise :]]:
                if part is not None:
                    initialise(part)
        return by_stage(model, len(model.encoder.stages), self.learning_rate, self.layer_decay)


PLUGIN = Full
