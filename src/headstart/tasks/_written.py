"""What tasks share whose answers a model writes: translations and summaries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from headstart.core.attribution import Span
from headstart.core.contracts import HeadPlan, Kind, Tokenizer, Value
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.text.removal import without


@dataclass(frozen=True)
class Written:
    """A text is answered with a text; a row may have several that are right, of which models learn the first.

    classes: none.
    input_columns: columns of the training rows, as in 'source=en'; empty if they are not known.
    """

    classes: tuple[str, ...] = ()
    input_columns: tuple[str, ...] = ()

    kind: ClassVar[Kind] = "text"
    generates: ClassVar[bool] = True
    by_likelihood: ClassVar[bool] = False
    settles: ClassVar[bool] = False
    ways: ClassVar[int] = 1
    tabular: ClassVar[Tabular] = NO_COLUMNS

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the text."""
        return (value,)

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return a text without some words."""
        return without(value, removed[0])

    def stratum(self, target: Value) -> str:
        """Return that splits preserve no shares."""
        return ""

    def fitted(self, train: Rows) -> Self:
        """Return the task, which learns nothing from the rows."""
        return self

    def head(self) -> HeadPlan:
        """Return the plan of a decoder."""
        return HeadPlan((), "ForConditionalGeneration")

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn texts into token ids."""
        return tokenizer.encode(list(inputs))

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Raise, as a decoder learns the texts themselves.

        Raises:
            TypeError: always.
        """
        raise TypeError("answers are written, so that there is nothing to score for each token of a text.")

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Raise, as a decoder writes the texts themselves.

        Raises:
            TypeError: always.
        """
        raise TypeError("answers are written, so that there are no scores to choose them by.")

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Self:
        """Return the task, which has nothing to choose."""
        return self

    def accepted(self, target: Value) -> Sequence[str]:
        """Return the texts that are right."""
        accepted: Sequence[str] = target
        return accepted

    def chosen(self, candidates: Sequence[tuple[tuple[str, float], ...]]) -> Predictions:
        """Return the most probable text of each input."""
        import numpy as np

        best = [max(each, key=lambda candidate: candidate[1]) for each in candidates]
        confidence = np.array([share for _, share in best], dtype=np.float64)
        return Predictions(tuple(text for text, _ in best), candidates=tuple(candidates), confidence=confidence)
