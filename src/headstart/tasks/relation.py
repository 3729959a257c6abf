"""One label per pair of marked entities in a text: which relation they have, and in which direction."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from headstart.core.attribution import Span
from headstart.core.contracts import Column, HeadPlan, Tokenizer, Value
from headstart.core.errors import DataError, shown
from headstart.core.records import Predictions
from headstart.core.sequences import Encoded
from headstart.core.tally import Metric, Tally
from headstart.data.cells import label_cell, list_cell, text_cell
from headstart.data.roles import LABEL, TEXT
from headstart.metrics import relations
from headstart.tasks.classification import Classification
from headstart.text.removal import without

ENTITIES = ("e1", "e2")
# What a model reads around each entity: marks that most vocabularies have as one token (Wu & He 2019, section 3).
MARKS = {"e1": "$", "e2": "#"}
TAG = re.compile(r"</?e[12]>")
ENTITY = re.compile(r"<(?P<name>e[12])>(?P<entity>.*?)</(?P=name)>", re.DOTALL)


@dataclass(frozen=True)
class Relation(Classification):
    """Give the two entities of each text exactly one label out of those seen in training.

    The entities are marked in the text, as in ``<e1>smoke</e1> from a <e2>fire</e2>``, or are spans of characters in
    columns of their own. A direction is part of the label, as in 'Cause-Effect(e2,e1)'.

    A Transformer reads the text with a mark on both sides of each entity, and its head the states of the two marks that
    open them (Baldini Soares et al. 2019, section 3.2).
    """

    SAMPLE: ClassVar[tuple[tuple[Value, Value], ...]] = (
        ("The <e1>fire</e1> made <e2>smoke</e2>.", "Cause-Effect(e1,e2)"),
        ("The <e1>storm</e1> brought <e2>floods</e2>.", "Cause-Effect(e1,e2)"),
        ("The <e1>virus</e1> made <e2>fever</e2>.", "Cause-Effect(e1,e2)"),
        ("The <e1>wheel</e1> of the <e2>car</e2> is flat.", "Component-Whole(e1,e2)"),
        ("The <e1>roof</e1> of the <e2>house</e2> leaks.", "Component-Whole(e1,e2)"),
        ("The <e1>page</e1> of the <e2>book</e2> is torn.", "Component-Whole(e1,e2)"),
    )
    columns: ClassVar[tuple[Column, ...]] = (
        TEXT,
        Column("e1", frozenset({"entity1", "head", "subject"}), required=False),
        Column("e2", frozenset({"entity2", "tail", "object"}), required=False),
        LABEL,
    )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The scores of directed relations."""
        return relations.METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text with tags around its entities, and the label of a row.

        Raises:
            DataError: one of them is missing, or something else; or an entity is not marked once, is empty, or is
                outside the text, or the two overlap.
        """
        text = text_cell(cells["text"])
        spans = [_span(text, name, cells[name]) for name in ENTITIES if name in cells]
        tagged = _with_tags(text, dict(zip(ENTITIES, spans, strict=True))) if len(spans) == 2 else text
        if not all(tag["entity"].strip() for tag in ENTITY.finditer(_checked(tagged))):
            raise DataError("has an entity without text")
        return tagged, label_cell(cells["label"]) if "label" in cells else None

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the text with a mark on both sides of each entity.

        >>> Relation().texts("<e1>Smoke</e1> from a <e2>fire</e2>.")
        ('$ Smoke $ from a # fire #.',)
        """
        return ("".join(_parts(str(self.tabular.text(value)))[0]).strip(),)

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return an input without some words of its text; marks stay, of an entity without words too."""
        return self.tabular.replaced(value, _without(str(self.tabular.text(value)), removed[0]))

    def head(self) -> HeadPlan:
        """Return the plan of a head that reads the states of two marks, with one logit per class."""
        return HeadPlan(self.classes, "ForEntityPairClassification")

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn texts into token ids with the places of both marks; a long text is truncated around these.

        Raises:
            DataError: the tags of an input do not mark two entities.
        """
        texts = [str(self.tabular.text(value)) for value in inputs]
        for text in texts:
            try:
                _checked(text)
            except DataError as error:
                raise DataError(f"the text {shown(text)} {error}.") from None
        divided = [_parts(text) for text in texts]
        parts, opens = [parts for parts, _ in divided], [opens for _, opens in divided]
        return self.tabular.beside(tokenizer.encode_marked(parts, opens), inputs)

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count what each row adds to the hits, predictions and targets of each relation."""
        return relations.tally(targets, predictions.values)


def _checked(text: str) -> str:
    """Return a text whose tags mark two entities.

    Raises:
        DataError: they do not.
    """
    tags = list(ENTITY.finditer(text))
    if sorted(tag["name"] for tag in tags) != list(ENTITIES) or len(TAG.findall(text)) != 4:
        raise DataError("does not mark one entity with <e1>...</e1> and one with <e2>...</e2>")
    return text


def _with_tags(text: str, spans: Mapping[str, tuple[int, int]]) -> str:
    """Put tags around two spans of a text.

    >>> _with_tags("Smoke from a fire.", {"e1": (0, 5), "e2": (13, 17)})
    '<e1>Smoke</e1> from a <e2>fire</e2>.'
    """
    (one, first), (other, second) = sorted(spans.items(), key=lambda entity: entity[1])
    if TAG.search(text):
        raise DataError("has tags of entities in its text and their spans beside it: leave one of them out")
    if first[1] > second[0]:
        raise DataError("has two entities that overlap")
    tagged = (f"<{name}>{text[slice(*span)]}</{name}>" for name, span in ((one, first), (other, second)))
    return f"{text[: first[0]]}{next(tagged)}{text[first[1] : second[0]]}{next(tagged)}{text[second[1] :]}"


def _span(text: str, name: str, cell: Value) -> tuple[int, int]:
    """Read the start and end of an entity, in characters."""
    ends = list_cell(cell, f"the span of {name}")
    if len(ends) != 2 or not all(type(end) is int for end in ends):
        raise DataError(f"has a span of {name} that is not a start and an end")
    start, end = ends
    if not 0 <= start < end <= len(text):
        raise DataError(f"has a span of {name} ({start} to {end}) outside its text of {len(text)} characters")
    return start, end


def _parts(text: str) -> tuple[list[str], list[int]]:
    """Divide a text at its entities; return the parts, with a mark on both sides of each, and which open e1 and e2.

    >>> _parts("<e2>Smoke</e2> from a <e1>fire</e1>.")
    (['', ' #', ' Smoke', ' #', ' from a', ' $', ' fire', ' $', '.'], [5, 1])
    """
    parts: list[str] = []
    opens: dict[str, int] = {}
    end = 0
    for tag in ENTITY.finditer(text):
        mark = f" {MARKS[tag['name']]}"
        opens[tag["name"]] = len(parts) + 1
        parts += [text[end : tag.start()].rstrip(), mark, f" {tag['entity'].strip()}", mark]
        end = tag.end()
    return [*parts, text[end:]], [opens[name] for name in ENTITIES]


def _without(text: str, spans: Sequence[Span]) -> str:
    """Remove words from a text with tags, given by their places in the text with marks, in which marks stay.

    >>> _without("<e1>Black smoke</e1> from a <e2>fire</e2>.", [(2, 7), (16, 20)])
    ' <e1>smoke</e1> a <e2>fire</e2>.'
    """
    parts, (first, _) = _parts(text)
    names = ENTITIES if first == 1 else ENTITIES[::-1]
    joined = "".join(parts)
    start = len(joined.lstrip()) - len(joined)
    left = []
    for number, part in enumerate(parts):
        own = [
            (begin - start, min(end - start, len(part))) for begin, end in spans if start <= begin < start + len(part)
        ]
        start += len(part)
        name = names[number // 4] if number % 4 else ""
        left.append({1: f" <{name}>", 3: f"</{name}>"}.get(number % 4) or without(part, own))
        if number % 4 == 2:
            left[-1] = left[-1].strip()
    return "".join(left)


PLUGIN = Relation
