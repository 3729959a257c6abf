"""One stream of rows and findings, so that no finding is lost between the reader of a file and its caller."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from headstart.core.records import ReadWarning, Rejected
from headstart.data._limits import CELL, PEEK, SAMPLE
from headstart.data._values import cell

if TYPE_CHECKING:
    from headstart.data._arrow import ArrowFile

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Row:
    """A row that was read.

    line: where it starts, counted from 1; in Parquet and in memory the number of the row, from 1.
    cells: values by column, with the types of the file; in CSV all are text. `_values.cell` gives their text.
    """

    line: int
    cells: dict[str, object]


Item = Row | Rejected | ReadWarning


@dataclass(frozen=True)
class Records:
    """A table that is being read.

    columns: names of the columns.
    items: rows in order, and between them what is wrong with others. Can be iterated only once.
    file: the file with typed columns, if it is Parquet, Feather or Arrow.
    """

    name: str
    columns: tuple[str, ...]
    items: Iterator[Item]
    sha256: str
    file: ArrowFile | None = None


def peek(items: Iterator[Item]) -> tuple[list[dict[str, object]], Iterator[Item]]:
    """Return the cells of the first rows, from which columns are inferred, and all items again.

    >>> rows, items = peek(iter([Row(2, {"text": "a"}), Rejected(3, "has no text")]))
    >>> rows, len(list(items))
    ([{'text': 'a'}], 2)
    """
    first, _ = beginning(items, _size)
    return [item.cells for item in first if isinstance(item, Row)], itertools.chain(first, items)


def beginning(
    items: Iterator[Thing], size: Callable[[Thing], int], counts: Callable[[Thing], object] = lambda _: True
) -> tuple[list[Thing], bool]:
    """Take the first items, a thousand or as many as have 32 million characters; return whether those are all.

    Args:
        size: of an item, in characters.
        counts: returns whether an item is counted.
    """
    taken: list[Thing] = []
    left, room = PEEK, SAMPLE
    for item in items:
        taken.append(item)
        left -= bool(counts(item))
        room -= size(item)
        if left <= 0 or room <= 0:
            return taken, False
    return taken, True


def _size(item: Item) -> int:
    """Count the characters of a row, and a few for each cell, which takes memory even if empty."""
    if not isinstance(item, Row):
        return 0
    return sum(64 + (len(value) if isinstance(value, str | bytes) else 0) for value in item.cells.values())


def sound(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the rows whose cells are all valid text of acceptable size, and reject the others."""
    for item in items:
        if isinstance(item, Row):
            # One check of the whole row is enough for nearly all rows; only a suspicious row is checked cell by cell.
            values = [cell(value) for value in item.cells.values()]
            suspicious = any(len(value) > CELL for value in values) or fault("".join(values))
            if suspicious and (reason := next(filter(None, map(fault, values)), "")):
                yield Rejected(item.line, reason)
                continue
        yield item


def fault(text: str) -> str:
    """Return what is wrong with a cell or a column's name, or ''."""
    if "\0" in text:
        return "holds a NUL byte"
    if len(text) > CELL:
        return "has a cell over 10 MB"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:  # how `open_text` marks an undecodable byte
            return f"holds a byte that is not valid in the file's encoding (0x{code - 0xDC00:02x})"
        return "holds half of a surrogate pair, which is no character"
    return ""
