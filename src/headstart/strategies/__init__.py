"""Fine-tuning strategies: which weights are trained, and when."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from headstart.core import rooms
from headstart.core.contracts import Value

if TYPE_CHECKING:
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model
    from headstart.nn.lora import Updates


class Strategy:
    """The plugin of a strategy: a frozen dataclass that derives from this class; its fields are its options.

    level: the level on the ladder of contenders that use it, see `contest.ladder`; '' for the contender's own.
    """

    level: ClassVar[str] = ""
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def epochs(self) -> int:
        """Default number of passes over the training rows."""
        raise NotImplementedError  # every strategy has its own

    @property
    def pooling(self) -> str:
        """What the head reads: 'first', 'mean', or 'checkpoint' for what the backbone was trained with."""
        raise NotImplementedError  # every strategy has its own

    def prepare(self, model: Model) -> list[Group]:
        """Freeze all other weights, in place, and return the trained weights."""
        raise NotImplementedError  # every strategy has its own

    def at_step(self, groups: Sequence[Group], step: int, total: int) -> bool:
        """Choose which of the groups are trained in a step, in place.

        Args:
            groups: as returned by :meth:`prepare`.
            step: from 0 to ``total - 1``.
            total: number of steps.

        Returns:
            whether that changed anything.
        """
        return False

    def merge(self, model: Model) -> Updates | None:
        """Turn the trained model into an ordinary one, in place, and return low-rank updates if there were any."""
        return None


def load(name: str, options: Mapping[str, Value] | None = None) -> Strategy:
    """Build the strategy of that file name, see `rooms.load`."""
    strategy: Strategy = rooms.load("strategies", name, dict(options or {}))
    return strategy


def plugin(name: str) -> type[Strategy]:
    """Import the strategy of that file name, see `rooms.plugin`."""
    return rooms.plugin("strategies", name)
