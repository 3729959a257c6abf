"""Separated values (CSV, TSV and similar): lines into cells, strictly, with the standard library.

`_layout` decides on the dialect from the first lines; here every line is parsed with it. No cell is guessed, and every
row that cannot be parsed is reported with its line and a reason.
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
NO_DELIMITER = "\x1f"  # a character that no text contains, so every line is one cell
MANY = 64  # lines of one cell after which it is checked whether a stray quotation mark has swallowed rows
RULE = re.compile(r"[-=+:\s]*")  # a rule under column names, as in databases and Markdown
BACKSLASHED = re.compile(r'(?<!\\)((?:\\\\)*)\\"')


@dataclass(frozen=True)
class Dialect:
    """How lines are split into cells.

    delimiter: character between cells.
    quotes: whether quotation marks enclose cells; otherwise they are part of the text.
    backslashes: whether a quotation mark inside a cell is escaped by a backslash; otherwise it is doubled.
    spaces: whether spaces after a delimiter are skipped.
    wrapped: whether whole rows are enclosed in quotation marks.
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
    """A row split into cells: the line it starts on, the number of its lines, its cells."""

    line: int
    lines: int
    values: list[str]


@dataclass(frozen=True)
class Profile:
    """What the rows of a table have in common.

    fits: whether cells look like a row.
    certain: whether `fits` checks more than the number of cells.
    """

    fits: Callable[[Sequence[str]], bool]
    certain: bool


class _Swallowed(Exception):
    """One cell has swallowed many lines that are separate rows."""


class _Lines:
    """Lines that can be pushed back, so that one bad quotation mark costs only its own line."""

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
        if len(self.taken) == MANY and self.swallows(self.taken):  # otherwise a stray mark costs a pass over 10 MB
            raise _Swallowed
        return line

    def keep_first(self) -> None:
        """Push back all lines of the current row except its first."""
        self.ahead.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]


def split_rows(
    lines: Iterable[str], dialect: Dialect, profile: Profile | None = None
) -> Iterator[Cells | Rejected | ReadWarning]:
    """Split lines into rows, strictly; a row that cannot be split costs one line.

    Args:
        lines: the lines.
        dialect: how to split them.
        profile: recognises rows of the table. With it, rows swallowed by a stray quotation mark are recovered: if the
            lines of one cell are separate rows, the mark is treated as text.
    """
    csv.field_size_limit(max(CELL, csv.field_size_limit()))

    def alone(line: str) -> list[str]:
        return next(csv.reader([line], delimiter=dialect.delimiter, quoting=csv.QUOTE_NONE), [])

    def is_row(line: str) -> bool:
        return profile is not None and (
            profile.fits(alone(line)) or profile.fits(next(csv.reader([line], delimiter=dialect.delimiter), []))
        )

    def swallows(taken: Sequence[str]) -> bool:
        """Return whether most lines of a cell are rows, apart from the first and last, which may be partial."""
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
        rows: the split rows.
        first_line: number of the first line with data.
        columns: names of the columns.
        header: the row of column names, which is rejected if it is repeated; None if there is none.
        divider: the delimiter, in words.
    """
    warned = False
    for row in rows:
        if isinstance(row, ReadWarning | Rejected):
            yield row
        elif row.line < first_line:
            continue
        elif len(columns) > 1 and _is_rule("".join(row.values)):
            yield Rejected(row.line, "is a line of dashes inside the table")
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
    """Remove empty cells beyond the last column, which trailing commas produce."""
    if len(values) > width and not any(map(str.strip, values[width:])):
        return values[:width]
    return values


def _reason(error: str) -> str:
    if "field limit" in error:
        return "has a cell over 10 MB"
    if "unexpected end" in error:
        return "opens a quotation mark that is never closed"
    if "expected after" in error:
        return "continues after a closing quotation mark (inside a cell, marks are doubled)"
    return f"cannot be parsed: {error}"
