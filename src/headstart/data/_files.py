"""Files of rows, read one row at a time whatever their size: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headstart.core.errors import DataError, UsageError, did_you_mean
from headstart.core.records import Rejected
from headstart.data._csv import CELL, PEEK, open_separated
from headstart.data._encoding import open_text, survey, unpacked

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True)
class Records:
    """A table that is being read: rows come one by one, and what is wrong with others is noted on the way.

    rows: pairs of a line number (the line the row starts on, the header being line 1; in Parquet the number of the
        row, from 1) and the cells by column, all of them text. May be walked once.
    rejected, warnings: complete only when all rows were taken.
    """

    name: str
    columns: tuple[str, ...]
    rows: Iterator[tuple[int, dict[str, str]]]
    sha256: str
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def records(path: str | Path) -> Records:
    """Open a CSV, TSV, JSON Lines or Parquet file of any size; rows are read as they are asked for.

    Cells are text: missing values are '', nested ones JSON. Rows that cannot be read are listed in `rejected`.

    Raises:
        DataError: no such file, an empty one, or one that is no table.
        UsageError: a Parquet file, and pyarrow is not installed.
    """
    path = Path(path)
    check_exists(path)
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return _parquet(path)
    seen = survey(path)
    notes = [seen.warning] if seen.warning else []
    rejected: list[Rejected] = []
    lines = _decoded(path, seen.encoding)
    if unpacked(path).suffix.lower() in (".jsonl", ".ndjson", ".json"):
        columns, rows = _open_json_lines(path.name, lines, rejected, notes)
    else:
        columns, rows = open_separated(unpacked(path), lines, rejected, notes)
    return _records(path.name, columns, rows, seen.sha256, rejected, notes)


def cell(value: Any) -> str:
    """Turn a value of a typed table into text: missing values into '', nested ones into JSON.

    >>> cell(None), cell(1.0), cell("x"), cell(float("nan")), cell(["a", 1])
    ('', '1.0', 'x', '', '["a", 1]')
    """
    if isinstance(value, str):
        return value
    if value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def sound(rows: Iterable[tuple[int, dict[str, str]]], rejected: list[Rejected]) -> Iterator[tuple[int, dict[str, str]]]:
    """Pass on the rows whose every cell is proper text of a bearable size; note what is wrong with others."""
    for line, cells in rows:
        # One look at the whole row is enough for nearly all rows; only a suspicious one is looked at cell by cell.
        fault = _fault("".join(cells.values())) and next(filter(None, map(_fault, cells.values())), "")
        if fault:
            rejected.append(Rejected(line, fault))
        else:
            yield line, cells


def _fault(text: str) -> str:
    if "\0" in text:
        return "holds a NUL byte"
    if len(text) > CELL:
        return "has a cell over 10 MB"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        if 0xDC80 <= code <= 0xDCFF:  # how `open_text` marks a byte that did not fit
            return f"holds a byte that is not valid in the file's encoding (0x{code - 0xDC00:02x})"
        return "holds half of a surrogate pair, which is no character"
    return ""


def _records(
    name: str,
    columns: Sequence[str],
    rows: Iterator[tuple[int, dict[str, str]]],
    sha256: str,
    rejected: list[Rejected],
    notes: list[str],
) -> Records:
    fault = next(filter(None, map(_fault, columns)), "")
    if fault:
        raise DataError(f"{name} does not begin with column names: a name {fault}.")
    twice = [column for column in columns if list(columns).count(column) > 1]
    if twice:
        raise DataError(f"{name} has two columns named '{twice[0]}'; rename one.")
    return Records(name, tuple(columns), sound(rows, rejected), sha256, rejected, notes)


def check_exists(path: Path) -> None:
    """Stop where a path is no file."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; name one file in it.")
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise DataError(f"no file {path}, and no folder {folder} either.")
        tables = [file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
        raise DataError(f"no file {path.name} in {folder.resolve()}; {did_you_mean(path.name, tables)}")


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    with open_text(path, encoding) as file:
        try:
            yield from file
        except UnicodeDecodeError as error:
            raise DataError(f"{path.name} is damaged: it stops being {encoding} ({error.reason}).") from error


def _open_json_lines(
    name: str, lines: Iterator[str], rejected: list[Rejected], notes: list[str]
) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    objects = _objects(lines, rejected)
    sample = list(itertools.islice(objects, PEEK))
    columns = list(dict.fromkeys(key for _, row in sample for key in row))
    if not columns:
        reason = f"line {rejected[0].line} {rejected[0].reason}" if rejected else "it holds only empty objects"
        raise DataError(f"{name} is not JSON Lines (an object on every line): {reason}.")
    return columns, _filled(itertools.chain(sample, objects), columns, notes)


def _objects(lines: Iterator[str], rejected: list[Rejected]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            rejected.append(Rejected(number, f"is not valid JSON ({error})"))
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            rejected.append(Rejected(number, "is not a JSON object"))


def _filled(
    rows: Iterable[tuple[int, dict[str, Any]]], columns: list[str], notes: list[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    known = set(columns)
    for line, row in rows:
        for key in row.keys() - known:
            known.add(key)
            notes.append(f"key '{key}' is left out: it first appears on line {line}, after {PEEK} rows without it.")
        yield line, {column: cell(row.get(column)) for column in columns}


def _parquet(path: Path) -> Records:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise UsageError(f"{path.name} is Parquet, which needs pyarrow: pip install 'headstart[parquet]'") from None
    damage = (arrow.ArrowException, OSError)
    try:
        file = parquet.ParquetFile(path)
    except damage as error:
        raise DataError(f"{path.name} is damaged Parquet ({error}).") from error
    with path.open("rb") as raw:
        sha256 = hashlib.file_digest(raw, "sha256").hexdigest()
    return _records(path.name, file.schema_arrow.names, _parquet_rows(file, path.name, damage), sha256, [], [])


def _parquet_rows(file: Any, name: str, damage: tuple[type[Exception], ...]) -> Iterator[tuple[int, dict[str, str]]]:
    number = 0
    try:
        for batch in file.iter_batches(batch_size=PEEK):
            for row in batch.to_pylist():
                number += 1
                yield number, {column: cell(value) for column, value in row.items()}
    except damage as error:
        raise DataError(f"{name} is damaged Parquet after row {number} ({error}).") from error
