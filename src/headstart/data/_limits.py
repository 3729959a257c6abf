"""How much is read of a file: every limit, and what is said where one is passed."""

from __future__ import annotations

from collections.abc import Sized

from headstart.core.errors import DataError

PEEK = 1000  # items by which a table is judged before the rest is read
SAMPLE = 2**25  # characters of these items, where they are long
CELL = 10 * 2**20  # characters that a cell may hold
LINE = 2**25  # characters of a line of CSV and its relatives
DOCUMENT = 2**28  # bytes without a line end: of JSON that is one document
COLUMNS = 16_384
NESTING = 100  # levels of JSON
BATCH = 2**26  # bytes of rows of Parquet that are held at once
DICTIONARY = 2**28  # bytes that rows of a dictionary-encoded column may take at once
# An archive over so many bytes and so many times its size is no text; text shrinks to a twentieth at best.
UNPACKED, RATIO = 2**30, 200
PIPE = 2**34  # bytes of a pipe, which are copied to the disk
WRITER_SECONDS = 10.0  # until a pipe must have a writer


def check_columns(name: str, columns: Sized) -> None:
    """Refuse a table that is wider than any table of texts.

    Raises:
        DataError: too many columns.
    """
    if len(columns) > COLUMNS:
        raise DataError(
            f"{name} has {len(columns):,} columns, of which at most {COLUMNS:,} are read: keep the text and the label."
        )


def check_unbroken(name: str, count: int) -> None:
    """Refuse bytes without any line end.

    Args:
        count: of bytes since the last line end.

    Raises:
        DataError: too many.
    """
    if count > DOCUMENT:
        raise DataError(
            f"{name} has a line of over {DOCUMENT // 2**20} MB: write a row on each line, as CSV or JSON Lines."
        )


def check_ratio(name: str, unpacked: int, packed: int) -> None:
    """Refuse an archive that unpacks to far more than texts do.

    Raises:
        DataError: `unpacked` bytes are too many for `packed` ones.
    """
    if unpacked > UNPACKED and unpacked > RATIO * packed:
        raise DataError(
            f"{name} unpacks to over {RATIO} times its {packed:,} bytes, which no text does: check where it is from."
        )
