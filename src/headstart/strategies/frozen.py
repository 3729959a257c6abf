"""Train the head on the encoder's states as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from headstart.nn.groups import Group, by_stage
from headstart.nn.heads import Model


@dataclass(frozen=True)
class Frozen:
    """Train the head alone; the encoder runs once per text and its answer is kept (Peters et al. 2019).

    learning_rate: of the head.
    """

    learning_rate: float = 1e-3
    epochs: int = 20

    rung: ClassVar[str] = "frozen"

    def prepare(self, model: Model) -> list[Group]:
        """Freeze the encoder; return the head's weights."""
        return by_stage(model, 0, self.learning_rate, 1.0)


PLUGIN = Frozen
