"""One number per pair of texts, such as how similar they are, or how well an answer fits its question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.contracts import Column, Value
from headstart.data.cells import number_cell
from headstart.tasks import _pairs
from headstart.tasks._texts import TwoTexts
from headstart.tasks.regression import NUMBER, Regression


@dataclass(frozen=True)
class PairRegression(TwoTexts, Regression):
    """Predict a number for each pair of texts.

    A model reads both texts at once, as :class:`~headstart.tasks.pairs.Pairs` does.
    """

    SAMPLE: ClassVar[tuple[tuple[Value, float], ...]] = (
        (("A man plays the piano.", "A man is playing a piano."), 5.0),
        (("Two dogs run on the beach.", "Two dogs are running by the sea."), 4.0),
        (("She bought three apples.", "She bought some fruit."), 3.5),
        (("A man plays the piano.", "A woman plays the violin."), 1.5),
        (("Two dogs run on the beach.", "A cat sleeps indoors."), 0.5),
        (("She bought three apples.", "The train is late."), 0.0),
    )
    columns: ClassVar[tuple[Column, ...]] = (_pairs.FIRST, _pairs.SECOND, NUMBER)

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return both texts and the number of a row.

        Raises:
            DataError: one of them is missing, or something else.
        """
        return _pairs.read(cells), number_cell(cells["number"]) if "number" in cells else None


PLUGIN = PairRegression
