"""The encoding of a text file: from its first bytes, UTF-8, or guessed with a warning."""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import io
import lzma
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from headstart.core.errors import DataError, UsageError, shown
from headstart.data import _zstd
from headstart.data._letters import best
from headstart.data._limits import check_ratio, check_unbroken

CHUNK = 1 << 20
NUL = 0.2  # share of bytes that are zero, from which on a file is no text
UTF7 = re.compile(rb"\+([A-Za-z0-9+/]{3,})(-|(?![A-Za-z0-9+/=@-]))")
BEFORE = 20  # characters of an example before the letter in question
SAMPLE = 1 << 14  # bytes by whose letters an encoding is judged
PACKED = (".gz", ".bz2", ".xz", ".zst")
# Magic numbers of compressed files, which are recognised whatever their names.
PACKINGS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark is a prefix of this one
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Escape bytes that switch to another alphabet, in encodings that use only ASCII bytes.
ESCAPES = {b"\x1b$B": "iso2022_jp", b"\x1b$@": "iso2022_jp", b"\x1b$)C": "iso2022_kr"}
# Magic numbers of files that are often mistaken for a table, and what to do about each.
NO_TABLES = {
    b"pk\x03\x04": "an Excel workbook or a zip archive: save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save the sheet as CSV",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it first",
    b"%pdf": "a PDF document: export its table as CSV",
    b"<!doctype html": "an HTML page: download the data itself",
    b"<html": "an HTML page: download the data itself",
    b"sqlite format 3": "an SQLite database: export the table as CSV",
    b"<?xml": "an XML document: save its rows as CSV or JSON Lines",
    b"{\\rtf": "a document of rich text: save it as plain text",
    b"@relation": "a Weka file (ARFF): save it as CSV",
    b"\x93numpy": "a NumPy array: save it as CSV or Parquet",
    b"orc\n": "an ORC file: save it as Parquet",
    b"version https://git-lfs": "a pointer to a file that Git LFS has not fetched: run git lfs pull",
}


@dataclass(frozen=True)
class Survey:
    """The result of one pass over a text file: its encoding, its hash, and a warning or ''."""

    encoding: str
    sha256: str
    warning: str = ""


def survey(path: Path, encoding: str | None = None, *, rows: bool = True) -> Survey:
    """Find the encoding and the SHA-256 of a text file, in constant memory.

    The encoding is UTF-8 if most of the non-ASCII bytes are valid UTF-8, so that a few damaged rows do not garble a
    whole file; those rows are rejected one by one. Any other encoding is guessed, with a warning.

    Args:
        encoding: what the caller says it is, which is believed; None to find out.
        rows: whether lines are rows, and so of bearable length.

    Raises:
        UsageError: no encoding of that name.
        DataError: the file is empty, a workbook, an archive, a web page or other binary data, in no known encoding, or
            beyond the limits of `_limits`.
    """
    damage: tuple[type[Exception], ...] = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError)
    if _packing(path) == ".zst":
        damage = (*damage, _zstd.package(path).ZstdError)
    elif _packing(path) == ".bz2":
        damage = (*damage, OSError)
    try:
        with open_bytes(path) as file:
            head = file.read(4096)
        marked = next((name for mark, name in MARKS.items() if head.startswith(mark)), "")
        detected = marked or _unmarked(head)
        _check_kind(path.name, head)
        if not detected and not encoding and head.count(0) > NUL * len(head):
            raise _binary(path.name)
        utf8, sha256 = _read_through(path, rows)
    except damage as error:
        raise DataError(f"{path.name} is a damaged archive ({error}); fetch or pack it again.") from error
    if encoding:
        return Survey(_checked_name(encoding, marked), sha256)
    encoding = detected
    if not encoding and not utf8 and _controls(head) > 0.05:
        raise _binary(path.name)
    sample = b"" if encoding or utf8 else _foreign(path)
    encoding = encoding or ("utf-8" if utf8 else _guess(path.name, sample))
    if marked or encoding == "utf-8":
        doubt = _encoded_twice(path.name, head.decode(encoding, "ignore"))
        return Survey(encoding, sha256, doubt or (_utf7(path.name, head) if encoding == "utf-8" else ""))
    text = (sample or head[: len(head) // 4 * 4]).decode(encoding, "replace").strip()
    line = text.splitlines()[0] if text else ""
    doubt = (
        f"{path.name} is not UTF-8; it was read as {encoding}, such as {shown(line)}. If that is wrong, name the "
        "encoding with --encoding NAME."
    )
    return Survey(encoding, sha256, doubt)


def _encoded_twice(name: str, text: str) -> str:
    """Return a warning if whole lines are UTF-8 that was once decoded as cp1252 and saved again, otherwise ''."""
    for line in text.splitlines():
        try:
            meant = line.encode("cp1252").decode()
        except UnicodeError:
            continue
        if meant != line:
            first = next(place for place, letter in enumerate(meant) if letter != line[place])
            start = max(0, first - BEFORE)
            return (
                f"{name} looks as if its UTF-8 was once read as cp1252 and saved again: it holds {shown(line[start:])} "
                f"where {shown(meant[start:])} may be meant. Export it again as UTF-8."
            )
    return ""


def _utf7(name: str, head: bytes) -> str:
    """Warn where what is ASCII makes letters if read as UTF-7; '' where it does not."""
    decoded = {match[0]: _letters_in_utf7(match[0]) for match in UTF7.finditer(head)} if head.isascii() else {}
    closed = sum(code.endswith(b"-") for code in decoded)
    if not decoded or not all(decoded.values()) or (closed < 2 and len(decoded) < 5):
        return ""
    code = next(iter(decoded))
    return (
        f"{name} looks like UTF-7: {shown(code.decode())} in it would be {shown(decoded[code])}. "
        "If so, say --encoding utf-7."
    )


def _letters_in_utf7(code: bytes) -> str:
    """Decode a passage of UTF-7; '' where that makes anything but letters and signs beyond ASCII."""
    try:
        text = code.decode("utf-7")
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() and any(map(str.isalpha, text)) and not any(map(str.isascii, text)) else ""


def _checked_name(encoding: str, marked: str) -> str:
    """Check an encoding named by the caller; UTF-8 handles a byte order mark if the file has one."""
    try:
        name = codecs.lookup(encoding).name
        # Refuses codecs that are not text encodings, such as 'hex', and those that stop at the first bad byte.
        b"text".decode(name, "surrogateescape")
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError):
        raise UsageError(
            f"no encoding {shown(encoding)}; give a name such as utf-8, utf-16, cp1252, cp1251, gb18030 or shift_jis."
        ) from None
    return "utf-8-sig" if (name, marked) == ("utf-8", "utf-8-sig") else name


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a text with its line ends unchanged; undecodable bytes become lone surrogates, checked for in rows.

    Raises:
        DataError: bytes that cannot be decoded further in a multi-byte encoding.
    """
    errors = "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    try:
        with io.TextIOWrapper(open_bytes(path), encoding, errors, newline="") as file:
            yield file
    except UnicodeError as error:
        reason = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
        raise DataError(f"{path.name} is damaged: it stops being {encoding} ({reason}).") from error


def open_bytes(path: Path) -> BinaryIO:
    """Open a file for reading; one compressed with gzip, bzip2, xz or zstd is decompressed on the fly.

    Raises:
        UsageError: compressed with zstd, and no package that reads it is installed.
    """
    packing = _packing(path)
    if packing == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if packing == ".bz2":
        return cast(BinaryIO, bz2.open(path, "rb"))
    if packing == ".xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    if packing == ".zst":
        return _zstd.open_zstd(path)
    return path.open("rb")


def unpacked(path: Path) -> Path:
    """Remove the suffix of a compressed file: the rest of the name shows the format of its content.

    >>> unpacked(Path("news.jsonl.gz")).name, unpacked(Path("news.csv")).name
    ('news.jsonl', 'news.csv')
    """
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def _packing(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(6)
    return next((packing for mark, packing in PACKINGS.items() if head.startswith(mark)), "")


def _check_kind(name: str, head: bytes) -> None:
    start = head.removeprefix(codecs.BOM_UTF8).strip()
    for mark, kind in NO_TABLES.items():
        if start.lower().startswith(mark):
            raise DataError(f"{name} is no table but {kind}.")


def _binary(name: str) -> DataError:
    return DataError(f"{name} is no table but binary data; give CSV, TSV, JSON Lines or Parquet.")


def _read_through(path: Path, rows: bool) -> tuple[bool, str]:
    """Tell whether all of a file is valid UTF-8, and its SHA-256.

    Raises:
        DataError: the file is empty, far larger than its archive, or, where lines are rows, has one that is too long.
    """
    digest, decoder, valid = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")(), True
    packed = path.stat().st_size if _packing(path) else sys.maxsize
    size = unbroken = 0
    filled = False
    with open_bytes(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            check_ratio(path.name, size, packed)
            filled = filled or bool(chunk.removeprefix(codecs.BOM_UTF8).strip())
            if rows:
                unbroken = after_line_end(chunk, unbroken)
                check_unbroken(path.name, unbroken)
            if valid:
                try:
                    decoder.decode(chunk, final=len(chunk) < CHUNK)
                except UnicodeDecodeError:
                    valid = False
    if not filled:
        raise DataError(f"{path.name} is empty; it should hold a line of column names and a row for each text.")
    return valid, digest.hexdigest()


def after_line_end(chunk: bytes, before: int) -> int:
    """Count the bytes since the last line end.

    Args:
        before: that number before this chunk.
    """
    end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
    return before + len(chunk) if end < 0 else len(chunk) - 1 - end


def _unmarked(head: bytes) -> str:
    """Detect encodings by other bytes than letters: ISO-2022, and UTF-16 without a byte order mark.

    In most scripts every second byte of a comma or a letter is zero in UTF-16; in the others, line ends show it.
    """
    for escape, encoding in ESCAPES.items():
        if escape in head:
            return encoding
    whole = head[: len(head) // 4 * 4]
    if whole:
        planes = [whole[place::4] for place in range(4)]  # of UTF-32 the highest byte is zero, the next at most 16
        if not any(planes[3]) and max(planes[2]) <= 0x10 and any(planes[0]):
            return "utf-32-le"
        if not any(planes[0]) and max(planes[1]) <= 0x10 and any(planes[3]):
            return "utf-32-be"
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > len(head) * 0.2 and min(even, odd) * 20 < max(even, odd):
        return "utf-16-be" if even > odd else "utf-16-le"
    for encoding in ("utf-16-le", "utf-16-be"):
        text = head.decode(encoding, "ignore")
        if "\n" in text and all(letter.isprintable() or letter in "\t\r\n\u3000" for letter in text):
            return encoding
    return ""


def _controls(head: bytes) -> float:
    return sum(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head) / len(head)


def _foreign(path: Path) -> bytes:
    """Return the first lines with non-ASCII bytes."""
    sample = bytearray()
    with open_bytes(path) as file:
        while len(sample) < SAMPLE and (line := file.readline(SAMPLE)):
            if not line.isascii():
                sample += line
    return bytes(sample)


def _guess(name: str, sample: bytes) -> str:
    """Guess the encoding of a file that is not entirely UTF-8 from its lines with non-ASCII bytes."""
    text = sample.decode("utf-8", "surrogateescape")
    damaged = sum("\udc80" <= letter <= "\udcff" for letter in text)
    if sum(not letter.isascii() for letter in text) > 2 * damaged:
        return "utf-8"
    if not (encoding := best(sample)):
        raise DataError(f"the encoding of {name} is not known; use --encoding NAME, or save the file as UTF-8.")
    return encoding
