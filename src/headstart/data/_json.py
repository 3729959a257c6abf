"""JSON: one object per line, or one document that contains a table."""

from __future__ import annotations

import ast
import itertools
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from headstart.core.errors import DataError, shown
from headstart.core.records import ReadWarning, Rejected
from headstart.data import _squad
from headstart.data._columns import known_name
from headstart.data._limits import DOCUMENT, NESTING, check_columns
from headstart.data._stream import Item, Row, beginning
from headstart.data._values import cell


@dataclass(frozen=True, slots=True)
class _Object:
    """A row. size: characters that it was written with."""

    line: int
    values: dict[str, object]
    size: int = 0


LAST_COMMA = re.compile(r",\s*\]\Z")
BETWEEN = re.compile(r"[\s,]*")

_Parsed = _Object | Rejected | ReadWarning


def open_json(name: str, lines: Callable[[], Iterator[str]]) -> tuple[list[str], Iterator[Item]]:
    """Return the keys of all objects in a JSON file as columns, and its items.

    A file with one object per line is read line by line, twice if there are many, since a key may first occur late. A
    file that is one JSON document is read whole: a list of objects, an object of columns (lists, or objects keyed by
    row), pandas' 'split' form, or SQuAD's.

    Args:
        name: name of the file, for messages.
        lines: opens the file.

    Raises:
        DataError: neither of the two.
    """
    objects = _objects(name, lines())
    sample, whole = beginning(objects, lambda item: item.size if isinstance(item, _Object) else 0)
    objects_read = [item for item in sample if isinstance(item, _Object)]
    if not objects_read or (len(objects_read) == 1 and _is_table(objects_read[0].values)):
        document = _document(name, lines())
        if document is not None:
            in_squad = _squad.holds_articles(document)
            rows = _squad.questions(document) if in_squad else _rows(name, document)
            sample = [
                Rejected(number, row) if isinstance(row, str) else _Object(number, row)
                for number, row in enumerate(rows, start=1)
            ]
            objects_read = [item for item in sample if isinstance(item, _Object)]
            objects, whole = iter(()), True
    columns = dict.fromkeys(key for item in objects_read for key in item.values)
    if not columns:
        bad = next((item for item in sample if isinstance(item, Rejected)), None)
        reason = f"line {bad.line} {bad.reason}" if bad else "it holds only empty objects"
        raise DataError(f"{name} is not JSON Lines (an object on every line): {reason}.")
    if not whole:
        for item in _objects(name, lines()):
            if isinstance(item, _Object):
                columns.update(dict.fromkeys(item.values))
                check_columns(name, columns)
    return list(columns), _filled(itertools.chain(sample, objects), list(columns))


def _objects(name: str, lines: Iterator[str]) -> Iterator[_Parsed]:
    warned = False
    twice: set[str] = set()  # keys

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values = dict(pairs)
        if len(values) < len(pairs):
            twice.update(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        return values

    for number, line in enumerate(lines, start=1):
        if line.strip() in ("", "[", "]"):
            continue
        try:
            known = len(twice)
            values = _object(line, unique)
            if len(twice) > known:
                yield ReadWarning(
                    f"line {number} of {name} holds a key twice ({', '.join(map(shown, sorted(twice)))}): "
                    "the last value counts."
                )
        except (ValueError, RecursionError) as error:
            values = _python(line)
            if values is None:
                yield Rejected(number, _fault(error))
                continue
            if not warned:
                warned = True
                yield ReadWarning(
                    f"{name} is not JSON from line {number} on, but is read as Python writes such objects."
                )
        yield (
            _Object(number, values, len(line)) if isinstance(values, dict) else Rejected(number, "is not a JSON object")
        )


def _fault(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return f"is nested over {NESTING} levels deep"
    if "integer string conversion" in str(error):
        return f"holds a number of over {sys.get_int_max_str_digits():,} digits"
    return f"is not valid JSON ({error})"


def _object(line: str, unique: Callable[[list[tuple[str, object]]], dict[str, object]]) -> object:
    """Parse a line, which may also be the first, another or the last one of a list.

    Args:
        line: the line.
        unique: makes an object of its keys and values.

    Raises:
        ValueError: not JSON.
        RecursionError: nested too deeply.
    """
    bare = line.strip().removesuffix(",")
    try:
        return json.loads(bare, object_pairs_hook=unique)
    except ValueError:
        inner = bare.removeprefix("[").removesuffix("]").strip().removesuffix(",")
        if not (inner.startswith("{") and inner.endswith("}") and inner != bare):
            raise
        return json.loads(inner, object_pairs_hook=unique)


def _python(line: str) -> dict[str, object] | None:
    """Parse an object printed by Python, with single quotation marks; None if it is not one."""
    if not line.lstrip().startswith("{'"):
        return None
    try:
        values = ast.literal_eval(line.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return None
    return values if isinstance(values, dict) and all(isinstance(key, str) for key in values) else None


def _document(name: str, lines: Iterator[str]) -> Any:
    """Parse a file as one JSON document, or as several, which make a list; None if it is neither.

    Raises:
        DataError: it is too long to be held at once.
    """
    held, size = [], 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size > DOCUMENT:
            raise DataError(
                f"{name} is one JSON document of over {DOCUMENT // 2**20} MB: write an object on each line."
            )
    text = LAST_COMMA.sub("]", "".join(held).strip())
    decoder, documents, end = json.JSONDecoder(), [], 0
    try:
        while end < len(text):
            value, end = decoder.raw_decode(text, end)
            documents.append(value)
            end += len(BETWEEN.match(text, end)[0])  # type: ignore[index]  # matches anywhere
    except (ValueError, RecursionError):
        return None
    return documents[0] if len(documents) == 1 else documents


def _is_table(values: dict[str, object]) -> bool:
    """Return whether a single object contains a table: columns in it, or a list of rows."""
    columns = values.values()
    return bool(values) and (all(isinstance(c, dict | list) for c in columns) or any(map(_is_rows, columns)))


def _fits(width: int, row: object) -> bool:
    return isinstance(row, list) and len(row) == width


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _rows(name: str, document: Any) -> list[dict[str, object]]:
    """Return the rows of a JSON document."""
    if isinstance(document, dict) and document.keys() >= {"columns", "data"}:
        names, data = document["columns"], document["data"]
        if isinstance(names, list) and isinstance(data, list) and all(map(partial(_fits, len(names)), data)):
            return [dict(zip(map(cell, names), row, strict=True)) for row in data]
        if document.keys() <= {"columns", "index", "data"}:
            raise DataError(f"{name} has 'columns' and 'data', but not a list of as many values for each row.")
    if isinstance(document, dict):
        lists = [value for value in document.values() if _is_rows(value)]
        objects = list(document.values())
        if len(lists) == 1:
            document = lists[0]
        elif _is_rows(objects) and any(map(known_name, objects[0])):  # rows under their keys
            document = objects
    if _is_rows(document):
        rows: list[dict[str, object]] = document
        return rows
    if isinstance(document, dict) and _is_table(document):
        return _transposed(name, document)
    raise DataError(
        f"{name} is one JSON document but no table: give a list of objects, an object of columns, or an object a line."
    )


def _transposed(name: str, columns: dict[str, object]) -> list[dict[str, object]]:
    keyed: dict[str, dict[object, object]] = {}
    for column, values in columns.items():
        if isinstance(values, dict):
            keyed[column] = values
        elif isinstance(values, list):
            keyed[column] = dict(enumerate(values))
    keys = list(dict.fromkeys(key for values in keyed.values() for key in values))
    short = [column for column, values in keyed.items() if len(values) != len(keys)]
    if short:
        raise DataError(f"{name} has columns of different lengths: {shown(short[0])} has no value for every row.")
    return [{column: values[key] for column, values in keyed.items()} for key in keys]


def _filled(objects: Iterable[_Parsed], columns: Sequence[str]) -> Iterator[Item]:
    for item in objects:
        if isinstance(item, _Object) and _is_deep(item.values):
            yield Rejected(item.line, f"is nested over {NESTING} levels deep")
        elif isinstance(item, _Object):
            yield Row(item.line, {column: item.values.get(column) for column in columns})
        else:
            yield item


def _is_deep(value: object) -> bool:
    """Tell whether a value is nested deeper than what handles it can follow."""
    level = [value]
    for _ in range(NESTING):
        nested = [list(one.values()) if isinstance(one, dict) else one for one in level]
        level = [inner for one in nested if isinstance(one, list | tuple) for inner in one]
        level = [inner for inner in level if isinstance(inner, dict | list | tuple)]
        if not level:
            return False
    return True
