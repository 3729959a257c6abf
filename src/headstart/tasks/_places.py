"""Places in a text, as a row gives them: read in several forms, checked, and checked against each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from headstart.core.contracts import Value
from headstart.core.errors import DataError, shown
from headstart.tasks._words import Part

# Keys of a place in JSON.
STARTS, ENDS = ("start", "start_offset", "begin"), ("end", "end_offset", "stop")


def first_of(item: Mapping[str, Value], keys: Sequence[str]) -> Value:
    """Return the value of the first key that an object has, and None if it has none of them."""
    return next((item[key] for key in keys if key in item), None)


def part(text: str, item: Value, what: str, name: str) -> Part:
    """Return a part of a text, without white space around it, with its type.

    Args:
        text: the text.
        item: its first character, the one after its last, and its type.
        what: what the part is, for messages.
        name: what its type is called in messages.

    Raises:
        DataError: something else, or a place outside the text or without words.

    >>> part("Ada runs", [0, 4, "PER"], "an entity", "label")
    (0, 3, 'PER')
    """
    match item:
        case [int(start), int(end), str(kind)] if kind.strip() and bool not in (type(start), type(end)):
            pass
        case _:
            raise DataError(f"has {what} without start, end and {name}")
    if not 0 <= start < end <= len(text):
        raise DataError(f"has {what} from {start} to {end} in a text of {len(text)} characters")
    inside = text[start:end]
    if not inside.strip():
        raise DataError(f"has {what} from {start} to {end}, where there is only white space")
    return end - len(inside.lstrip()), start + len(inside.rstrip()), kind.strip()


def apart(parts: Iterable[Part], what: str) -> tuple[Part, ...]:
    """Return parts of a text in order, each once.

    Raises:
        DataError: two of them overlap.
    """
    ordered = sorted(set(parts))
    for one, other in pairwise(ordered):
        if other[0] < one[1]:
            places = " and ".join(f"{start} to {end} ({shown(name)})" for start, end, name in (one, other))
            raise DataError(f"has {what} that overlap: {places}")
    return tuple(ordered)
