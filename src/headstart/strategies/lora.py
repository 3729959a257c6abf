"""Fine-tune by low-rank updates of frozen matrices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from headstart.core.errors import UsageError, at_least, did_you_mean
from headstart.nn import lora
from headstart.nn.groups import Group, by_name
from headstart.nn.heads import Model, Pooling


@dataclass(frozen=True)
class Lora:
    """Fine-tune the head and low-rank updates, which end inside the blocks' matrices (Hu et al. 2021).

    rank, alpha: an update is a product of two matrices of that rank, times ``alpha / rank``. dropout: rate on what the
        updates see, 0 to 1.
    targets: which matrices: query, key, value, output, up, down, joined by '+'. All of them by default, since fewer
        stay behind full fine-tuning (Dettmers et al. 2023, section 4).
    learning_rate: of all that learns.
    pooling: what the head reads; see `contenders.finetuned`.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    targets: tuple[str, ...] = tuple(lora.TARGETS)
    learning_rate: float = 1e-3
    epochs: int = 4
    pooling: Literal[Pooling, "checkpoint"] = "first"

    rung: ClassVar[str] = "light tuning"

    def __post_init__(self) -> None:
        at_least(1, rank=self.rank)
        at_least(0, dropout=self.dropout)
        for target in self.targets:
            if target not in lora.TARGETS:
                raise UsageError(f"no matrix '{target}' for lora's targets; {did_you_mean(target, lora.TARGETS)}")

    def prepare(self, model: Model) -> list[Group]:
        """Put the updates beside their matrices; return them with the head's weights."""
        lora.insert(model, self.targets, self.rank, self.alpha, self.dropout)
        return by_name(model, lambda name: ".updates." in name, self.learning_rate)

    def merge(self, model: Model) -> lora.Updates:
        """Add the updates to their matrices, in place; return them."""
        return lora.Updates(self.rank, self.alpha, self.dropout, lora.merge(model))


PLUGIN = Lora
