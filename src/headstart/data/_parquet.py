"""Parquet, read a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headstart.core.errors import DataError, UsageError
from headstart.data._stream import PEEK, Item, Row
from headstart.data._values import cell


def open_parquet(path: Path) -> tuple[list[str], Iterator[Item]]:
    """Return the columns of a Parquet file and its rows, read a thousand at a time.

    Raises:
        DataError: the file is damaged.
        UsageError: pyarrow is not installed.
    """
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
    return file.schema_arrow.names, _rows(file, path.name, damage)


def _rows(file: Any, name: str, damage: tuple[type[Exception], ...]) -> Iterator[Item]:
    number = 0
    try:
        for batch in file.iter_batches(batch_size=PEEK):
            for row in batch.to_pylist():
                number += 1
                yield Row(number, {column: cell(value) for column, value in row.items()})
    except damage as error:
        raise DataError(f"{name} is damaged Parquet after row {number} ({error}).") from error
