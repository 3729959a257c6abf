"""Parquet, Feather and Arrow files, read in batches; Parquet, written with the types of the source's columns."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.core.errors import DataError, UsageError, shown
from headstart.data._limits import BATCH, DICTIONARY, PEEK, check_ratio
from headstart.data._stream import Item, Records, Row
from headstart.data._values import cell, missing

if TYPE_CHECKING:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

HEADS = {b"PAR1": "Parquet", b"ARROW1": "Feather", b"FEA1": "Feather", b"\xff\xff\xff\xff": "Arrow"}
HUGGING_FACE = b"huggingface"  # key in a schema's metadata where the datasets library stores the names of classes


@dataclass(frozen=True)
class ArrowFile:
    """A file with typed columns.

    batches: returns all its rows again, in batches.
    """

    schema: arrow.Schema
    batches: Callable[[], Iterator[arrow.RecordBatch]]

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """Names of the classes of integer label columns, stored by Hugging Face's datasets library (`ClassLabel`)."""
        names = {}
        for name, feature in _features(self.schema).items():
            inner = feature[0] if isinstance(feature, list) and feature else feature
            if isinstance(inner, dict):
                inner = inner.get("feature", inner)
            if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" and isinstance(inner.get("names"), list):
                names[name] = tuple(map(str, inner["names"]))
        return names


def kind(head: bytes) -> str:
    """Return the format of a file that begins with these bytes, or ''.

    >>> kind(b"PAR1..."), kind(b"text,label")
    ('Parquet', '')
    """
    return next((name for mark, name in HEADS.items() if head.startswith(mark)), "")


def open_arrow(path: Path, head: bytes) -> tuple[ArrowFile, Iterator[Item]]:
    """Open a Parquet, Feather or Arrow file and return it with its rows, read a thousand at a time.

    Args:
        path: the file.
        head: its first bytes.

    Raises:
        DataError: the file is damaged, or Feather of the first version.
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
    except ImportError:
        raise UsageError(
            f"{path.name} is {kind(head)}, which needs pyarrow: pip install 'headstart[parquet]'"
        ) from None
    if head.startswith(b"FEA1"):
        raise DataError(f"{path.name} is Feather of the first version; save it as Parquet or Feather 2.")
    damage = (arrow.ArrowException, OSError)
    batches = functools.partial(_batches, path, head)
    try:
        file = ArrowFile(_schema(path, head), batches)
    except damage as error:
        raise _unreadable(path.name, kind(head), error) from error
    return file, _rows(file, path.name, kind(head), damage)


def _schema(path: Path, head: bytes) -> arrow.Schema:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    if kind(head) == "Parquet":
        return parquet.read_schema(path)
    with arrow.OSFile(str(path)) as raw:
        return (arrow.ipc.open_stream if kind(head) == "Arrow" else arrow.ipc.open_file)(raw).schema


def _batches(path: Path, head: bytes) -> Iterator[arrow.RecordBatch]:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    if kind(head) == "Parquet":
        with parquet.ParquetFile(path) as file:
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            columns = [group.column(place) for group in groups for place in range(group.num_columns)]
            unpacked = sum(column.total_uncompressed_size for column in columns)
            check_ratio(path.name, unpacked, sum(column.total_compressed_size for column in columns))
            for number, group in enumerate(groups):
                yield from file.iter_batches(batch_size=_batch_size(group), row_groups=[number])
        return
    with arrow.OSFile(str(path)) as raw:
        if kind(head) == "Arrow":
            whole = iter(arrow.ipc.open_stream(raw))
        else:
            opened = arrow.ipc.open_file(raw)
            whole = (opened.get_batch(number) for number in range(opened.num_record_batches))
        for batch in whole:
            yield from (batch.slice(start, PEEK) for start in range(0, batch.num_rows, PEEK))


def _batch_size(group: parquet.RowGroupMetaData) -> int:
    """Choose how many rows to hold at once, so that they fit the memory whatever their values' size."""
    size: int = min(PEEK, BATCH * group.num_rows // max(1, group.total_byte_size))
    for column in map(group.column, range(group.num_columns)):
        if column.has_dictionary_page:
            # The dictionary's own size is unknown: one value may fill it and be in every row.
            dictionary = column.total_uncompressed_size
            if dictionary < 20 * column.total_compressed_size:
                dictionary = min(dictionary, 8 * (column.data_page_offset - (column.dictionary_page_offset or 0)))
            size = min(size, DICTIONARY // max(1, dictionary))
    return max(1, size)


def _rows(file: ArrowFile, name: str, of: str, damage: tuple[type[Exception], ...]) -> Iterator[Item]:
    names = file.schema.names
    number = 0
    try:
        for batch in file.batches():
            columns = [_exact(column).to_pylist() for column in batch.columns]
            for values in zip(*columns, strict=True):
                number += 1
                yield Row(number, dict(zip(names, values, strict=True)))
    except MemoryError as error:
        raise DataError(
            f"{name} needs more memory after row {number} than there is: split it into smaller files."
        ) from error
    except damage as error:
        raise _unreadable(name, f"{of} after row {number}", error) from error


def _unreadable(name: str, where: str, error: Exception) -> DataError:
    """Say of a file that pyarrow cannot read whether it is damaged, or sound with columns beyond pyarrow's depth.

    Args:
        name: of the file.
        where: its format, and how far it was read.
        error: of pyarrow, which has no type of its own for depth.
    """
    if "too deeply nested" in str(error) or "recursion depth" in str(error):
        return DataError(
            f"{name} has a column with more levels than can be read ({error}): flatten it or leave it out."
        )
    return DataError(f"{name} is damaged {where} ({error}).")


def _exact(column: arrow.Array) -> arrow.Array:
    """Turn nanosecond values, for which Python has no type, into text."""
    wanted = _without_nanoseconds(column.type)
    return column if wanted == column.type else column.cast(wanted, safe=False)


def _without_nanoseconds(of: arrow.DataType) -> arrow.DataType:
    import pyarrow as arrow

    types = arrow.types
    if (types.is_timestamp(of) or types.is_time64(of)) and of.unit == "ns":
        return arrow.string()
    if types.is_duration(of) and of.unit == "ns":
        return arrow.duration("us")
    if types.is_struct(of):
        return arrow.struct([field.with_type(_without_nanoseconds(field.type)) for field in of])
    if types.is_large_list(of):
        return arrow.large_list(_without_nanoseconds(of.value_type))
    if types.is_list(of):
        return arrow.list_(_without_nanoseconds(of.value_type))
    if types.is_map(of):
        return arrow.map_(of.key_type, _without_nanoseconds(of.item_type))
    return of


def _features(schema: arrow.Schema) -> Mapping[str, object]:
    try:
        features = json.loads((schema.metadata or {})[HUGGING_FACE])["info"]["features"]
    except (KeyError, ValueError, TypeError):
        return {}
    return features if isinstance(features, dict) else {}


# --- writing ---------------------------------------------------------------------------------------------------------

Put = Callable[[Sequence[Row], Sequence[Sequence[object]]], None]


@contextmanager
def extended(
    path: Path, source: Records, again: Callable[[], Records], added: Sequence[str], texts: int
) -> Iterator[Put]:
    """Open a Parquet file for the rows of a table and further columns, first those of text and then those of numbers.

    Columns have the same types as in Parquet, Feather and Arrow sources; for JSON Lines the types are inferred from the
    values; for CSV all columns are text.

    Args:
        path: the file to write.
        source: the table whose rows are written, in order; some may be left out.
        again: opens the same table once more, since the type of a JSON Lines column may depend on its last value.
        added: names of the further columns.
        texts: how many of these hold text; lists and objects are written as JSON.

    Raises:
        DataError: a Feather or Arrow file has a column of a type that Parquet lacks.
        UsageError: pyarrow is not installed.
    """
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise UsageError("writing Parquet needs pyarrow: pip install 'headstart[parquet]'") from None
    schema = source.file.schema if source.file else _inferred(again())
    advice = "let the name of --out end in .jsonl."
    lacking = [] if _writable(schema) else [field for field in schema if not _writable(arrow.schema([field]))]
    if lacking:
        name, of = shown(lacking[0].name), shown(lacking[0].type)
        raise DataError(f"{source.name} has a column {name} of type {of}, which Parquet lacks: {advice}")
    kinds = [arrow.string() if place < texts else arrow.float64() for place in range(len(added))]
    new = [arrow.field(name, kind) for name, kind in zip(added, kinds, strict=True)]
    extended = arrow.schema([*schema, *new], metadata=_with_features(schema, added, texts))
    copied = _taken(source.file) if source.file else functools.partial(_typed, schema)
    with parquet.ParquetWriter(path, extended) as writer:

        def put(rows: Sequence[Row], answers: Sequence[Sequence[object]]) -> None:
            if not rows:
                return
            table = copied(rows)
            for field, values in zip(new, zip(*answers, strict=True), strict=True):
                filled = _filled(values, as_text=arrow.types.is_string(field.type))
                table = table.append_column(field, arrow.array(filled, field.type))
            try:
                writer.write_table(table.cast(extended))
            except arrow.ArrowNotImplementedError as error:  # of a type that is only refused with rows
                raise DataError(f"{source.name} cannot be written as Parquet ({error}): {advice}") from error

        yield put


def _taken(file: ArrowFile) -> Callable[[Sequence[Row]], arrow.Table]:
    """Return a function that takes rows from the file as pyarrow objects, so that every type is copied; in order."""
    import pyarrow as arrow

    batches = file.batches()
    held: arrow.RecordBatch | None = None
    before = 0  # rows before the current batch

    def take(rows: Sequence[Row]) -> arrow.Table:
        nonlocal held, before
        taken: list[arrow.RecordBatch] = []
        places = [row.line - 1 for row in rows]
        while places:
            if held is None:
                held = next(batches)
            end = before + held.num_rows
            here = [place - before for place in places if place < end]
            taken += _slices(held, here)
            places = places[len(here) :]
            if places:
                held, before = None, end
        return arrow.Table.from_batches(taken, file.schema)

    return take


def _slices(batch: arrow.RecordBatch, places: Sequence[int]) -> Iterator[arrow.RecordBatch]:
    """Give the rows in these places, in ascending order. Taking them one by one is not there for every type."""
    start = 0
    for end in range(1, len(places) + 1):
        if end == len(places) or places[end] != places[end - 1] + 1:
            yield batch.slice(places[start], end - start)
            start = end


def _typed(schema: arrow.Schema, rows: Sequence[Row]) -> arrow.Table:
    import pyarrow as arrow

    columns = []
    for field in schema:
        values = [row.cells.get(field.name) for row in rows]
        columns.append(arrow.array(_filled(values, arrow.types.is_string(field.type)), field.type))
    return arrow.Table.from_arrays(columns, schema=schema)


def _filled(values: Iterable[object], as_text: bool) -> list[object]:
    """Turn missing values into None, and other values into text if `as_text`."""
    return [None if missing(value) else cell(value) if as_text else value for value in values]


def _inferred(source: Records) -> arrow.Schema:
    """Infer the type that can hold all values of each column; text if there is none."""
    import pyarrow as arrow

    types: dict[str, arrow.DataType] = dict.fromkeys(source.columns, arrow.null())
    rows: list[Row] = []

    def look() -> None:
        for name, known in types.items():
            types[name] = _wider(known, [row.cells.get(name) for row in rows])
        rows.clear()

    for item in source.items:
        if isinstance(item, Row):
            rows.append(item)
        if len(rows) == PEEK:
            look()
    look()
    return arrow.schema(list(types.items()))


def _wider(known: arrow.DataType, values: Sequence[object]) -> arrow.DataType:
    """Widen a type until it can hold these values too."""
    import pyarrow as arrow

    if arrow.types.is_string(known):
        return known
    try:
        kinds = [known, arrow.array(_filled(values, as_text=False)).type]
        schemas = [arrow.schema([("x", one)]) for one in kinds]
        wider = arrow.unify_schemas(schemas, promote_options="permissive").field("x").type
        arrow.array(_filled(values, as_text=False), wider)
    except (arrow.ArrowException, OverflowError):
        return arrow.string()
    return wider if wider == known or _writable(arrow.schema([("x", wider)])) else arrow.string()


def _writable(schema: arrow.Schema) -> bool:
    """Return whether Parquet supports all types: it lacks objects without keys, unions, and more than 100 levels."""
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    stream = arrow.BufferOutputStream()
    try:
        parquet.write_table(schema.empty_table(), stream)
        parquet.read_schema(arrow.BufferReader(stream.getvalue()))  # too many levels fail only here
    except (arrow.ArrowException, OSError):
        return False
    return True


def _with_features(schema: arrow.Schema, added: Sequence[str], texts: int) -> dict[bytes, bytes] | None:
    """Add the new columns to the metadata of Hugging Face's datasets library, if present, so that it opens the file."""
    metadata = dict(schema.metadata or {})
    if features := _features(schema):
        whole = json.loads(metadata[HUGGING_FACE])
        kinds = ["string" if place < texts else "float64" for place in range(len(added))]
        new = {name: {"dtype": kind, "_type": "Value"} for name, kind in zip(added, kinds, strict=True)}
        whole["info"]["features"] = {**features, **new}
        metadata[HUGGING_FACE] = json.dumps(whole).encode()
    return metadata or None
