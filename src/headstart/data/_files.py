"""Files of rows of any size, read one row at a time: CSV, TSV, JSON Lines, CoNLL, Parquet, Feather and Arrow."""

from __future__ import annotations

import hashlib
import itertools
import re
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from headstart.core.errors import DataError, did_you_mean, shown
from headstart.core.records import ReadWarning
from headstart.data import _arrow
from headstart.data._conll import SUFFIXES as CONLL
from headstart.data._conll import is_conll, open_conll
from headstart.data._encoding import open_bytes, open_text, survey, unpacked
from headstart.data._json import open_json
from headstart.data._layout import open_separated
from headstart.data._limits import LINE, check_columns
from headstart.data._spool import reread
from headstart.data._stream import Item, Records, fault, sound

JSON = (".jsonl", ".ndjson", ".json")
OBJECT = re.compile(r"""\s*(\[\s*)?\{\s*("[^"]*"|'[^']*')\s*:""")  # the beginning of JSON, whatever the file's name
ADDRESS = re.compile(r"[a-z][a-z0-9]+:/")
FIRST_LINES = 200  # by which a file with a word on each line is recognised
SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


def records(path: str | Path, encoding: str | None = None, named: Sequence[str] = ()) -> Records:
    """Open a CSV, TSV, JSON Lines, CoNLL, Parquet, Feather or Arrow file of any size; rows are read lazily.

    Cells have the types of the file. Rows that cannot be read are returned as `Rejected`.

    Args:
        path: the file.
        encoding: of text files; None to detect it.
        named: columns that the caller named.

    Raises:
        DataError: the file does not exist, is empty or is not a table.
        UsageError: an unknown encoding; a Parquet, Feather or Arrow file, and pyarrow is not installed.
    """
    path = reread(Path(path))
    check_exists(path)
    with path.open("rb") as raw:
        head = raw.read(8)
    if _arrow.kind(head):
        file, items = _arrow.open_arrow(path, head)
        with path.open("rb") as raw:
            return _checked(path.name, file.schema.names, items, hashlib.file_digest(raw, "sha256").hexdigest(), file)
    seen = survey(path, encoding)
    suffix = unpacked(path).suffix.lower()
    if suffix in JSON or _begins_with_object(path, seen.encoding):
        columns, items = open_json(path.name, partial(_decoded, path, seen.encoding))
    else:
        lines = _lines(path, seen.encoding)
        sample = list(itertools.islice(lines, FIRST_LINES))
        everything = itertools.chain(sample, lines)
        if suffix in CONLL or is_conll(sample):
            columns, items = open_conll(everything)
        else:
            columns, items = open_separated(path.name, suffix, everything, named)
    doubts = [ReadWarning(seen.warning)] if seen.warning else []
    return _checked(path.name, columns, itertools.chain(doubts, items), seen.sha256)


def _begins_with_object(path: Path, encoding: str) -> bool:
    with open_bytes(path) as file:
        return OBJECT.match(file.read(4096).decode(encoding, "ignore")) is not None


def _checked(
    name: str, columns: Sequence[str], items: Iterator[Item], sha256: str, file: _arrow.ArrowFile | None = None
) -> Records:
    if not columns:
        raise DataError(f"{name} has no columns; it should have a text and a label.")
    check_columns(name, columns)
    reason = next(filter(None, map(fault, columns)), "")
    if reason:
        raise DataError(f"{name} does not begin with column names: a name {reason}.")
    twice = next((column for column, count in Counter(columns).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{name} has two columns named {shown(twice)}; rename one.")
    return Records(name, tuple(columns), sound(items), sha256, file)


def check_exists(path: Path) -> None:
    """Raise an error if a path is neither a file nor a pipe, which :func:`headstart.data._spool.reread` copies."""
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:  # a name that is too long
        raise DataError(f"no file {shown(path)} ({error.strerror}); give a path, not the text itself.") from None
    if is_folder:
        raise DataError(f"{path} is a folder; name one file in it.")
    if not exists:
        if address := ADDRESS.match(str(path)):
            raise DataError(f"{address[0]}/... is an address, which is not fetched: download the file and name that.")
        folder = path.parent
        if not folder.is_dir():
            raise DataError(f"no file {path}, and no folder {folder} either.")
        tables = [file.name for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
        raise DataError(f"no file {path.name} in {folder.resolve()}; {did_you_mean(path.name, tables)}")
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
        raise DataError(f"{path} is a device or a socket, not a file: write what it gives to a file and name that.")


def _decoded(path: Path, encoding: str) -> Iterator[str]:
    with open_text(path, encoding) as file:
        yield from file


def _lines(path: Path, encoding: str) -> Iterator[str]:
    """Give the lines of a table, none of which takes unbearably long to split."""
    for number, line in enumerate(_decoded(path, encoding), start=1):
        if len(line) > LINE:
            raise DataError(
                f"line {number} of {path.name} has over {LINE // 2**20} million characters: give each row a line."
            )
        yield line
