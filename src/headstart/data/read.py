"""Read labelled texts from a file, the hub, a DataFrame or two lists into a :class:`~headstart.core.records.Table`.

Nothing is dropped silently: every row that cannot be used is listed with its line and the reason.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headstart.core.errors import DataError, UsageError, shown
from headstart.core.records import ReadWarning, Rejected, Rows, Table
from headstart.data import _columns, _hub
from headstart.data._files import records
from headstart.data._stream import Records, Row, peek, sound
from headstart.data._values import cell


def read(
    source: Any,
    *,
    text: str | None = None,
    label: str | None = None,
    labelled: bool = True,
    encoding: str | None = None,
) -> Table:
    """Read a table of texts, and of labels where `labelled`, with every unusable row listed and explained.

    Args:
        source: path of a CSV, TSV, JSON Lines or Parquet file; an address ``hf://datasets/owner/name[@revision]
            [/path/in/repo]``; a DataFrame of pandas, polars, pyarrow or whatever narwhals knows; or a pair of two
            sequences, texts and labels.
        text, label: names of the columns; by default found by name, then by what the values look like.
        labelled: whether labels are wanted; without them `targets` is empty.
        encoding: of a text file, such as 'utf-8' or 'cp1252'; None to find out.

    Returns:
        Rows with ids ``file:line`` (``row:1``, ... where the source is no file) and labels as text.

    Raises:
        UsageError: an unknown column, encoding or kind of source, no column that stands out, or a missing extra.
        DataError: no such file, no table, no usable row, or fewer than two classes.

    >>> table = read((["good", "", "bad"], [1.0, 1.0, 0.0]))
    >>> table.rows.targets, table.rejected
    (('1', '0'), (Rejected(line=2, reason='has no text'),))
    """
    opened, prefix = _open(source, encoding, [column for column in (text, label) if column])
    sample, items = peek(opened.items)
    text_column, label_column = _columns.find(opened.name, opened.columns, sample, text, label, labelled)
    ids, texts, labels = [], [], []
    rejected: list[Rejected] = []
    warnings: list[str] = []
    for item in items:
        if isinstance(item, ReadWarning):
            warnings.append(item.sentence)
        elif isinstance(item, Rejected):
            rejected.append(item)
        elif not item.cells[text_column].strip():
            rejected.append(Rejected(item.line, "has no text"))
        elif label_column and not item.cells[label_column].strip():
            rejected.append(Rejected(item.line, "has no label"))
        else:
            ids.append(f"{prefix}:{item.line}")
            texts.append(item.cells[text_column])
            labels.append(item.cells[label_column].strip() if label_column else "")
    rejected.sort(key=lambda row: row.line)
    if not ids:
        raise DataError(f"{opened.name} has no usable row{_first(rejected)}.")
    if label_column:
        labels = _whole_numbers(labels, label_column, warnings)
        _check_labels(opened.name, label_column, labels, warnings)
    rows = Rows(tuple(ids), tuple(texts), tuple(labels) if label_column else ())
    return Table(opened.name, rows, text_column, label_column, opened.sha256, tuple(rejected), tuple(warnings))


def _open(source: Any, encoding: str | None, named: Sequence[str]) -> tuple[Records, str]:
    """Open any source as records, with what its row ids begin with."""
    if isinstance(source, str) and source.startswith(_hub.PREFIX):
        source = _hub.fetch(source)
    if isinstance(source, str | os.PathLike):
        opened = records(Path(source), encoding, named)
        return opened, opened.name
    if isinstance(source, tuple | list) and len(source) == 2 and all(map(_is_sequence, source)):
        texts, labels = list(source[0]), list(source[1])
        if len(texts) != len(labels):
            raise UsageError(f"{len(texts)} texts but {len(labels)} labels: give one label for each text.")
        return _in_memory(["text", "label"], zip(texts, labels, strict=True)), "row"
    return _frame(source), "row"


def _is_sequence(value: Any) -> bool:
    return hasattr(value, "__len__") and hasattr(value, "__getitem__") and not isinstance(value, str | bytes | dict)


def _frame(source: Any) -> Records:
    import narwhals

    try:
        frame: Any = narwhals.from_native(source)
    except TypeError:
        raise UsageError(
            f"cannot read data from {type(source).__name__}: give a path, a DataFrame, or a pair (texts, labels)."
        ) from None
    if isinstance(frame, narwhals.LazyFrame):
        frame = frame.collect()
    if not frame.columns:
        raise DataError("the DataFrame has no columns; it should have a text and a label.")
    return _in_memory(frame.columns, frame.iter_rows())


def _in_memory(columns: Sequence[str], values: Iterator[Sequence[Any]]) -> Records:
    names = tuple(map(str, columns))
    rows = [tuple(map(cell, row)) for row in values]
    digest = hashlib.sha256(repr(names).encode())
    for row in rows:
        digest.update(repr(row).encode())
    items = (Row(number, dict(zip(names, row, strict=True))) for number, row in enumerate(rows, start=1))
    return Records("table", names, sound(items), digest.hexdigest())


def _first(rejected: Sequence[Rejected]) -> str:
    if not rejected:
        return " below its column names"
    return (
        f": all {len(rejected)} were rejected, the first, on line {rejected[0].line}, because it {rejected[0].reason}"
    )


def _whole_numbers(labels: list[str], column: str, warnings: list[str]) -> list[str]:
    """Undo what a missing value does to whole-number labels in a DataFrame: 1 becomes 1.0."""
    if not all(re.fullmatch(r"-?\d+\.0", label) for label in set(labels)):
        return labels
    written = sorted(set(labels))
    listed = ", ".join(written[:5]) + (", ..." if len(written) > 5 else "")
    warnings.append(f"the labels of column {shown(column)} are written {listed}: they are read without the '.0'.")
    return [label.removesuffix(".0") for label in labels]


def _check_labels(name: str, column: str, labels: list[str], warnings: list[str]) -> None:
    counts = Counter(labels)
    if len(counts) == 1:
        raise DataError(
            f"all {len(labels)} rows of {name} have the label {shown(labels[0])}; at least two classes are needed."
        )
    if len(labels) >= 20 and len(counts) > len(labels) / 2:
        raise DataError(
            f"column {shown(column)} of {name} has {len(counts)} different values in {len(labels)} rows: "
            "that is no class label. Say --label NAME."
        )
    for label, count in sorted(counts.items()):
        if count == 1:
            warnings.append(
                f"class {shown(label)} has one example: it goes to training, and no score can tell about it."
            )
    folded: dict[str, str] = {}
    for label in sorted(counts):
        other = folded.setdefault(label.casefold(), label)
        if other != label:
            warnings.append(
                f"labels {shown(other)} and {shown(label)} differ only in capitals: they count as two classes."
            )
