"""Fine-tune from the top down, one more stage at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.core.errors import at_least
from headstart.nn.choices import Pooling
from headstart.strategies import Strategy

if TYPE_CHECKING:
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model


@dataclass(frozen=True)
class Gradual(Strategy):
    """Fine-tune the head first, then one more stage at a time from the top (Howard & Ruder 2018, section 3.3).

    learning_rate: as in `full`.
    layer_decay: as in `full`.
    opening: share of the steps (0 to 1) after which every weight is trained; stages are unfrozen evenly until then.
    pooling: what the head reads; see `contenders.finetuned`.
    """

    learning_rate: float = 1e-4
    layer_decay: float = 0.9
    opening: float = 0.3
    epochs: int = 4
    pooling: Literal[Pooling, "checkpoint"] = "first"

    level: ClassVar[str] = "full tuning"

    def __post_init__(self) -> None:
        at_least(0, opening=self.opening)

    def prepare(self, model: Model) -> list[Group]:
        """Return all weights in groups, one per stage; :meth:`at_step` unfreezes them."""
        from headstart.nn.groups import by_stage

        return by_stage(model, len(model.encoder.stages), self.learning_rate, self.layer_decay)

    def at_step(self, groups: Sequence[Group], step: int, total: int) -> bool:
        """Unfreeze the groups whose turn has come by a step, in place, and freeze the others.

        Args:
            groups: as returned by :meth:`prepare`.
            step: from 0 to ``total - 1``.
            total: number of steps.

        Returns:
            whether that changed anything.
        """
        changed = False
        for depth, group in enumerate(groups):
            learns = step * (len(groups) - 1) >= depth * self.opening * total
            for weight in group.weights.values():
                changed |= weight.requires_grad != learns
                weight.requires_grad_(learns)
        return changed


PLUGIN = Gradual
