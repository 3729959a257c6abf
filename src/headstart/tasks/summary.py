"""Summaries: a text, and a short one that says the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.contracts import Column, Value
from headstart.core.records import Predictions
from headstart.core.tally import Metric, Tally
from headstart.data.cells import text_cell, texts_cell
from headstart.metrics import rouge
from headstart.tasks._written import Written

DOCUMENT = Column("document", frozenset({"article", "dialogue", "description", "body", "text"}))
SUMMARY = Column("summary", frozenset({"synopsis", "highlights", "abstract", "tldr", "summaries"}), target=True)
LEADS = (1, 2, 3)  # sentences of the beginning that may be a summary


@dataclass(frozen=True)
class Summary(Written):
    """Write a summary of a text."""

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        ("The dog ran home. It was late and the road was wet.", ("The dog ran home.",)),
        ("It rained all day. The cat slept by the fire.", ("A rainy day with the cat.",)),
        ("Anna built a bridge. The bridge stood for a hundred years.", ("Anna built a lasting bridge.",)),
        ("The shop sells bread. Bread costs two euros there.", ("A shop sells bread.", "Bread costs two euros.")),
        ("Paul wrote a song. Mary sang the song in town.", ("Mary sang a song by Paul.",)),
        ("The train was late. Nobody knew why.", ("The train was late.",)),
    )
    columns: ClassVar[tuple[Column, ...]] = (DOCUMENT, SUMMARY)
    metrics: ClassVar[tuple[Metric, ...]] = rouge.METRICS
    ways: ClassVar[int] = len(LEADS) + 1

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text, and the summaries that are right.

        Raises:
            DataError: one of them is missing.
        """
        document = text_cell(cells["document"], "document")
        return document, texts_cell(cells["summary"], "summary") if "summary" in cells else None

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Compare the n-grams of each row."""
        return rouge.tally(targets, predictions.values)

    def untrained(self, value: Value, way: int) -> str:
        """Return its first sentence, its first two or three, or the sentence most like all others (TextRank)."""
        from headstart.text import sentences

        parts = list(sentences.split(value))
        return " ".join(parts[: LEADS[way]]) if way < len(LEADS) else sentences.central(parts)


PLUGIN = Summary
