"""The head that scores a text from the states of two marked entities.

Shapes: sequences and marks as in `nn.packed`.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from headstart.core.contracts import Suffix
from headstart.nn.heads import ClassificationHead
from headstart.nn.packed import Batch


class EntityPairHead(ClassificationHead):
    """Score each sequence from the states of two marked tokens, those that open its two entities.

    Both states side by side go through one linear layer (Baldini Soares et al. 2019, "Matching the Blanks", section
    3.2, entity start). Targets: as for :class:`ClassificationHead`.
    """

    suffix: ClassVar[Suffix] = "ForEntityPairClassification"
    marks: ClassVar[int] = 2

    def __init__(self, width: int, outputs: int, dropout: float = 0.1):
        """Build a head with random weights. Args: as for :class:`Head`; it has no dense layer in any family."""
        super().__init__(self.marks * width, outputs, dropout, pooling="mean")

    @property
    def needs_modules(self) -> bool:
        """Whether the layout of sentence-transformers can represent it: it cannot."""
        return False

    @property
    def in_transformers(self) -> bool:
        """Whether a class of transformers computes the same: none for these families does."""
        return False

    def places(self, batch: Batch) -> Tensor | None:
        """Return the marked tokens, int64 ``(sequences * marks,)``.

        Raises:
            ValueError: the batch has no marks.
        """
        if batch.marks is None:
            raise ValueError("a head that reads marked tokens was given texts without marks")
        return batch.marks.flatten()

    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        """Put the states ``(sequences * marks, width)`` of each sequence side by side, see `Head.pool`."""
        return states.reshape(-1, self.marks * states.shape[1])  # (sequences, marks * width)
