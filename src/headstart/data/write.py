"""Write tables row by row in constant memory: CSV, TSV, JSON Lines or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from headstart.core.errors import DataError, UsageError, shown
from headstart.core.records import ReadWarning, Rejected
from headstart.data import _columns
from headstart.data._files import records
from headstart.data._stream import Item, Row, peek

Rows = Iterable[Sequence[str | float | None]]
Write = Callable[[Rows], None]
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
# Rows held at once: enough for a model to sort by length, few enough for any memory. Long texts end a chunk earlier.
CHUNK = 2048
CHARACTERS = 16_000_000


def extend(
    source: Path,
    out: Path | None,
    names: Sequence[str],
    answer: Callable[[list[str]], Iterable[Sequence[str | float]]],
    *,
    text: str | None = None,
    encoding: str | None = None,
    report: Callable[[Rejected | ReadWarning], None],
) -> int:
    """Copy a file of any size with columns added that depend on its texts; return how many rows were written.

    Rows keep their order. A row without text is copied with nothing in the new columns; a row that cannot be read
    cannot be copied. `report` gets both kinds, and every doubt about how the file was read.

    Args:
        source, out: as in :func:`suffix_for`, where the format comes from.
        names: of the new columns, the first for text and the others for numbers. One that the file has already gets
            another name.
        answer: texts -> the new cells of each.
        text: the column with the texts; None to find it.
        encoding: of a source that is text; None to find out.

    Raises:
        DataError, UsageError: as :func:`headstart.data._files.records`, :func:`suffix_for` and :func:`table`.
    """
    opened = records(source, encoding, [text] if text else [])
    suffix = suffix_for(source, out)
    sample, items = peek(opened.items)
    column, _ = _columns.find(opened.name, opened.columns, sample, text, None, labelled=False)
    nothing = (None,) * len(names)
    written = 0
    with table(out, suffix, [*opened.columns, *unused(names, opened.columns)], numbers=len(names) - 1) as write:
        for chunk in _chunks(items):
            rows = [item for item in chunk if isinstance(item, Row)]
            texts = [row.cells[column] for row in rows if row.cells[column].strip()]
            answers = iter(answer(texts) if texts else ())
            write((*row.cells.values(), *(next(answers) if row.cells[column].strip() else nothing)) for row in rows)
            written += len(rows)
            for item in chunk:
                if not isinstance(item, Row):
                    report(item)
                elif not item.cells[column].strip():
                    report(Rejected(item.line, "has no text: it gets no label"))
    return written


def _chunks(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Cut items into lists of at most `CHUNK`, and of not much more than `CHARACTERS` characters."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += sum(map(len, item.cells.values())) if isinstance(item, Row) else 0
        if len(chunk) == CHUNK or size > CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def unused(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Rename columns that are there already: 'label' becomes 'predicted', others get a number.

    >>> unused(["label", "p(yes)"], ["text", "label", "p(yes)"])
    ['predicted', 'p(yes) 2']
    """
    found: list[str] = []
    for name in names:
        first = "predicted" if name == "label" and name in taken else name
        choices = itertools.chain([first], (f"{first} {number}" for number in itertools.count(2)))
        found.append(next(choice for choice in choices if choice not in (*taken, *found)))
    return found


def suffix_for(source: Path, out: Path | None) -> str:
    """Choose the format of a table made from `source`: what the name of `out` says, else that of the source.

    Parquet is never written to standard output, and what is in no known format becomes CSV.

    Raises:
        UsageError: `out` ends in a suffix that is no format.

    >>> suffix_for(Path("texts.jsonl"), None), suffix_for(Path("texts.parquet"), None)
    ('.jsonl', '.csv')
    """
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot tell the format of {shown(out)}; let its name end in {', '.join(SUFFIXES)}.")
    known = {".ndjson": ".jsonl", ".json": ".jsonl", ".tab": ".tsv"}
    given = (out or source).suffix.lower()
    suffix = known.get(given, given)
    return suffix if suffix in SUFFIXES and not (suffix == ".parquet" and out is None) else ".csv"


@contextmanager
def table(out: Path | None, suffix: str, columns: Sequence[str], numbers: int) -> Iterator[Write]:
    """Open a table for writing; the block gets a function that adds rows.

    A file appears under its name when the block ends without error, and never in part.

    Args:
        out: where to; None for standard output.
        suffix: the format, one of `SUFFIXES`.
        columns: their names. The last `numbers` of them hold numbers, the others text; any cell may be None.

    Raises:
        DataError: the file cannot be written.
        UsageError: Parquet, and pyarrow is not installed.
    """
    if out is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # a TextIOWrapper here
        yield _text(sys.stdout, suffix, columns)
        sys.stdout.flush()
        return
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        if suffix == ".parquet":
            with _parquet(part, columns, numbers) as write:
                yield write
        else:
            with part.open("w", encoding="utf-8", newline="") as file:
                yield _text(file, suffix, columns)
                file.flush()
                os.fsync(file.fileno())
        part.replace(out)
    except OSError as error:
        raise DataError(f"cannot write {out} ({error.strerror}); name another place with --out.") from error
    finally:
        part.unlink(missing_ok=True)


def whole(path: Path, text: str) -> None:
    """Write a text file so that its name never stands for a part of it."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _text(file: TextIO, suffix: str, columns: Sequence[str]) -> Write:
    if suffix == ".jsonl":

        def write_lines(rows: Rows) -> None:
            file.writelines(json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False) + "\n" for row in rows)

        return write_lines
    writer = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
    writer.writerow(columns)
    return writer.writerows


@contextmanager
def _parquet(path: Path, columns: Sequence[str], numbers: int) -> Iterator[Write]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise UsageError("writing Parquet needs pyarrow: pip install 'headstart[parquet]'") from None
    texts = len(columns) - numbers
    fields = [(name, arrow.string() if place < texts else arrow.float64()) for place, name in enumerate(columns)]
    schema = arrow.schema(fields)
    with parquet.ParquetWriter(path, schema) as writer:

        def write(rows: Rows) -> None:
            cells: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
            arrays = [arrow.array(column, kind) for column, (_, kind) in zip(cells, fields, strict=True)]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))

        yield write
