"""Named entities: which parts of a text name something, and of which type it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import ClassVar

import numpy as np

from headstart.core.contracts import Column, HeadPlan, Kind, Tokenizer, Value
from headstart.core.errors import DataError, shown
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import IGNORED, Encoded, Ragged
from headstart.core.tally import Metric, Tally
from headstart.data.cells import list_cell, text_cell, words_cell
from headstart.data.roles import TEXT
from headstart.metrics import sets
from headstart.tasks._words import divided, word_tokens
from headstart.text import tags

Entity = tuple[int, int, str]  # start and end in the text, type
CERTAIN = 100.0  # score of O for a word without tokens

INPUT = Column("text", TEXT.names | {"tokens", "words"})
ENTITIES = Column(
    "entities",
    frozenset({"tags", "nertags", "spans", "ner", "entity", "annotations", "labels", "label", "bio", "iob"}),
    target=True,
)
# Keys of an entity in JSON.
STARTS, ENDS, TYPES = ("start", "start_offset", "begin"), ("end", "end_offset", "stop"), ("label", "type", "entity")


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

    SAMPLE: ClassVar[tuple[tuple[Value, tuple[Entity, ...]], ...]] = (
        ("Ada Lovelace met Babbage in London.", ((0, 12, "person"), (17, 24, "person"), (28, 34, "place"))),
        ("Lovelace wrote the first program.", ((0, 8, "person"),)),
        (("Babbage", "left", "London", "."), ((0, 7, "person"), (13, 19, "place"))),
        ("The engine was never built.", ()),
        ("Turin is where Babbage spoke.", ((0, 5, "place"), (15, 22, "person"))),
        ("She died in London at 36.", ((12, 18, "place"),)),
    )
    kind: ClassVar[Kind] = "facts"
    settles: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (INPUT, ENTITIES)
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
        numbers = {name: number for number, name in enumerate(tags.bio(self.classes))}
        spans = [divided(value).spans for value in rows.inputs]
        by_word = np.zeros(sum(map(len, spans)), dtype=np.int64)
        place = 0
        for words, entities in zip(spans, rows.targets, strict=True):
            for start, end, name in entities:
                inside = [number for number, (first, last) in enumerate(words) if first < end and start < last]
                for letter, number in zip("B" + "I" * len(inside), inside, strict=False):
                    by_word[place + number] = numbers.get(f"{letter}-{name}", IGNORED)
            place += len(words)
        chosen, _ = word_tokens(encoded, [*map(len, spans)])
        values = np.full(len(encoded.tokens), IGNORED, dtype=np.int64)
        values[chosen[chosen >= 0]] = by_word[chosen >= 0]
        return Ragged(values, encoded.boundaries)

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn logits ``(tokens, tags)`` into the most likely entities that the scheme of the tags allows."""
        names = tags.bio(self.classes)
        spans = [divided(value).spans for value in inputs]
        chosen, ends = word_tokens(encoded, [*map(len, spans)])
        scores = outputs.values[chosen] if len(outputs.values) else np.zeros((len(chosen), len(names)), np.float32)
        scores[chosen < 0] = CERTAIN * np.eye(1, len(names), dtype=np.float32)  # O
        best = tags.viterbi(scores, ends, *tags.transitions(names))
        values = []
        for words, first, last in zip(spans, ends[:-1], ends[1:], strict=True):
            found = tags.entities([names[number] for number in best[first:last]]) if best[first:last].any() else []
            values.append(tuple((words[start][0], words[end - 1][1], name) for start, end, name in found))
        return Predictions(tuple(values))

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


def _entities(value: Value, cell: Value) -> tuple[Entity, ...]:
    """Return the entities of a row in order, given as tags of its words or as spans of its text."""
    listed = list_cell(cell, "entities")
    if isinstance(value, str) or not all(isinstance(item, str | int) for item in listed):
        return _checked([_span(value, item) for item in listed])
    if not all(isinstance(item, str) for item in listed):
        raise DataError("has numbers where tags are expected: write their names, such as B-PER")
    spans = divided(value).spans
    if len(listed) != len(spans):
        raise DataError(f"has {len(listed)} tags for {len(spans)} words")
    return tuple((spans[start][0], spans[end - 1][1], name) for start, end, name in tags.entities(listed))


def _span(value: Value, item: Value) -> Entity:
    """Return an entity that is given by its place in the text, without white space around it."""
    if not isinstance(value, str):
        raise DataError("has places in a text beside a list of words: give the text, or a tag for each word")
    if isinstance(item, str):
        raise DataError("has tags beside a text that is not divided into words: name the column of the words")
    if isinstance(item, Mapping):
        parts = tuple(next((item[key] for key in keys if key in item), None) for keys in (STARTS, ENDS, TYPES))
    else:
        parts = tuple(item) if isinstance(item, list | tuple) else ()
    match parts:
        case (int(start), int(end), str(name)) if name.strip():
            pass
        case _:
            raise DataError("has an entity without start, end and label")
    if not 0 <= start < end <= len(value):
        raise DataError(f"has an entity from {start} to {end} in a text of {len(value)} characters")
    inside = value[start:end]
    if not inside.strip():
        raise DataError(f"has an entity from {start} to {end}, where there is only white space")
    return end - len(inside.lstrip()), start + len(inside.rstrip()), name.strip()


def _checked(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    ordered = sorted(set(entities))
    for one, other in pairwise(ordered):
        if other[0] < one[1]:
            places = " and ".join(f"{start} to {end} ({shown(name)})" for start, end, name in (one, other))
            raise DataError(f"has entities that overlap: {places}")
    return tuple(ordered)


PLUGIN = Ner
