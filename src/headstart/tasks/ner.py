"""Named entities: which parts of a text name something, and of which type it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from headstart.core.attribution import Span
from headstart.core.contracts import Column, HeadPlan, Kind, Tokenizer, Value
from headstart.core.errors import DataError
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.data.cells import list_cell, text_cell, words_cell
from headstart.data.roles import TEXT
from headstart.metrics import sets
from headstart.tasks._places import ENDS, STARTS, apart, first_of, part
from headstart.tasks._words import Part, best_parts, divided, tag_numbers
from headstart.text import tags
from headstart.text.removal import without

INPUT = Column("text", TEXT.names | {"tokens", "words"})
ENTITIES = Column(
    "entities",
    frozenset({"tags", "nertags", "spans", "ner", "entity", "annotations", "labels", "label", "bio", "iob"}),
    target=True,
)
TYPES = ("label", "type", "entity")  # keys of an entity's type in JSON


@dataclass(frozen=True)
class Ner:
    """Find the named entities of each text, with their types out of those seen in training.

    An input is a text or a list of words. A target is a sequence of entities that do not overlap, each its start and
    end in the text (of a list, in its words joined) and its type.

    classes: the types, sorted; empty until :meth:`fitted` has seen the training rows.
    input_columns: column with the texts of the training rows, as in 'text=tokens'; empty if it is not known.
    """

    classes: tuple[str, ...] = ()
    input_columns: tuple[str, ...] = ()

    SAMPLE: ClassVar[tuple[tuple[Value, tuple[Part, ...]], ...]] = (
        ("Ada Lovelace met Babbage in London.", ((0, 12, "person"), (17, 24, "person"), (28, 34, "place"))),
        ("Lovelace wrote the first program.", ((0, 8, "person"),)),
        (("Babbage", "left", "London", "."), ((0, 7, "person"), (13, 19, "place"))),
        ("The engine was never built.", ()),
        ("Turin is where Babbage spoke.", ((0, 5, "place"), (15, 22, "person"))),
        ("She died in London at 36.", ((12, 18, "place"),)),
    )
    kind: ClassVar[Kind] = "facts"
    generates: ClassVar[bool] = False
    settles: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (INPUT, ENTITIES)
    tabular: ClassVar[Tabular] = NO_COLUMNS
    metrics: ClassVar[tuple[Metric, ...]] = sets.METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text, or the words, and the entities of a row.

        Raises:
            DataError: no text; or entities that are outside the text or overlap, or tags of no known scheme or of
                another number than there are words.
        """
        value = _input(cells["text"])
        return value, _entities(value, cells["entities"]) if "entities" in cells else None

    def fitted(self, train: Rows) -> Ner:
        """Return the task with its types set from the training rows only.

        An entity of another type in validation or test is never predicted and counts as missed.

        >>> Ner().fitted(Rows(("1",), ("Anna",), (((0, 4, "PER"),),))).classes
        ('PER',)
        """
        return replace(self, classes=tuple(sorted({name for entities in train.targets for *_, name in entities})))

    def texts(self, value: Value) -> tuple[str, ...]:
        """Return the text of an input, into which its entities point."""
        return (divided(value).text,)

    def without(self, value: Value, removed: Sequence[Sequence[Span]]) -> Value:
        """Return a text, or a list of words, without some words."""
        if isinstance(value, str):
            return without(value, removed[0])
        gone = set(removed[0])
        return tuple(word for word, span in zip(value, divided(value).spans, strict=True) if span not in gone)

    def stratum(self, target: Value) -> str:
        """Return whether there are entities: splits preserve the share of texts without any."""
        return "entities" if target else "none"

    def head(self) -> HeadPlan:
        """Return the plan of a head with one logit per tag and token."""
        return HeadPlan(tags.bio(self.classes), "ForTokenClassification")

    def encode(self, inputs: Sequence[Value], tokenizer: Tokenizer) -> Encoded:
        """Turn words into token ids, in overlapping windows where there are too many."""
        return tokenizer.encode_words([divided(value).words for value in inputs])

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Return the number of each word's tag, int64 ``(tokens,)``, at its first token; -100 at all others.

        A type not seen in training has no tag and is -100 too.
        """
        return tag_numbers(rows.inputs, rows.targets, tags.bio(self.classes), encoded)

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn logits ``(tokens, tags)`` into the most likely entities that the scheme of the tags allows.

        The confidence of a row is the probability of its tags among all that the scheme allows; its parts are the
        probabilities of each word's tags.
        """
        best = best_parts(outputs, encoded, inputs, tags.bio(self.classes))
        return Predictions(tuple(map(tuple, best.parts)), parts=best.marginals, confidence=best.confidence)

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Ner:
        """Return the task: there is nothing to choose."""
        return self

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count what each row adds to the hits, predictions and targets of each type."""
        return sets.tally(targets, predictions.values)


def _input(cell: Value) -> Value:
    """Return the words in a cell with a list of them, otherwise its text."""
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        try:
            cell = list_cell(cell)
        except DataError:  # a text that begins with a bracket
            return text_cell(cell)
    if not isinstance(cell, list | tuple):
        return text_cell(cell)
    words = tuple(words_cell(cell))
    if any(not word or word.isspace() for word in words):
        raise DataError("has an empty word")
    return words


def _entities(value: Value, cell: Value) -> tuple[Part, ...]:
    """Return the entities of a row in order, given as tags of its words or as spans of its text."""
    listed = list_cell(cell, "entities")
    if isinstance(value, str) or not all(isinstance(item, str | int) for item in listed):
        return apart([_span(value, item) for item in listed], "entities")
    if not all(isinstance(item, str) for item in listed):
        raise DataError("has numbers where tags are expected: write their names, such as B-PER")
    spans = divided(value).spans
    if len(listed) != len(spans):
        raise DataError(f"has {len(listed)} tags for {len(spans)} words")
    return tuple((spans[start][0], spans[end - 1][1], name) for start, end, name in tags.entities(listed))


def _span(value: Value, item: Value) -> Part:
    """Return an entity that is given by its place in the text, without white space around it."""
    if not isinstance(value, str):
        raise DataError("has places in a text beside a list of words: give the text, or a tag for each word")
    if isinstance(item, str):
        raise DataError("has tags beside a text that is not divided into words: name the column of the words")
    if isinstance(item, Mapping):
        item = [first_of(item, keys) for keys in (STARTS, ENDS, TYPES)]
    return part(value, item, "an entity", "label")


PLUGIN = Ner
