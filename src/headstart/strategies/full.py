"""Fine-tune every weight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from headstart.nn.groups import Group, by_stage
from headstart.nn.heads import Model


@dataclass(frozen=True)
class Full:
    """Fine-tune every weight (Devlin et al. 2019, section 3.2), lower layers a little slower.

    learning_rate: of the head; each stage below learns at `layer_decay` times the rate of the one above
        (Howard & Ruder 2018, section 3.2; 1.0 for one rate everywhere).
    """

    learning_rate: float = 1e-4
    layer_decay: float = 0.9
    epochs: int = 3

    rung: ClassVar[str] = "full tuning"

    def prepare(self, model: Model) -> list[Group]:
        """Let everything learn; return the weights in groups, one per stage."""
        return by_stage(model, len(model.encoder.stages), self.learning_rate, self.layer_decay)


PLUGIN = Full
