"""CSV and TSV, read strictly by the standard library: no cell is ever guessed, every bad row has its line."""

from __future__ import annotations

import csv
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from headstart.core.errors import DataError
from headstart.core.records import ReadWarning, Rejected
from headstart.data._stream import CELL, PEEK, Item, Row

Quoting = Literal[0, 3]  # csv.QUOTE_MINIMAL and csv.QUOTE_NONE


@dataclass(frozen=True, slots=True)
class _Cells:
    line: int
    values: list[str]


def open_separated(path: Path, lines: Iterator[str]) -> tuple[list[str], Iterator[Item]]:
    """Read the header of a CSV or TSV and return its columns and the items, rows with the line they start on.

    Rows that cannot be parsed, or have more or fewer cells than the header, are rejected.

    Raises:
        DataError: the first line cannot be parsed.
    """
    sample = list(itertools.islice(lines, PEEK))
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else _delimiter(sample)
    quoting: Quoting = csv.QUOTE_MINIMAL
    doubts = []
    if delimiter == "\t" and _quotes_are_text(sample):
        quoting = csv.QUOTE_NONE
        doubts.append(
            ReadWarning(
                f"quotation marks in {path.name} are read as part of the text, since they do not enclose cells."
            )
        )
    rows = _rows(itertools.chain(sample, lines), delimiter, quoting)
    header = next(rows, _Cells(1, []))
    if isinstance(header, Rejected):
        raise DataError(f"the first line of {path.name} does not hold column names: it {header.reason}.")
    columns = [name.strip() or f"column {number}" for number, name in enumerate(header.values, start=1)]
    return columns, itertools.chain(doubts, _matched(rows, columns))


class _Lines:
    """Lines that can be given back, so that one bad quote costs its own line and not all that follow."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.lines = lines
        self.ahead: deque[str] = deque()
        self.taken: list[str] = []
        self.number = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.ahead.popleft() if self.ahead else next(self.lines)
        self.taken.append(line)
        self.number += 1
        return line

    def keep_first(self) -> None:
        """Give back all lines of the present row but its first."""
        self.ahead.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1


def _rows(lines: Iterator[str], delimiter: str, quoting: Quoting) -> Iterator[_Cells | Rejected]:
    """Parse rows strictly, each with the line it starts on; a row that cannot be parsed costs one line."""
    csv.field_size_limit(max(CELL, csv.field_size_limit()))
    source = _Lines(lines)
    reader = csv.reader(source, delimiter=delimiter, quoting=quoting, strict=True)
    while True:
        source.taken.clear()
        start = source.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Rejected(start, _reason(str(error)))
            source.keep_first()
            continue
        if cells:
            yield _Cells(start, cells)


def _reason(error: str) -> str:
    if "field limit" in error:
        return "has a cell over 10 MB"
    if "unexpected end" in error:
        return "opens a quotation mark that is never closed"
    if "expected after" in error:
        return "goes on after a closing quotation mark (inside a cell, marks are doubled)"
    return f"cannot be parsed: {error}"


def _delimiter(sample: list[str]) -> str:
    """Choose what splits the first line into most columns; a comma where nothing splits better."""
    line = next((line for line in sample if line.strip()), "")
    return max(",;\t|", key=lambda mark: len(next(csv.reader([line], delimiter=mark), [])))


def _quotes_are_text(sample: list[str]) -> bool:
    """Tell whether a TSV is written without quoting: then taking marks as text fits all rows, and quoting fails."""
    quoted = list(_rows(iter(sample), "\t", csv.QUOTE_MINIMAL))
    plain = [row for row in _rows(iter(sample), "\t", csv.QUOTE_NONE) if isinstance(row, _Cells)]
    faults = any(isinstance(row, Rejected) for row in quoted)
    return len({len(row.values) for row in plain}) == 1 and (faults or len(quoted) < len(plain))


def _matched(rows: Iterator[_Cells | Rejected], columns: list[str]) -> Iterator[Item]:
    for row in rows:
        if isinstance(row, Rejected):
            yield row
        elif len(row.values) == len(columns):
            yield Row(row.line, dict(zip(columns, row.values, strict=True)))
        else:
            size = "long" if len(row.values) > len(columns) else "short"
            yield Rejected(row.line, f"is too {size}: {len(row.values)} cells where the header has {len(columns)}")
