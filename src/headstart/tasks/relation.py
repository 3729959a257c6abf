"""One label per pair of marked entities in a text: which relation they have, and in which direction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.contracts import Column, Value
from headstart.core.errors import DataError
from headstart.core.records import Predictions
from headstart.core.tally import Metric, Tally
from headstart.data.cells import label_cell, list_cell, text_cell
from headstart.data.roles import LABEL, TEXT
from headstart.metrics import relations
from headstart.tasks.classification import Classification

ENTITIES = ("e1", "e2")
# What stands around each entity for a model: marks that most vocabularies have as one token (Wu & He 2019, section 3).
MARKS = {"e1": "$", "e2": "#"}


@dataclass(frozen=True)
class Relation(Classification):
    """Give the two entities of each text exactly one label out of those seen in training.

    The entities are marked in the text, as in ``<e1>smoke</e1> from a <e2>fire</e2>``, or are spans of characters in
    columns of their own. A direction is part of the label, as in 'Cause-Effect(e2,e1)'. A model reads the text with a
    mark on both sides of each entity.
    """

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        ("The $ fire $ made # smoke # .", "Cause-Effect(e1,e2)"),
        ("The $ storm $ brought # floods # .", "Cause-Effect(e1,e2)"),
        ("The $ virus $ made # fever # .", "Cause-Effect(e1,e2)"),
        ("The $ wheel $ of the # car # is flat.", "Component-Whole(e1,e2)"),
        ("The $ roof $ of the # house # leaks.", "Component-Whole(e1,e2)"),
        ("The $ page $ of the # book # is torn.", "Component-Whole(e1,e2)"),
    )
    columns: ClassVar[tuple[Column, ...]] = (
        TEXT,
        Column("e1", frozenset({"entity1", "head", "subject"}), required=False),
        Column("e2", frozenset({"entity2", "tail", "object"}), required=False),
        LABEL,
    )
    metrics: ClassVar[tuple[Metric, ...]] = relations.METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text with marks and the label of a row.

        Raises:
            DataError: one of them is missing, or something else; or an entity is not marked once, is empty, or is
                outside the text, or the two overlap.
        """
        text = text_cell(cells["text"])
        spans = [_span(text, name, cells[name]) for name in ENTITIES if name in cells]
        marked = _with_marks(text, dict(zip(ENTITIES, spans, strict=True))) if len(spans) == 2 else _from_tags(text)
        return marked, label_cell(cells["label"]) if "label" in cells else None

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count what each row adds to the hits, predictions and targets of each relation."""
        return relations.tally(targets, predictions.values)


def _from_tags(text: str) -> str:
    """Replace the tags ``<e1>...</e1>`` and ``<e2>...</e2>`` of a text by marks.

    >>> _from_tags("<e1>Smoke</e1> from a <e2>fire</e2>.")
    '$ Smoke $ from a # fire #.'
    """
    spans, plain, end = {}, "", 0
    tags = list(re.finditer(r"<(e[12])>(.*?)</\1>", text, re.DOTALL))
    if sorted(tag[1] for tag in tags) != list(ENTITIES):
        raise DataError("does not mark one entity with <e1>...</e1> and one with <e2>...</e2>")
    for tag in tags:
        plain += text[end : tag.start()]
        spans[tag[1]] = len(plain), len(plain) + len(tag[2])
        plain, end = plain + tag[2], tag.end()
    return _with_marks(plain + text[end:], spans)


def _span(text: str, name: str, cell: Value) -> tuple[int, int]:
    """Read the start and end of an entity, in characters."""
    ends = list_cell(cell, f"the span of {name}")
    if len(ends) != 2 or not all(type(end) is int for end in ends):
        raise DataError(f"has a span of {name} that is not a start and an end")
    start, end = ends
    if not 0 <= start < end <= len(text):
        raise DataError(f"has a span of {name} ({start} to {end}) outside its text of {len(text)} characters")
    return start, end


def _with_marks(text: str, spans: Mapping[str, tuple[int, int]]) -> str:
    """Put marks around two spans of a text."""
    (one, first), (other, second) = sorted(spans.items(), key=lambda entity: entity[1])
    if not all(text[slice(*span)].strip() for span in spans.values()):
        raise DataError("has an entity without text")
    if first[1] > second[0]:
        raise DataError("has two entities that overlap")
    parts = [text[: first[0]], text[slice(*first)], text[first[1] : second[0]], text[slice(*second)], text[second[1] :]]
    marked = (f"{MARKS[name]} {part.strip()} {MARKS[name]}" for name, part in ((one, parts[1]), (other, parts[3])))
    return f"{parts[0]}{next(marked)}{parts[2]}{next(marked)}{parts[4]}"


PLUGIN = Relation
