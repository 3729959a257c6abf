"""Fine-tune with low-rank updates of frozen matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from headstart.core.errors import UsageError, at_least, did_you_mean
from headstart.nn.choices import TARGETS, Pooling
from headstart.strategies import Strategy

if TYPE_CHECKING:
    from headstart.nn import lora
    from headstart.nn.groups import Group
    from headstart.nn.heads import Model


@dataclass(frozen=True)
class Lora(Strategy):
    """Fine-tune the head and low-rank updates, which are merged into the matrices at the end (Hu et al. 2021).

    rank: rank of the updates.
    alpha: an update is scaled by ``alpha / rank``.
    dropout: rate on the input of the updates, 0 to 1.
    targets: which matrices: query, key, value, output, up, down, joined by '+'. By default all of them, since fewer do
        not reach full fine-tuning (Dettmers et al. 2023, section 4).
    learning_rate: peak rate of all trained weights.
    pooling: what the head reads; see `contenders.finetuned`.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = tuple(TARGETS)
    learning_rate: float = 1e-3
    epochs: int = 4
    pooling: Literal[Pooling, "checkpoint"] = "first"

    level: ClassVar[str] = "light tuning"

    def __post_init__(self) -> None:
        at_least(1, rank=self.rank)
        at_least(0, dropout=self.dropout)
        for target in self.targets:
            if target not in TARGETS:
                raise UsageError(f"no matrix '{target}' for lora's targets; {did_you_mean(target, TARGETS)}")

    def prepare(self, model: Model) -> list[Group]:
        """Insert the updates; return their weights and those of the head."""
        from headstart.nn import lora
        from headstart.nn.groups import by_name

        lora.insert(model, self.targets, self.rank, self.alpha, self.dropout)
        return by_name(model, lambda name: ".updates." in name, self.learning_rate)

    def merge(self, model: Model) -> lora.Updates:
        """Merge the updates into their matrices, in place; return them."""
        from headstart.nn import lora

        return lora.Updates(self.rank, self.alpha, self.dropout, lora.merge(model))


PLUGIN = Lora
