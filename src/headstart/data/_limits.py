"""How much of a file is read: all limits, and the messages when one is exceeded."""

from __future__ import annotations

from collections.abc import Sized

from headstart.core.errors import DataError

PEEK = 1000  # items from which the layout is inferred before the rest is read
SAMPLE = 2**25  # characters of these items, if they are long
CELL = 10 * 2**20  # characters in a cell
LINE = 2**25  # characters in a line of CSV and similar formats
DOCUMENT = 2**28  # bytes without a line end: of JSON that is one document
COLUMNS = 16_384
NESTING = 100  # levels of JSON
BATCH = 2**26  # bytes of Parquet rows in memory at once
DICTIONARY = 2**28  # bytes that rows of a dictionary-encoded column may take at once
# An archive that unpacks to more bytes than this, and so many times its size, is not text, which shrinks to a twentieth
# at best.
UNPACKED, RATIO = 2**30, 200
PIPE = 2**34  # bytes of a pipe, which are copied to disk
WRITER_SECONDS = 10.0  # until a pipe must have a writer


def check_columns(name: str, columns: Sized) -> None:
    """Refuse a table with more columns than any table of texts has.

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
        name: of the file, for messages.
        count: of bytes since the last line end.

    Raises:
        DataError: too many.
    """
    if count > DOCUMENT:
        raise DataError(
            f"{name} has a line of over {DOCUMENT // 2**20} MB: write a row on each line, as CSV or JSON Lines."
        )


def check_ratio(name: str, unpacked: int, packed: int) -> None:
    """Refuse an archive that unpacks to far more than text would.

    Raises:
        DataError: `unpacked` bytes are too many for `packed` ones.
    """
    if unpacked > UNPACKED and unpacked > RATIO * packed:
        raise DataError(
            f"{name} unpacks to over {RATIO} times its {packed:,} bytes, which no text does: check where it is from."
        )
