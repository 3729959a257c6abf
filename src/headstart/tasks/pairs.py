"""One label per pair of texts, such as whether a text supports a claim, or whether two questions mean the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.contracts import Column, Value
from headstart.data.cells import label_cell
from headstart.data.roles import LABEL
from headstart.tasks import _pairs
from headstart.tasks._texts import TwoTexts
from headstart.tasks.classification import Classification


@dataclass(frozen=True)
class Pairs(TwoTexts, Classification):
    """Give each pair of texts exactly one label out of those seen in training.

    A model reads both texts at once, as the first and the second segment of one sequence (Devlin et al. 2019, section
    3); if they are longer than its window, the longer one is truncated first.
    """

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        (("A man plays the piano.", "Somebody makes music."), "yes"),
        (("Two dogs run on the beach.", "Animals are outdoors."), "yes"),
        (("She bought three apples.", "She bought fruit."), "yes"),
        (("A man plays the piano.", "Nobody makes music."), "no"),
        (("Two dogs run on the beach.", "The dogs are asleep."), "no"),
        (("She bought three apples.", "She bought a car."), "no"),
    )
    columns: ClassVar[tuple[Column, ...]] = (_pairs.FIRST, _pairs.SECOND, LABEL)

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return both texts and the label of a row.

        Raises:
            DataError: one of them is missing, or something else.
        """
        return _pairs.read(cells), label_cell(cells["label"]) if "label" in cells else None


PLUGIN = Pairs
