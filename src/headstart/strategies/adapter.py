"""Fine-tune small layers inside a frozen encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.core.errors import UsageError, at_least, did_you_mean
from headstart.nn.choices import PLACES, Pooling
from headstart.strategies import Strategy

if TYPE_CHECKING:
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model


@dataclass(frozen=True)
class Adapter(Strategy):
    """Fine-tune bottleneck layers inserted into the blocks, the blocks' norms and the head (Houlsby et al. 2019).

    kind: 'houlsby' for two bottlenecks per block, 'pfeiffer' for one, after the feed-forward layers (Pfeiffer et al.
        2020).
    width: width of a bottleneck.
    learning_rate: peak rate of all trained weights.
    pooling: what the head reads; see `contenders.finetuned`.
    """

    kind: str = "houlsby"
    width: int = 64
    learning_rate: float = 1e-3
    epochs: int = 4
    pooling: Literal[Pooling, "checkpoint"] = "first"

    level: ClassVar[str] = "light tuning"

    def __post_init__(self) -> None:
        at_least(1, width=self.width)
        if self.kind not in PLACES:
            raise UsageError(f"no kind '{self.kind}' of adapter; {did_you_mean(self.kind, PLACES)}")

    def prepare(self, model: Model) -> list[Group]:
        """Insert the bottlenecks into the blocks; return their weights and those of the norms and the head."""
        from headstart.nn import bottleneck
        from headstart.nn.groups import by_name

        bottleneck.insert(model, self.kind, self.width)
        return by_name(model, lambda name: "_adapter." in name or "_norm." in name, self.learning_rate)


PLUGIN = Adapter
