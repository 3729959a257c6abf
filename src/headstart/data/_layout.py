"""The layout of a text table, decided from its first lines together: delimiter, quoting, column names."""

from __future__ import annotations

import csv
import itertools
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from headstart.core.errors import DataError, shown
from headstart.core.records import ReadWarning, Rejected
from headstart.data._columns import is_prose, known_name
from headstart.data._csv import NO_DELIMITER, Cells, Dialect, Profile, rows_below, split_rows
from headstart.data._fasttext import is_labelled, labelled_lines
from headstart.data._kinds import NUMBER, kind, repeats
from headstart.data._limits import COLUMNS, check_columns
from headstart.data._stream import Item, beginning

DELIMITERS = "\t|;,"  # least frequent in prose first: among delimiters that fit equally well, the first is used
ABOVE = 20  # lines among which the column names are looked for
SEP = re.compile(r'"?sep=(.)"?,*\s*$', re.IGNORECASE)  # how Excel writes the delimiter into a first line


@dataclass(frozen=True)
class _View:
    """The sample as split by one dialect.

    dialect: how the lines are split.
    rows: the rows, with those that cannot be split.
    width: number of cells of most rows.
    agreeing: share of rows with that number.
    faults: number of rows that this dialect cannot split.
    first_fault: the first of them.
    """

    dialect: Dialect
    rows: list[Cells]
    width: int
    agreeing: float
    faults: int
    first_fault: Rejected | None


@dataclass(frozen=True)
class _Header:
    """The position of the column names.

    place: index of their row; None if there are none.
    warning: why this is uncertain, or ''.
    """

    place: int | None
    warning: str = ""


def open_separated(
    name: str, suffix: str, lines: Iterator[str], named: Sequence[str] = ()
) -> tuple[list[str], Iterator[Item]]:
    """Detect the layout of a text table from its first lines; return its columns and all items, rows with their line.

    Rows that cannot be parsed, or that have more or fewer cells than there are columns, are rejected. Ambiguous
    decisions are reported as warnings.

    Args:
        name: name of the table, for messages.
        suffix: suffix of its name. In a '.txt' or without a suffix, a line is a text unless the lines look like a
            table.
        lines: opens the file.
        named: columns that the caller named; the line that contains them is the line of column names.

    Raises:
        DataError: the line of column names cannot be parsed.
    """
    sample, whole = beginning(lines, lambda line: len(line) + (7 if line.isspace() else 64), str.strip)
    given = next((match[1] for line in sample[:1] if (match := SEP.match(line))), "")
    if given:
        sample[0] = "\n"
    everything = itertools.chain(sample, lines)
    if is_labelled(sample):
        return ["label", "text"], labelled_lines(name, everything)
    plain = suffix in (".txt", "")
    view = _best(sample, given, plain, named, whole)
    check_columns(name, range(view.width))
    header = _header(name, view, named, plain)
    warnings = [header.warning] if header.warning else []
    place = header.place
    if place is None:
        columns = ["text"] if view.width == 1 else [f"column {n}" for n in range(1, view.width + 1)]
        first = next((row for row in view.rows if len(row.values) == view.width), Cells(1, 0, []))
        first_line, names = first.line, None
    else:
        first = view.rows[place]
        first_line, names = first.line + first.lines, first.values
        columns, more = _columns(name, view, place)
        warnings += more
    fault = view.first_fault
    if fault and fault.line < first.line and not any(map(known_name, first.values)):
        raise DataError(f"the first line of {name} does not hold column names: it {fault.reason}.")
    warnings += _about(name, view, first.line)
    rows = split_rows(everything, view.dialect, _profile(view, place, len(columns)))
    items = rows_below(rows, first_line, columns, names, _called(view.dialect.delimiter))
    return columns, itertools.chain(map(ReadWarning, warnings), items)


# --- delimiter and quoting -----------------------------------------------------------------------------------


def _best(sample: list[str], given: str, plain: bool, named: Sequence[str], whole: bool) -> _View:
    """Choose the delimiter with which the lines agree, columns have one kind, and known names occur.

    Args:
        sample: the first lines.
        given: the delimiter that the file itself names, or ''.
        plain: whether lines that agree on no delimiter are texts.
        named: columns that the caller named.
        whole: whether the sample is the whole file.
    """
    views = []
    for delimiter in given or DELIMITERS:
        if not any(delimiter in line for line in sample):
            continue
        view = _view(sample, delimiter, whole)
        names = max((_names(row.values, named) for row in _like_names(view)), default=0)
        kinds = any(kind(column) for column in _values_by_column(view))
        value = view.agreeing * (view.width > 1) + 0.3 * kinds + 0.5 * min(names, 2) + 0.3 * (delimiter == "\t")
        views.append((value, view))
    single = _view(sample, NO_DELIMITER, whole)
    first = next((row.values for row in single.rows), [""])
    views.append((0.9 + 0.2 * plain + 0.5 * _names(first, named), single))
    return max(views, key=lambda pair: pair[0])[1]


def _like_names(view: _View) -> list[Cells]:
    """Return the rows in which column names may be: of the usual width, or the first, if it holds no more cells."""
    rows = view.rows[: ABOVE if view.width <= COLUMNS else 0]
    return [row for row in rows if len(row.values) == view.width or 1 < len(row.values) < view.width]


def _view(sample: list[str], delimiter: str, whole: bool) -> _View:
    """Split the sample at a delimiter with the quoting that fits."""
    dialect = Dialect(delimiter, spaces=_has_spaces(sample, delimiter))
    usual = _seen(sample, dialect, whole)
    if not any('"' in line for line in sample):
        return _in_single_quotes(sample, dialect, whole) or usual
    if usual.faults and any('\\"' in line for line in sample):
        other = _seen(sample, replace(dialect, backslashes=True), whole)
        if other.faults < usual.faults:
            return other
    if delimiter != NO_DELIMITER and usual.width == 1 and sum(len(row.values) == 1 for row in usual.rows) > 1:
        other = _seen(sample, replace(dialect, wrapped=True), whole)
        if other.width > 1 and other.agreeing > 0.9 and any(kind(column) for column in _values_by_column(other)):
            return other
    return _without_quotes(sample, usual, whole) or usual


def _in_single_quotes(sample: list[str], dialect: Dialect, whole: bool) -> _View | None:
    """Split the sample with single quotation marks, if nearly every row has such a cell."""
    mark = re.escape(dialect.delimiter)
    rows = [line for line in sample if line.strip()][1:]
    begins, ends = re.compile(rf"(^|{mark})\s*'"), re.compile(rf"'\s*({mark}|$)")
    enclosed = sum(_encloses(line, begins, ends) for line in rows)
    if enclosed <= 0.9 * len(rows):
        return None
    other = _seen(sample, replace(dialect, mark="'"), whole)
    return other if other.width > 1 and other.agreeing > 0.95 and not other.faults else None


def _encloses(line: str, begins: re.Pattern[str], ends: re.Pattern[str]) -> bool:
    """Tell whether a mark that begins a cell comes before one that ends a cell."""
    first = begins.search(line)
    return first is not None and any(end.start() >= first.end() for end in ends.finditer(line))


def _without_quotes(sample: list[str], usual: _View, whole: bool) -> _View | None:
    """Split the sample with quotation marks as text, if they enclose no cells and only break rows."""
    other = _seen(sample, replace(usual.dialect, quotes=False), whole)
    cells = [cell.strip() for row in other.rows for cell in row.values if '"' in cell]
    enclosed = sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
    swallowed = usual.width > 1 and len(usual.rows) < len(other.rows)
    if (
        any(len(row.values) != other.width for row in other.rows)
        or enclosed * 10 > len(cells)
        or not (usual.faults or swallowed)
    ):
        return None
    if len(usual.rows) + usual.faults == len(other.rows):
        return other  # no cell has several lines
    profile = _profile(other, None, other.width)
    if not profile or not profile.certain:
        return None
    misfits = sum(not profile.fits(row.values) for row in other.rows)
    return other if misfits <= max(1, len(other.rows) // 50) else None  # the line of column names need not fit


def _seen(sample: list[str], dialect: Dialect, whole: bool) -> _View:
    rows: list[Cells] = []
    faults: list[Rejected] = []
    for row in split_rows(sample, dialect):
        if isinstance(row, Cells):
            rows.append(row)
        elif isinstance(row, Rejected):
            if not whole and "never closed" in row.reason and row.line > len(sample) * 0.8:
                break  # the sample ends inside this cell
            faults.append(row)
    filled = [row for row in rows if any(map(str.strip, row.values))]
    widths = Counter(len(row.values) for row in filled[1:] or filled)
    width = max(widths, key=lambda size: (widths[size], size), default=1)
    first = filled[0].values if filled else []
    if any(map(known_name, first[:COLUMNS])) and widths[len(first)] * 10 >= len(filled):
        width = len(first)  # column names say it better than rows with cells too many
    # What is above the first row of the usual width may be a title and says nothing of the delimiter.
    above = next((place for place, row in enumerate(filled[:ABOVE]) if len(row.values) == width), 0)
    total = len(filled) - above + len(faults)
    agreeing = sum(len(row.values) == width for row in filled) / max(1, total)
    return _View(dialect, filled, width, agreeing, len(faults), faults[0] if faults else None)


def _has_spaces(sample: list[str], delimiter: str) -> bool:
    """Return whether spaces after the delimiter belong to it: a quotation mark follows them, or all have them."""
    if delimiter in ("\t", NO_DELIMITER):
        return False
    mark = re.escape(delimiter)
    if any(re.search(mark + r' +"', line) and not re.search(mark + r'"', line) for line in sample):
        return True
    count = sum(line.count(delimiter) for line in sample)
    return count > 0 and sum(line.count(delimiter + " ") for line in sample) == count


# --- column names --------------------------------------------------------------------------------------------


def _names(values: Sequence[str], named: Sequence[str]) -> int:
    """Count the cells that are well-known column names, or names given by the caller."""
    return sum(cell in named or known_name(cell) for cell in {value.strip() for value in values} - {""})


def _header(name: str, view: _View, named: Sequence[str], plain: bool) -> _Header:
    """Find the row of column names: by known names, otherwise by how it differs from the rows below."""
    rows = view.rows
    wide = [place for place, row in enumerate(rows[:ABOVE]) if len(row.values) == view.width]
    full = [
        p
        for p in wide
        if sum(bool(value.strip()) for value in rows[p].values) >= min(2, view.width) or _names(rows[p].values, named)
    ]
    for place, row in enumerate(rows[:ABOVE]):
        if named and all(column in map(str.strip, row.values) for column in named):
            return _Header(place)
    if not full:
        return _Header(None)
    first = full[0]
    for place in full[: 4 if view.width > 1 else 1]:
        names = [value for value, recurs in zip(rows[place].values, _recurring(view, place), strict=True) if not recurs]
        if _names(names, ()) >= min(2, view.width):
            return _Header(place)
    for place in range(first):  # names of fewer columns than the rows have
        if len(rows[place].values) > 1 and _names(rows[place].values, named) > 1:
            return _Header(place)
    for place in range(first):  # names separated by another delimiter than the rows
        for delimiter in DELIMITERS:
            cells = next(csv.reader(["".join(rows[place].values)], delimiter=delimiter), [])
            if len(cells) == view.width > 1 and _names(cells, named):
                rows[place] = replace(rows[place], values=cells)
                return _Header(
                    place,
                    f"the column names of {name} are divided by {_called(delimiter)} and its rows by "
                    f"{_called(view.dialect.delimiter)}.",
                )
    evidence = _evidence(view, first)
    cells = rows[first].values
    if view.width == 1 and plain and not evidence > 0:
        return _Header(None, f"each line of {name} is read as one text, the first one, {shown(cells[0])}, too.")
    quoted = " | ".join(textwrap.shorten(value[:200], 24, placeholder="...") for value in cells[:5])
    if evidence < 0:
        called = "'text'" if view.width == 1 else f"'column 1' to 'column {view.width}'"
        return _Header(
            None,
            f"{name} has no line of column names: its line {rows[first].line}, {shown(quoted)}, is read as a row, and "
            f"the columns are called {called}.",
        )
    if evidence < 2:
        return _Header(first, f"line {rows[first].line} of {name}, {shown(quoted)}, is read as the column names.")
    return _Header(first)


def _evidence(view: _View, place: int) -> int:
    """Weigh the evidence for a row of names (above zero) against an ordinary row (below zero)."""
    weight = 0
    recurring = _recurring(view, place)
    for cell, recurs, column in zip(
        map(str.strip, view.rows[place].values), recurring, _values_by_column(view, place), strict=True
    ):
        held = kind(column)
        if known_name(cell) and not recurs:
            weight += 3
        elif not column or not cell:
            continue
        elif held == "number":
            weight += -2 if NUMBER.fullmatch(cell) else 2
        elif recurs:
            weight -= 2
        elif held == "closed":
            weight += 2
        elif sum(map(is_prose, column)) * 2 > len(column):
            long = len(cell) > 60 or len(cell.split()) >= 8
            weight += -2 if long else -1 if is_prose(cell) else 1
    return weight


def _recurring(view: _View, place: int) -> list[bool]:
    """Return which cells of a row are values that occur again below in a column of few values."""
    cells = map(str.strip, view.rows[place].values)
    other = [row for row in view.rows[place + 1 :] if row.values != view.rows[place].values]  # names may be repeated
    columns = _values_by_column(replace(view, rows=other))
    return [cell in column and repeats(column) for cell, column in zip(cells, columns, strict=True)]


def _columns(name: str, view: _View, place: int) -> tuple[list[str], list[str]]:
    """Return the names of the columns; unnamed ones get a number, and empty ones at the end are left out."""
    cells = [cell.strip() for cell in view.rows[place].values]
    below = [row.values for row in view.rows[place + 1 :]]
    while len(cells) > 1 and not cells[-1] and not any("".join(row[len(cells) - 1 :]).strip() for row in below):
        cells.pop()
    warnings = []
    more = [row[-1] for row in below if len(row) == view.width]
    ids = [row[0] for row in below if len(row) == view.width]
    if len(set(ids)) < len(ids) or any(" " in value.strip() for value in ids):
        more = []  # no name of the row numbers, but a cell too many
    if len(cells) + 1 == view.width and view.agreeing > 0.9 and sum(map(bool, map(str.strip, more))) * 2 > len(more):
        cells.insert(0, "row")  # as R writes row names
        warnings.append(f"the rows of {name} have a cell more than its column names: the first is called 'row'.")
    return [cell or f"column {number}" for number, cell in enumerate(cells, start=1)], warnings


def _about(name: str, view: _View, names_line: int) -> list[str]:
    """Return warnings about quotation marks and about skipped lines above the column names."""
    warnings = []
    above = [row for row in view.rows if row.line < names_line]
    if above:
        lines = "line" if len(above) == 1 else f"{len(above)} lines"
        title = view.dialect.delimiter.join(above[0].values).strip()
        warnings.append(f"the {lines} above the table in {name} is no row: {shown(title)}.")
    if not view.dialect.quotes:
        warnings.append(f"quotation marks in {name} are read as part of the text, since they do not enclose cells.")
    if view.dialect.mark == "'":
        warnings.append(f"cells of {name} are enclosed in single quotation marks, which are left out.")
    if view.dialect.backslashes:
        warnings.append(f'quotation marks written \\" in {name} are read as marks inside a cell.')
    if view.dialect.wrapped:
        warnings.append(f"whole rows of {name} are enclosed in quotation marks: they were split inside them.")
    return warnings


# --- what columns hold ---------------------------------------------------------------------------------------


def _values_by_column(view: _View, place: int | None = None) -> list[list[str]]:
    """Return the filled values of each column, without those of the row at a place and above."""
    if view.width > COLUMNS:
        return [[] for _ in range(view.width)]
    rows = view.rows if place is None else view.rows[place + 1 :]
    table = [row.values for row in rows if len(row.values) == view.width and row.lines == 1]
    return [[value.strip() for value in column if value.strip()] for column in zip(*table, strict=True)] or [
        [] for _ in range(view.width)
    ]


def _profile(view: _View, place: int | None, width: int) -> Profile | None:
    """Learn from the sample what a row looks like; None if rows have only one cell."""
    if width < 2:
        return None
    closed: dict[int, frozenset[str]] = {}
    numbers: list[int] = []
    for number, column in enumerate(_values_by_column(view, place)):
        held = kind(column)
        if held == "closed":
            closed[number] = frozenset(value for value, count in Counter(column).items() if count > 1)
        elif held == "number":
            numbers.append(number)

    def fits(cells: Sequence[str]) -> bool:
        if len(cells) != view.width:
            return False
        # A column of texts that often repeat may have other values too, so one column of known values is enough.
        known = sum(cells[number].strip().strip('"') in values for number, values in closed.items())
        return known >= min(1, len(closed)) and all(NUMBER.fullmatch(cells[number].strip(' "')) for number in numbers)

    return Profile(fits, certain=bool(closed or numbers))


def _called(delimiter: str) -> str:
    return {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars"}.get(delimiter, shown(delimiter))
