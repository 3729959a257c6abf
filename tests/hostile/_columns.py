"""Parquet, Feather and Arrow files with columns of every type, and with cells far larger than they look."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial, reduce
from pathlib import Path

import numpy as np
import pyarrow as arrow
from pyarrow import feather, parquet
from tests.hostile import _door
from tests.hostile._common import Case, Outcome
from tests.hostile._door import Judge, quiet, refused, rows

NOW = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
Column = Callable[[int], arrow.Array]


def _of(kind: arrow.DataType, values: Sequence[object]) -> Column:
    """Make columns that repeat values, the last of them missing."""
    return lambda count: arrow.array([*(values[place % len(values)] for place in range(count - 1)), None], kind)


def _columns() -> dict[str, Column]:
    nanoseconds = [1_709_209_815_123_456_789, -1, 0]
    arrays = {
        **{f"timestamp[{unit}]": _of(arrow.timestamp(unit), [1_709_209_815, 0]) for unit in ("s", "ms", "us")},
        "timestamp[ns]": _of(arrow.timestamp("ns"), nanoseconds),
        **{
            f"timestamp[ns, {zone}]": _of(arrow.timestamp("ns", zone), nanoseconds)
            for zone in ("UTC", "Asia/Tokyo", "+05:30")
        },
        "time64[ns]": _of(arrow.time64("ns"), [1, 86_399_999_999_999]),
        "time64[us]": _of(arrow.time64("us"), [NOW.time()]),
        "time32[ms]": _of(arrow.time32("ms"), [datetime.time(1, 2, 3)]),
        **{f"duration[{unit}]": _of(arrow.duration(unit), [1, -5, 10**9 + 1]) for unit in ("s", "ms", "us", "ns")},
        "date32": _of(arrow.date32(), [NOW.date()]),
        "date64": _of(arrow.date64(), [NOW.date()]),
        "dates far away": _of(arrow.date32(), [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
        "decimal128": _of(arrow.decimal128(38, 5), [decimal.Decimal("1.50000"), decimal.Decimal("-9e30")]),
        "decimal256": _of(arrow.decimal256(76, 2), [decimal.Decimal("1e70")]),
        **{name: _of(getattr(arrow, name)(), [0, 100]) for name in ("int8", "int16", "int32", "int64", "uint8")},
        "uint64": _of(arrow.uint64(), [2**64 - 1, 0]),
        "float16": _of(arrow.float16(), [np.float16(1.5), np.float16("nan")]),
        "float32": _of(arrow.float32(), [0.1, float("inf")]),
        "float64": _of(arrow.float64(), [0.1, float("-inf")]),
        "bool": _of(arrow.bool_(), [True, False]),
        "null": arrow.nulls,
        "binary": _of(arrow.binary(), [b"\x00\xff", b""]),
        "large_binary": _of(arrow.large_binary(), [b"\x1b[31m"]),
        "fixed_size_binary": _of(arrow.binary(3), [b"\x00\xff\x01"]),
        "large_string": _of(arrow.large_string(), ["a", ""]),
        "string_view": _of(arrow.string_view(), ["a", "long enough for a view of its own"]),
        "binary_view": _of(arrow.binary_view(), [b"a"]),
        "list": _of(arrow.list_(arrow.int32()), [[1, None], []]),
        "list of timestamps[ns]": _of(arrow.list_(arrow.timestamp("ns")), [nanoseconds]),
        "large_list": _of(arrow.large_list(arrow.string()), [["a"], []]),
        "fixed_size_list": _of(arrow.list_(arrow.float32(), 2), [[0.5, 1.5]]),
        "fixed_size_list of timestamps[ns]": _of(arrow.list_(arrow.timestamp("ns"), 1), [[nanoseconds[0]]]),
        "struct": _of(arrow.struct([("a", arrow.int8()), ("b", arrow.timestamp("ns"))]), [{"a": 1, "b": 1}]),
        "map": _of(arrow.map_(arrow.string(), arrow.int64()), [[("a", 1)], []]),
        "map of timestamps[ns]": _of(arrow.map_(arrow.timestamp("ns"), arrow.timestamp("ns")), [[(1, 2)]]),
        "dictionary": lambda count: _of(arrow.string(), ["a", "b"])(count).dictionary_encode(),
        "dictionary of timestamps[ns]": lambda count: _of(arrow.timestamp("ns"), [1, 2])(count).dictionary_encode(),
        "run_end_encoded": lambda count: arrow.compute.run_end_encode(_of(arrow.int32(), [1])(count)),
        "list_view": _of(arrow.list_view(arrow.int32()), [[1, None], []]),
        "list_view of timestamps[ns]": _of(arrow.list_view(arrow.timestamp("ns")), [nanoseconds]),
        "dictionary of lists": lambda count: arrow.DictionaryArray.from_arrays(
            _of(arrow.int8(), [0, 1])(count), arrow.array([[1], []])
        ),
        "union": lambda count: arrow.UnionArray.from_sparse(
            arrow.array([place % 2 for place in range(count)], arrow.int8()),
            [_of(arrow.int32(), [1])(count), _of(arrow.string(), ["a"])(count)],
        ),
        "object without keys": _of(arrow.struct([]), [{}]),
        "list of month_day_nano": _of(arrow.list_(arrow.month_day_nano_interval()), [[(1, 2, 3)]]),
        "month_day_nano": _of(arrow.month_day_nano_interval(), [(1, 2, 3)]),
        "uuid": _of(arrow.uuid(), [b"0123456789abcdef"]),
        "json": lambda count: arrow.ExtensionArray.from_storage(arrow.json_(), _of(arrow.string(), ["{}"])(count)),
        "bool8": lambda count: arrow.ExtensionArray.from_storage(arrow.bool8(), _of(arrow.int8(), [1])(count)),
    }
    for levels in (49, 50):  # pyarrow reads Parquet of at most 49
        deep = reduce(lambda inner, _: arrow.list_(inner), range(levels), arrow.int32())
        arrays[f"lists {levels} deep"] = partial(arrow.nulls, type=deep)
    return arrays


def cases(texts: Sequence[str]) -> Iterator[Case]:
    """List cases.

    Args:
        texts: of sound rows.
    """
    for name, column in _columns().items():
        for ending in ("parquet", "feather", "arrow"):
            yield Case("files", f"{name} in {ending}", partial(_copied, texts, column, ending))
    dictionary = {"use_dictionary": True, "dictionary_pagesize_limit": 2**27}
    many = refused("unpacks to over 200 times|fill the memory|enough memory|more memory")
    for name, judge, make, options in (
        ("a cell of 300 MB", rows(len(texts), rejected=1), lambda: {"text": ["x" * 300_000_000, *texts]}, {}),
        ("cells of 8 MB", rows(len(texts), rejected=0), lambda: {"text": ["x" * 8_000_000, *texts[1:]]}, {}),
        ("a dictionary of one cell", many, lambda: {"text": _dictionary("x" * 9_000_000, 2000)}, dictionary),
        ("a bomb", many, lambda: {"text": _repeated("x" * 9_000_000, 150)}, {"use_dictionary": False}),
        ("20,000 columns", refused("at most 16,384"), lambda: {f"c{number}": [1] for number in range(20_000)}, {}),
    ):
        yield Case("files", f"Parquet: {name}", partial(_checked, make, options, judge))
    sound = _bytes({"text": list(texts), "label": ["ab"[place % 2] for place in range(len(texts))]})
    for cut in (4, 12, len(sound) // 2, len(sound) - 9, len(sound) - 4):
        yield Case("files", f"Parquet cut at {cut}", partial(_broken, sound[:cut]))
    for place in range(4, len(sound) - 4, len(sound) // 12):
        broken = sound[:place] + bytes(255 - byte for byte in sound[place : place + 9]) + sound[place + 9 :]
        yield Case("files", f"Parquet overwritten at {place}", partial(_broken, broken))


def _bytes(columns: dict[str, list[object]]) -> bytes:
    stream = arrow.BufferOutputStream()
    parquet.write_table(arrow.table(columns), stream)
    return stream.getvalue().to_pybytes()


@cache
def _model() -> Path:
    """Save a model that always gives the same answer."""
    import tempfile

    from headstart.contenders.majority import FittedMajority
    from headstart.core import rooms
    from headstart.core.records import Rows

    task = rooms.load("tasks", "classification", {"input_columns": ("text=text",)})
    task = task.fitted(Rows(("1", "2"), ("x", "y"), ("a", "b")))
    folder = Path(tempfile.mkdtemp(prefix="hostile-model-")) / "model"
    FittedMajority(task, (0.5, 0.5)).save(folder)
    return folder


def _copied(texts: Sequence[str], column: Column, ending: str, folder: Path) -> Outcome:
    """Judge a prediction whose file has a column of a type: it is copied as it is, or refused in one sentence."""
    made = arrow.table({"text": list(texts), "x": column(len(texts))})
    path, out = folder / f"a.{ending}", folder / "out.parquet"
    try:
        if ending == "parquet":
            parquet.write_table(made, path)
        elif ending == "feather":
            feather.write_feather(made, path)
        else:
            with arrow.ipc.new_stream(path, made.schema) as writer:
                writer.write_table(made)
    except (arrow.ArrowException, ValueError):
        return Outcome("right", "the format itself has no such type")
    # Outside of Arrow each type must at least be readable as text.
    shown = quiet(_door.run(folder, ["predict", str(_model()), str(path), "--out", str(folder / "out.jsonl")]))
    if "too deeply nested" in shown.reason:  # pyarrow cannot read what it wrote
        return shown
    if shown.verdict != "right":
        return Outcome("WRONG", f"as JSON Lines: {shown.reason}")
    ended = _door.run(folder, ["predict", str(_model()), str(path), "--out", str(out)])
    outcome = quiet(ended)
    if outcome.verdict != "right":
        return outcome
    expected = parquet.read_table(path) if ending == "parquet" else _through_parquet(made, folder)
    written = parquet.read_table(out)
    if written.column_names[:2] != ["text", "x"] or written.num_rows != len(texts):
        return Outcome("WRONG", f"columns {written.column_names}, {written.num_rows} rows")
    if written.schema.field("x").type != expected.schema.field("x").type:
        return Outcome("WRONG", f"{written.schema.field('x').type} instead of {expected.schema.field('x').type}")
    same = str(written["x"].combine_chunks()) == str(expected["x"].combine_chunks())
    return Outcome("right") if same else Outcome("WRONG", "other values")


def _through_parquet(made: arrow.Table, folder: Path) -> arrow.Table:
    """Return what Parquet makes of a table: where it lacks a type, the nearest that it has."""
    path = folder / "expected.parquet"
    try:
        parquet.write_table(made, path)
    except arrow.ArrowException:
        return made
    return parquet.read_table(path)


def _dictionary(cell: str, count: int) -> arrow.Array:
    return arrow.DictionaryArray.from_arrays(arrow.array([0] * count, arrow.int32()), [cell])


def _repeated(cell: str, count: int) -> arrow.ChunkedArray:
    """Repeat a cell that is in memory once."""
    return arrow.chunked_array([arrow.array([cell])] * count)


def _checked(make: Callable[[], dict[str, object]], options: dict[str, object], judge: Judge, folder: Path) -> Outcome:
    columns = make()
    count = len(next(iter(columns.values())))
    columns["label"] = ["ab"[place % 2] for place in range(count)]
    path = folder / "a.parquet"
    parquet.write_table(arrow.table(columns), path, compression="zstd", **options)
    del columns
    return judge(_door.run(folder, ["check", str(path), "--json"]))


def _broken(content: bytes, folder: Path) -> Outcome:
    """Judge damage: a clear error, or the rows as they were where nothing that is read was damaged."""
    path = folder / "a.parquet"
    path.write_bytes(content)
    return quiet(_door.run(folder, ["check", str(path), "--json"]))
