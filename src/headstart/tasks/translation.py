"""Translations: a text in one language, and its text in another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.contracts import Column, Value
from headstart.core.records import Predictions
from headstart.core.tally import Metric, Tally
from headstart.data.cells import text_cell, texts_cell
from headstart.metrics import strings
from headstart.tasks._written import Written

SOURCE = Column("source", frozenset({"src", "sourcetext"}))
TARGET = Column("target", frozenset({"tgt", "targettext", "translation", "reference", "references"}), target=True)


@dataclass(frozen=True)
class Translation(Written):
    """Translate a text."""

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        ("A dog runs.", ("Ein Hund rennt.",)),
        ("A cat sleeps.", ("Eine Katze schläft.",)),
        ("A dog sleeps.", ("Ein Hund schläft.",)),
        ("A cat runs.", ("Eine Katze rennt.", "Eine Katze läuft.")),
        ("A man runs.", ("Ein Mann rennt.",)),
        ("A man sleeps.", ("Ein Mann schläft.",)),
    )
    columns: ClassVar[tuple[Column, ...]] = (SOURCE, TARGET)
    metrics: ClassVar[tuple[Metric, ...]] = strings.TRANSLATION_METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the source, and the translations that are right.

        Raises:
            DataError: one of them is missing.
        """
        source = text_cell(cells["source"], "source")
        return source, texts_cell(cells["target"], "target") if "target" in cells else None

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count the n-grams of each row."""
        return strings.tally(targets, predictions.values)

    def untrained(self, value: Value, way: int) -> str:
        """Return the source, untranslated."""
        return str(value)


PLUGIN = Translation
