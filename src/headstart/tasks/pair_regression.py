"""One number per pair of texts, such as how similar they are, or how well an answer fits its question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.attribution import Span
from headstart.core.contracts import Column, Tokenizer, Value
from headstart.core.sequences import Encoded
from headstart.data.cells import number_cell
from headstart.tasks import _pairs
from headstart.tasks.regression import NUMBER, Regression


@dataclass(frozen=True)
class PairRegression(Regression):
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

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return both texts."""
        return _pairs.texts(self.tabular.text(value))

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return a pair without some words of its texts."""
        return self.tabular.replaced(value, _pairs.without(self.texts(value), removed))

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn pairs into token ids and segments, each pair truncated to the tokenizer's window."""
        return self.tabular.beside(_pairs.encode([*map(self.texts, inputs)], tokenizer), inputs)


PLUGIN = PairRegression
