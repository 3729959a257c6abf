"""Rows after a transformation: inputs of any task, and the facts that point into them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from random import Random

from headstart.core import rooms, seed
from headstart.core.contracts import Task, Value
from headstart.core.records import Rows
from headstart.core.tabular import TEXT
from headstart.stress import Edit, Transformation, applied, moved
from headstart.stress._language import is_english
from headstart.tasks._words import divided
from headstart.tasks.relation import ENTITY, TAG, Relation

QUESTION = "question"  # key of the text that is changed where an answer is a part of another one
CONTENT = "content"  # key of what is said in a turn of a conversation


@dataclass(frozen=True)
class Copies:
    """Rows after a transformation.

    transformation: what changed them.
    original: the rows before it.
    rows: the same rows after it; those that it cannot change are as before.
    changed: places of the others, in order.
    """

    transformation: Transformation
    original: Rows
    rows: Rows
    changed: tuple[int, ...]


def unsuitable(transformation: Transformation, task: Task, english: bool) -> str:
    """Say why a transformation is left out; '' if it is not.

    Args:
        transformation: the transformation.
        task: of the rows.
        english: whether their texts are English.
    """
    if task.kind not in transformation.kinds:
        return f"it does not suit answers of the kind '{task.kind}'"
    if transformation.one_text and sum(not column.target and column.form == "text" for column in task.columns) > 1:
        return "it does not suit inputs of several texts"
    if transformation.language == "English" and not english:
        return "it is for English texts, and these are not"
    return transformation.obstacle


def copies(
    task: Task, rows: Rows, transformations: Sequence[Transformation], own_seed: int
) -> tuple[tuple[Copies, ...], dict[str, str]]:
    """Transform rows in each way that suits them; also return the others, each with the reason.

    What becomes of a row depends on its texts and the seed, not on the other rows or their order.
    """
    english = is_english([text for value in rows.inputs for text in task.texts(value)])
    made, left_out = [], {}
    for transformation in transformations:
        reason = unsuitable(transformation, task, english)
        if reason:
            left_out[transformation.name] = reason
        else:
            made.append(transformed(task, rows, transformation, own_seed))
    return tuple(made), left_out


def transformed(task: Task, rows: Rows, transformation: Transformation, own_seed: int) -> Copies:
    """Transform each row."""
    inputs, targets, changed = list(rows.inputs), list(rows.targets), []
    purpose = rooms.name_of(type(transformation))
    for place, (value, target) in enumerate(zip(rows.inputs, rows.targets, strict=True)):
        start = seed.derive(own_seed, purpose, *task.texts(value))
        new = _row(task, value, target, _Way(transformation, start, isinstance(task, Relation)))
        if new is not None:
            inputs[place], targets[place] = new
            changed.append(place)
    new_rows = dataclasses.replace(rows, inputs=tuple(inputs), targets=tuple(targets))
    return Copies(transformation, rows, new_rows, tuple(changed))


@dataclass(frozen=True)
class _Way:
    """A transformation of the texts of one input, which all have the same random numbers.

    tagged: whether tags in the text mark its entities, and so stay.
    """

    transformation: Transformation
    seed: int
    tagged: bool = False

    def edits(self, text: str) -> list[Edit]:
        edits = self.transformation.edits(text, Random(self.seed))
        tags = [tag.span() for tag in TAG.finditer(text)] if self.tagged else []
        return [
            edit
            for edit in edits
            if text[edit.start : edit.end] != edit.text
            and not any(edit.start < end and start < edit.end for start, end in tags)
        ]


def _row(task: Task, value: Value, target: Value, way: _Way) -> tuple[Value, Value] | None:
    """Return the input and the target of a row after a transformation; None if they cannot be changed."""
    if task.kind == "facts":
        return _facts(value, target, way)
    if isinstance(value, Mapping) and QUESTION in value:
        new: Value = {**value, QUESTION: _text(value[QUESTION], way)}
    elif task.tabular.columns:
        new = {**value, TEXT: _texts(value[TEXT], way)}
    else:
        new = _texts(value, way)
    if new == value or not all(text.strip() for text in task.texts(new)):
        return None
    if way.tagged and not all(entity["entity"].strip() for entity in ENTITY.finditer(str(task.tabular.text(new)))):
        return None
    return new, target


def _texts(value: Value, way: _Way) -> Value:
    if isinstance(value, str):
        return _text(value, way)
    if isinstance(value, Mapping):  # a turn of a conversation
        return {**value, CONTENT: _text(value[CONTENT], way)}
    return tuple(_texts(part, way) for part in value)


def _text(text: str, way: _Way) -> str:
    return applied(text, way.edits(text))


def _facts(value: Value, facts: Value, way: _Way) -> tuple[Value, Value] | None:
    """Transform a text, or a list of words, and move the facts that point into it."""
    old = divided(value)
    edits = way.edits(old.text)
    new: Value
    if isinstance(value, str):
        new = applied(value, edits)
    else:
        # The words stay apart, so only what lies inside one of them is changed.
        inside = [[edit for edit in edits if start <= edit.start < edit.end <= end] for start, end in old.spans]
        new = tuple(
            applied(str(word), [Edit(edit.start - start, edit.end - start, edit.text) for edit in own])
            for word, own, (start, _) in zip(value, inside, old.spans, strict=True)
        )
        edits = [edit for own in inside for edit in own]
        if not all(word.strip() for word in new):
            return None
    text = divided(new).text
    if text != applied(old.text, edits) or not edits or not text.strip():
        return None
    targets = []
    for fact in facts:
        places = list(takewhile(lambda part: isinstance(part, int), fact[:-1]))
        spans = [moved(span, edits) for span in zip(places[::2], places[1::2], strict=True)]
        if not all(text[start:end].strip() for start, end in spans):
            return None
        targets.append((*(place for span in spans for place in span), *fact[len(places) :]))
    return new, tuple(targets)


def sample(rows: Rows, most: int, own_seed: int) -> list[int]:
    """Return the places of at most so many rows, chosen at random, in order."""
    if len(rows) <= most:
        return list(range(len(rows)))
    return sorted(seed.generator(own_seed, "stressed rows").choice(len(rows), most, replace=False).tolist())


def sentence(left_out: Mapping[str, str]) -> str:
    """Say which transformations are left out and why; '' if none is.

    >>> sentence({"negation": "it is for English texts, and these are not"})
    'Left out: negation (it is for English texts, and these are not).'
    """
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        reasons.setdefault(reason, []).append(name)
    worded = (f"{', '.join(names)} ({reason})" for reason, names in reasons.items())
    return f"Left out: {'; '.join(worded)}." if reasons else ""
