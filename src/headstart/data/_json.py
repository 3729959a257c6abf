"""JSON Lines: an object on every line."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from headstart.core.errors import DataError, shown
from headstart.core.records import ReadWarning, Rejected
from headstart.data._stream import PEEK, Item, Row


@dataclass(frozen=True, slots=True)
class _Object:
    line: int
    values: dict[str, object]


def open_json_lines(name: str, lines: Iterator[str]) -> tuple[list[str], Iterator[Item]]:
    """Read the first objects of JSON Lines and return all their keys as columns, and the items.

    Raises:
        DataError: none of the first lines is an object with a key.
    """
    objects = _objects(lines)
    sample = list(itertools.islice(objects, PEEK))
    columns = list(dict.fromkeys(key for item in sample if isinstance(item, _Object) for key in item.values))
    if not columns:
        bad = next((item for item in sample if isinstance(item, Rejected)), None)
        reason = f"line {bad.line} {bad.reason}" if bad else "it holds only empty objects"
        raise DataError(f"{name} is not JSON Lines (an object on every line): {reason}.")
    return columns, _filled(itertools.chain(sample, objects), columns)


def _objects(lines: Iterator[str]) -> Iterator[_Object | Rejected]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Rejected(number, f"is not valid JSON ({error})")
            continue
        yield _Object(number, values) if isinstance(values, dict) else Rejected(number, "is not a JSON object")


def _filled(objects: Iterable[_Object | Rejected], columns: list[str]) -> Iterator[Item]:
    known = set(columns)
    for item in objects:
        if isinstance(item, Rejected):
            yield item
            continue
        for key in item.values.keys() - known:
            known.add(key)
            yield ReadWarning(
                f"key {shown(key)} is left out: it first appears on line {item.line}, after {PEEK} rows without it."
            )
        yield Row(item.line, {column: item.values.get(column) for column in columns})
