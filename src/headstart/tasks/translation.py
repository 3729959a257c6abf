"""Translations: a text in one language, and its text in another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from headstart.core.contracts import Column, Value
from headstart.core.errors import DataError, shown
from headstart.core.records import Predictions, Rows
from headstart.core.tally import Metric, Tally
from headstart.data.cells import text_cell, texts_cell
from headstart.metrics import strings, ter
from headstart.tasks._written import Written

SOURCE = Column("source", frozenset({"src", "sourcetext"}))
# The language to translate into, where there are several; by its name alone, since other columns have few values too.
LANGUAGE = Column("language", frozenset({"targetlanguage", "targetlang", "tgtlang", "lang"}), required=False)
TARGET = Column("target", frozenset({"tgt", "targettext", "translation", "reference", "references"}), target=True)
TAG = re.compile(r"<2(\S+)> ")  # before a source, as of Johnson et al. 2017, "Google's Multilingual NMT", section 3


@dataclass(frozen=True)
class Translation(Written):
    """Translate a text.

    languages: those of the training rows, sorted; empty if they do not say which. Such a source begins with a tag, as
        in '<2de> A dog runs.', by which one model writes several languages.
    edits: whether TER is computed too, see `metrics.ter`.
    """

    languages: tuple[str, ...] = ()
    edits: bool = False

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        ("A dog runs.", ("Ein Hund rennt.",)),
        ("A cat sleeps.", ("Eine Katze schläft.",)),
        ("A dog sleeps.", ("Ein Hund schläft.",)),
        ("A cat runs.", ("Eine Katze rennt.", "Eine Katze läuft.")),
        ("A man runs.", ("Ein Mann rennt.",)),
        ("A man sleeps.", ("Ein Mann schläft.",)),
    )
    columns: ClassVar[tuple[Column, ...]] = (SOURCE, LANGUAGE, TARGET)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """BLEU and chrF, and TER if it is computed."""
        return ter.METRICS if self.edits else strings.TRANSLATION_METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the source after the tag of its language, if there is one, and the translations that are right.

        Raises:
            DataError: one of them is missing, or the language is none of the training rows'.
        """
        source = text_cell(cells["source"], "source")
        if "language" in cells:
            language = "-".join(text_cell(cells["language"], "language").split())
            if self.languages and language not in self.languages:
                raise DataError(
                    f"has the language {shown(language)}, and the model knows {', '.join(self.languages)} alone"
                )
            source = f"<2{language}> {source}"
        elif self.languages and not TAG.match(source):
            raise DataError(f"has no language to translate into; the model knows {', '.join(self.languages)}")
        return source, texts_cell(cells["target"], "target") if "target" in cells else None

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count the n-grams of each row, and the edits if they are wanted."""
        if self.edits:
            return ter.tally(targets, predictions.values)
        return strings.tally(targets, predictions.values)

    def fitted(self, train: Rows) -> Self:
        """Return the task with the languages of the training rows, if each has one."""
        tags = [TAG.match(value) for value in train.inputs]
        if not all(tags):
            return self
        return replace(self, languages=tuple(sorted({tag[1] for tag in tags if tag})))

    def untrained(self, value: Value, way: int) -> str:
        """Return the source, untranslated."""
        return TAG.sub("", str(value), count=1) if self.languages else str(value)


PLUGIN = Translation
