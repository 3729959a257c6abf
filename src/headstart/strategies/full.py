"""Fine-tune every weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.core.errors import UsageError, at_least
from headstart.nn.choices import Pooling
from headstart.strategies import Strategy

if TYPE_CHECKING:
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model


@dataclass(frozen=True)
class Full(Strategy):
    """Fine-tune every weight (Devlin et al. 2019, section 3.2), lower layers with slightly lower rates.

    learning_rate: peak rate of the head.
    layer_decay: ratio of the rates of a stage and the stage above it (Howard & Ruder 2018, section 3.2); 1.0 for one
        rate everywhere.
    reinitialise: number of blocks, counted from the top, that start from random weights, together with the head's dense
        layer, since the top is most specific to the pretraining task (Zhang et al. 2021, section 5).
    pooling: what the head reads; see `contenders.finetuned`.
    """

    learning_rate: float = 1e-4
    layer_decay: float = 0.9
    epochs: int = 3
    pooling: Literal[Pooling, "checkpoint"] = "first"
    reinitialise: int = 0

    level: ClassVar[str] = "full tuning"

    def __post_init__(self) -> None:
        at_least(0, reinitialise=self.reinitialise)

    def prepare(self, model: Model) -> list[Group]:
        """Make every weight trainable; return the weights in groups, one per stage.

        Raises:
            UsageError: single layers cannot be reinitialised, since all share one block.
        """
        from headstart.nn.encoder import initialise
        from headstart.nn.groups import by_stage

        if self.reinitialise:
            if model.encoder.repeats > 1:
                raise UsageError(
                    f"option 'reinitialise' is {self.reinitialise}, but all layers of this model share one block, "
                    "which could only be reinitialised as a whole; set full.reinitialise=0."
                )
            for part in [model.head.dense, *list(model.encoder.blocks)[-self.reinitialise :]]:
                if part is not None:
                    initialise(part)
        return by_stage(model, len(model.encoder.stages), self.learning_rate, self.layer_decay)


PLUGIN = Full
