"""Translations: a text in one language, and its text in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.contracts import Column, HeadPlan, Kind, Tokenizer, Value
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.data.cells import text_cell, texts_cell
from headstart.metrics import strings

SOURCE = Column("source", frozenset({"src", "sourcetext"}))
TARGET = Column("target", frozenset({"tgt", "targettext", "translation", "reference", "references"}), target=True)


@dataclass(frozen=True)
class Translation:
    """Translate a text; a row may have several right translations, of which models learn the first.

    classes: none.
    input_columns: columns of the training rows, as in 'source=en'; empty if they are not known.
    """

    classes: tuple[str, ...] = ()
    input_columns: tuple[str, ...] = ()

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        ("A dog runs.", ("Ein Hund rennt.",)),
        ("A cat sleeps.", ("Eine Katze schläft.",)),
        ("A dog sleeps.", ("Ein Hund schläft.",)),
        ("A cat runs.", ("Eine Katze rennt.", "Eine Katze läuft.")),
        ("A man runs.", ("Ein Mann rennt.",)),
        ("A man sleeps.", ("Ein Mann schläft.",)),
    )
    kind: ClassVar[Kind] = "text"
    generates: ClassVar[bool] = True
    settles: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (SOURCE, TARGET)
    tabular: ClassVar[Tabular] = NO_COLUMNS
    metrics: ClassVar[tuple[Metric, ...]] = strings.TRANSLATION_METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the source, and the translations that are right.

        Raises:
            DataError: one of them is missing.
        """
        source = text_cell(cells["source"], "source")
        return source, texts_cell(cells["target"], "target") if "target" in cells else None

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the source."""
        return (value,)

    def stratum(self, target: Value) -> str:
        """Return that splits preserve no shares."""
        return ""

    def fitted(self, train: Rows) -> Translation:
        """Return the task, which learns nothing from the rows."""
        return self

    def head(self) -> HeadPlan:
        """Return the plan of a decoder."""
        return HeadPlan((), "ForConditionalGeneration")

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn sources into token ids."""
        return tokenizer.encode(list(inputs))

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Raise, as a decoder learns the texts themselves.

        Raises:
            TypeError: always.
        """
        raise TypeError("a translation is generated, so that there is nothing to score for each token of its source.")

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Raise, as a decoder generates the texts themselves.

        Raises:
            TypeError: always.
        """
        raise TypeError("a translation is generated, so that there are no scores to choose it by.")

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Translation:
        """Return the task, which has nothing to choose."""
        return self

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count the n-grams of each row."""
        return strings.tally(targets, predictions.values)

    def accepted(self, target: Value) -> Sequence[str]:
        """Return the translations that are right."""
        accepted: Sequence[str] = target
        return accepted

    def untrained(self, value: Value) -> str:
        """Return the source, untranslated."""
        return str(value)

    def chosen(self, candidates: Sequence[tuple[tuple[str, float], ...]]) -> Predictions:
        """Return the most probable text of each input."""
        import numpy as np

        best = [max(each, key=lambda candidate: candidate[1]) for each in candidates]
        confidence = np.array([share for _, share in best], dtype=np.float64)
        return Predictions(tuple(text for text, _ in best), candidates=tuple(candidates), confidence=confidence)


PLUGIN = Translation
