"""Separated values (CSV, TSV and their relatives): lines into cells, strictly, by the standard library.

What the lines look like is decided by `_layout` from the first of them; here every line is read that way. No cell is
guessed, and every row that cannot be read has its line and reason.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from headstart.core.records import ReadWarning, Rejected
from headstart.data._limits import CELL
from headstart.data._stream import Item, Row

Quoting = Literal[0, 3]  # csv.QUOTE_MINIMAL and csv.QUOTE_NONE
NO_DELIMITER = "\x1f"  # a letter no text holds: every line is one cell
MANY = 64  # lines of one cell after which it is asked whether a stray quotation mark swallows rows
RULE = re.compile(r"[-=+:\s]*")  # a line under column names, as databases and Markdown have it
BACKSLASHED = re.compile(r'(?<!\\)((?:\\\\)*)\\"')


@dataclass(frozen=True)
class Dialect:
    """How lines are split into cells.

    quotes: whether quotation marks enclose cells; else they are part of the text.
    backslashes: whether a mark inside a cell is written after a backslash; else it is doubled.
    spaces: whether spaces after a delimiter are skipped.
    wrapped: whether whole rows are enclosed in marks, as one cell that holds the cells.
    mark: the quotation mark.
    """

    delimiter: str
    quotes: bool = True
    backslashes: bool = False
    spaces: bool = False
    wrapped: bool = False
    mark: str = '"'

    @property
    def quoting(self) -> Quoting:
        return csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE


@dataclass(frozen=True, slots=True)
class Cells:
    """A row as it was split: the line it starts on, how many lines it takes, its cells."""

    line: int
    lines: int
    values: list[str]


@dataclass(frozen=True)
class Profile:
    """What rows of a table have in common.

    fits: whether cells look like a row. certain: whether `fits` knows more of rows than how many cells they have.
    """

    fits: Callable[[Sequence[str]], bool]
    certain: bool


class _Swallowed(Exception):
    """One cell has taken many lines that are rows of their own."""


class _Lines:
    """Lines that can be given back, so that one bad quote costs its own line and not all that follow."""

    def __init__(self, lines: Iterator[str], swallows: Callable[[Sequence[str]], bool]) -> None:
        self.lines = lines
        self.swallows = swallows
        self.ahead: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.ahead.popleft() if self.ahead else next(self.lines)
        self.taken.append(line)
        self.number += 1
        if len(self.taken) == MANY and self.swallows(self.taken):  # else a stray mark costs a pass over 10 MB
            raise _Swallowed
        return line

    def keep_first(self) -> None:
        """Give back all lines of the present row but its first."""
        self.ahead.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]


def split_rows(
    lines: Iterable[str], dialect: Dialect, profile: Profile | None = None
) -> Iterator[Cells | Rejected | ReadWarning]:
    """Split lines into rows, strictly; a row that cannot be split costs one line.

    Args:
        profile: tells rows of the table from other cells. With it, rows that a stray quotation mark has swallowed are
            given back: where the lines of one cell are rows of their own, the mark is taken as text.
    """
    csv.field_size_limit(max(CELL, csv.field_size_limit()))

    def alone(line: str) -> list[str]:
        return next(csv.reader([line], delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE), [])

    def is_row(line: str) -> bool:
        return profile is not None and (
            profile.fits(alone(line)) or profile.fits(next(csv.reader([line], delimiter=dialect.delimiter), []))
        )

    def swallows(taken: Sequence[str]) -> bool:
        """Tell whether most lines of a cell are rows: all but the first, which may end like one or not be one."""
        rows = sum(map(is_row, taken[1:]))
        if is_row(taken[0]):
            return rows * 2 >= len(taken) - 1
        return len(taken) > 3 and rows * 5 >= (len(taken) - 1) * 4

    def unescaped(line: str) -> str:
        return BACKSLASHED.sub(r'\1""', line)

    taken = map(unescaped, lines) if dialect.backslashes else iter(lines)
    source = _Lines(taken, swallows if profile and profile.certain else lambda _: False)
    given_back: list[int] = []
    doubtful: list[int] = []

    def reader_of(lines: Iterable[str]) -> Iterator[list[str]]:
        return csv.reader(
            lines,
            delimiter=dialect.delimiter,
            quoting=dialect.quoting,
            quotechar=dialect.mark,
            skipinitialspace=dialect.spaces,
            strict=True,
        )

    reader = reader_of(source)
    while True:
        source.taken.clear()
        start = source.number + 1
        stray = False
        values: list[str] = []
        try:
            values = next(reader)
            stray = len(source.taken) > 1 and swallows(source.taken)
            if stray and profile and not profile.certain:
                doubtful.append(start)
                stray = False
        except StopIteration:
            break
        except _Swallowed:
            stray = True
        except csv.Error as error:
            reason = _reason(str(error))
            stray = len(source.taken) > 1 and swallows(source.taken)
            if not stray:
                yield Rejected(start, reason)
                source.keep_first()
                continue
        if stray:
            source.keep_first()
            given_back.append(start)
            values = alone(source.taken[0])
            if profile is None or not profile.fits(values):
                yield Rejected(start, "opens a quotation mark that is never closed")
                continue
        if dialect.wrapped and len(values) == 1:
            values = next(reader_of([values[0]]), [])
        if values:
            yield Cells(start, len(source.taken), values)
    if given_back:
        yield ReadWarning(
            f"quotation marks open on line {_listed(given_back)} and are not closed before the next rows: "
            "those rows were read as rows of their own, and the marks as part of the text."
        )
    if doubtful:
        yield ReadWarning(
            f"the row on line {_listed(doubtful)} takes several lines, each of which could be a row of its own: "
            "check the quotation marks there."
        )


def _listed(lines: Sequence[int]) -> str:
    return ", ".join(map(str, lines[:5])) + (f" and {len(lines) - 5:,} more" if len(lines) > 5 else "")


def rows_below(
    rows: Iterable[Cells | Rejected | ReadWarning],
    first_line: int,
    columns: Sequence[str],
    header: Sequence[str] | None,
    divider: str,
) -> Iterator[Item]:
    """Turn the rows from a line on into items; rows with too many or too few cells are rejected.

    Args:
        header: the cells of the line of column names, which is rejected where it comes again; None if there is none.
        divider: what divides cells, in words.
    """
    warned = False
    for row in rows:
        if isinstance(row, ReadWarning | Rejected):
            yield row
        elif row.line < first_line:
            continue
        elif len(columns) > 1 and _is_rule("".join(row.values)):
            yield Rejected(row.line, "is a line of dashes, which divides the table")
        elif header is not None and row.values == header:
            yield Rejected(row.line, "repeats the line of column names")
        else:
            if row.lines > MANY and not warned:
                warned = True
                yield ReadWarning(
                    f"the row on line {row.line} takes {row.lines} lines: should it not, a quotation mark is missing."
                )
            values = _trimmed(row.values, len(columns))
            if len(values) == len(columns):
                yield Row(row.line, dict(zip(columns, values, strict=True)))
            else:
                size = "long" if len(values) > len(columns) else "short"
                plural = "" if len(values) == 1 else "s"
                # Joining the cells again could join a text and the label of another row that lacks its line end.
                advice = f" (a text with {divider} in it needs quotation marks around it)" if size == "long" else ""
                yield Rejected(
                    row.line, f"is too {size}: {len(values)} cell{plural} where the header has {len(columns)}{advice}"
                )


def _is_rule(line: str) -> bool:
    return bool(RULE.fullmatch(line)) and ("--" in line or "==" in line)


def _trimmed(values: list[str], width: int) -> list[str]:
    """Leave out empty cells beyond the last column, such as trailing commas make."""
    if len(values) > width and not any(map(str.strip, values[width:])):
        return values[:width]
    return values


def _reason(error: str) -> str:
    if "field limit" in error:
        return "has a cell over 10 MB"
    if "unexpected end" in error:
        return "opens a quotation mark that is never closed"
    if "expected after" in error:
        return "goes on after a closing quotation mark (inside a cell, marks are doubled)"
    return f"cannot be parsed: {error}"
