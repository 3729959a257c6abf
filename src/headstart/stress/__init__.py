"""Transformations of texts after which a model should answer as before, or otherwise in a way that is stated.

Ribeiro et al. 2020, "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList": tests of invariance (the answer
stays) and directional tests (it changes in a known way). A transformation is a list of edits of a text, so that the
places of entities and events move with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Literal, Self

from headstart.core import rooms
from headstart.core.contracts import Kind

# What a person would answer afterwards: the same on every row; the same on most, since the meaning is kept on most or
# a part is removed; or something else on many.
Expected = Literal["same", "mostly same", "other"]
# Of the texts that a transformation can change.
Language = Literal["any", "English"]
ALL_KINDS: frozenset[Kind] = frozenset({"label", "labels", "number", "facts", "text"})


@dataclass(frozen=True)
class Edit:
    """Characters `start` to `end` of a text that another text replaces; an insertion if they are equal."""

    start: int
    end: int
    text: str


class Transformation:
    """The plugin of a transformation: a frozen dataclass that derives from this class; its fields are its options.

    expected: what a person would answer after it.
    kinds: the kinds of task that it suits.
    language: of the texts that it suits.
    one_text: whether it suits only tasks whose inputs are one text, since texts of an input may refer to each other.
    """

    expected: ClassVar[Expected] = "same"
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]
    kinds: ClassVar[frozenset[Kind]] = ALL_KINDS
    language: ClassVar[Language] = "any"
    one_text: ClassVar[bool] = False

    @property
    def way(self) -> str:
        """What distinguishes its variants, such as '5%'; '' if there is one."""
        return ""

    @classmethod
    def variants(cls) -> tuple[Self, ...]:
        """Return the variants that are tried."""
        return (cls(),)

    @property
    def obstacle(self) -> str:
        """Why it cannot be applied at all, such as a model that it lacks; '' for nothing."""
        return ""

    def edits(self, text: str, random: Random) -> list[Edit]:
        """Return the edits of a text, in order and without overlap; none if it cannot be changed.

        Args:
            text: the text.
            random: its only source of chance; equal for all texts of an input, and for all variants.
        """
        raise NotImplementedError  # every transformation has its own

    @property
    def name(self) -> str:
        """Its name in tables: the file's, and after a colon what distinguishes its variant."""
        return ":".join(filter(None, (rooms.name_of(type(self)), self.way)))

    @property
    def promise(self) -> str:
        """What it does: the first line of its class's docstring."""
        return (self.__doc__ or "").strip().split("\n")[0]


def load(name: str) -> tuple[Transformation, ...]:
    """Return the variants of the transformation of that file name.

    >>> [each.name for each in load("case")]
    ['case:lower', 'case:upper']
    """
    kind: type[Transformation] = rooms.plugin("stress", name)
    return kind.variants()


def load_all(names: Sequence[str] | None = None, backbone: str = "") -> tuple[Transformation, ...]:
    """Return the variants of several transformations; of all for None.

    Args:
        names: of the transformations.
        backbone: for those that use a pretrained model.

    Raises:
        UsageError: no such transformation.
    """
    found = [variant for name in names or rooms.names("stress") for variant in load(name)]
    if backbone:
        found = [_on(variant, backbone) for variant in found]
    return tuple(found)


def _on(transformation: Transformation, backbone: str) -> Transformation:
    """Return a transformation that uses this pretrained model, if it uses any."""
    kind = type(transformation)
    if all(field.name != "backbone" for field in dataclasses.fields(kind)):
        return transformation
    return dataclasses.replace(transformation, backbone=backbone)


def applied(text: str, edits: Sequence[Edit]) -> str:
    """Return the text after its edits.

    >>> applied("a good film", [Edit(2, 6, "bad"), Edit(11, 11, "!")])
    'a bad film!'
    """
    parts, end = [], 0
    for edit in edits:
        assert end <= edit.start <= edit.end, "edits must be in order and apart"
        parts += [text[end : edit.start], edit.text]
        end = edit.end
    return "".join([*parts, text[end:]])


def moved(span: tuple[int, int], edits: Sequence[Edit]) -> tuple[int, int]:
    """Return where a part of a text is after the edits of the text.

    What is inserted beside a part is outside of it; an edit that overlaps its edge is inside.

    >>> moved((2, 6), [Edit(0, 1, "one"), Edit(6, 6, " old")])
    (4, 8)
    """
    start, end = span
    first = start + sum(len(edit.text) - edit.end + edit.start for edit in edits if edit.end <= start)
    last = end + sum(len(edit.text) - edit.end + edit.start for edit in edits if edit.start < end)
    for edit in edits:
        if edit.start < start < edit.end:
            first -= start - edit.start
        if edit.start < end < edit.end:
            last += edit.end - end
    return first, last
