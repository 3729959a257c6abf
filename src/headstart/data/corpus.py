"""Texts without labels from files of any size, one document at a time."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headstart.core.errors import DataError
from headstart.core.records import Finding, ReadWarning, Rejected
from headstart.data import _columns
from headstart.data._encoding import open_text, survey, unpacked
from headstart.data._files import check_exists, records
from headstart.data._limits import CELL
from headstart.data._near import normalise
from headstart.data._spool import reread
from headstart.data._stream import beginning, peek
from headstart.data._texts import check_is_text, text_of, with_joined_words
from headstart.data._values import values


@dataclass(frozen=True)
class Corpus:
    """Documents that can be iterated any number of times.

    sha256: hash of the source of the documents and of how they are read.
    walk: returns all documents in order.
    """

    sha256: str
    walk: Callable[[], Iterator[str]]


def of_texts(texts: Sequence[str]) -> Corpus:
    """Use texts in memory as documents.

    >>> of_texts(["a", "b"]).sha256 == of_texts(["ab"]).sha256
    False
    """
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    return Corpus(digest.hexdigest(), lambda: iter(texts))


def of_files(
    paths: Sequence[str | Path],
    text: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
    *,
    trained_on: str = "",
    encoding: str | None = None,
) -> Corpus:
    """Use the documents of files, read lazily: memory holds one document, whatever the files' size.

    A row of CSV, TSV, JSON Lines or Parquet is a document. In a ``.txt`` a blank line ends a document; if there is no
    blank line among the first thousand lines, every line is one. All formats but Parquet may be compressed with gzip,
    bzip2, xz or zstd.

    Args:
        paths: the files.
        text: the column with the texts; None to detect it.
        tell: called during the first iteration with messages about unusable rows and uncertain encodings.
        trained_on: the text column of the training rows, which is read if it exists; '' if there are none.
        encoding: of text files; None to detect it.

    Raises:
        DataError: a file does not exist or cannot be read.
        UsageError: the column does not exist or cannot be detected, or a package is not installed.
    """
    digest = hashlib.sha256(repr((text, encoding) if encoding else text).encode())
    files = [reread(Path(path)) for path in paths]
    for path in files:
        check_exists(path)
        digest.update((_text_sha256(path, encoding) if _is_plain(path) else records(path, encoding).sha256).encode())

    reported: set[str] = set()

    def once(sentence: str) -> None:
        if sentence not in reported:
            reported.add(sentence)
            tell(sentence)

    def walk() -> Iterator[str]:
        for path in files:
            yield from (
                _plain(path, encoding, once) if _is_plain(path) else _table(path, text, trained_on, encoding, once)
            )

    return Corpus(digest.hexdigest(), walk)


def unlabelled(
    source: str | os.PathLike[str] | Sequence[str],
    test: Sequence[str],
    encoding: str | None = None,
    trained_on: str = "",
) -> tuple[tuple[str, ...], Finding]:
    """Read texts without labels, leaving out those that also occur in the test rows.

    Texts are compared ignoring case and white space.

    Args:
        source: a file as in :func:`of_files`, or texts.
        test: the texts of the test rows.
        encoding: of a file; None to detect it.
        trained_on: as for :func:`of_files`.

    Returns:
        the texts, and the audit's finding about those left out.

    >>> unlabelled(["A  fine film", "a poor film"], ["a fine film"])[0]
    ('a poor film',)
    """
    warnings: list[str] = []
    if isinstance(source, str | os.PathLike):
        documents = of_files([Path(source)], tell=warnings.append, trained_on=trained_on, encoding=encoding).walk()
    else:
        documents = filter(None, (text_of(value)[0] for value in values(source, "unlabelled texts")))
    hidden = set(map(normalise, test))
    total, used = 0, []
    for document in documents:
        total += 1
        if normalise(document) not in hidden:
            used.append(document)
    if not used:
        raise DataError("no unlabelled text is left: all of them also occur in the test rows; give others.")
    dropped = total - len(used)
    left_out = f"left out because they also occur in the test rows: {dropped:,}" if dropped else "none is a test row"
    sentence = f"{total:,} unlabelled texts were read; {left_out}."
    severity = "warning" if warnings else "note" if dropped else "fine"
    return tuple(used), Finding("unlabelled", severity, dropped, dropped / total, " ".join([sentence, *warnings]))


def _is_plain(path: Path) -> bool:
    return unpacked(path).suffix.lower() == ".txt"


def _text_sha256(path: Path, encoding: str | None) -> str:
    if not path.stat().st_size:
        raise DataError(f"{path.name} is empty; give a file with at least two documents.")
    return survey(path, encoding, rows=False).sha256


def _plain(path: Path, encoding: str | None, tell: Callable[[str], None]) -> Iterator[str]:
    seen = survey(path, encoding, rows=False)
    if seen.warning:
        tell(seen.warning)
    with open_text(path, seen.encoding) as file:
        # No line, and so no document, is larger than a cell of a table may be.
        lines = iter(partial(file.readline, CELL), "")
        sample = [line.strip() for line in beginning(lines, len)[0]]
        rest = itertools.chain(sample, (line.strip() for line in lines))
        yield from _paragraphs(rest) if "" in "\n".join(sample).strip().split("\n") else filter(None, rest)


def _paragraphs(lines: Iterator[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for line in lines:
        if held and (not line or size > CELL):
            yield "\n".join(held)
            held, size = [], 0
        if line:
            held.append(line)
            size += len(line)
    if held:
        yield "\n".join(held)


def _table(
    path: Path, text: str | None, trained_on: str, encoding: str | None, tell: Callable[[str], None]
) -> Iterator[str]:
    opened = records(path, encoding, [column for column in (text or trained_on,) if column])
    sample, items = peek(opened.items)
    column, doubts = _columns.choose_text(opened.name, opened.columns, sample, text, trained_on)
    for sentence in doubts:
        tell(f"{opened.name}: {sentence}")
    check_is_text(opened.name, column, sample)
    rejected = 0
    first: Rejected | None = None
    for item in with_joined_words(items, [column]):
        if isinstance(item, ReadWarning):
            tell(item.sentence)
        elif isinstance(item, Rejected):
            rejected, first = rejected + 1, first or item
        elif text := text_of(item.cells[column])[0]:
            yield text
    if first:
        tell(f"{opened.name}: {rejected:,} rows left out; the first, on line {first.line}, {first.reason}.")
