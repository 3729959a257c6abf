"""Write tables row by row in constant memory: CSV, TSV, JSON Lines or Parquet, atomically."""

from __future__ import annotations

import csv
import itertools
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TextIO

from headstart.core.contracts import Task, Value
from headstart.core.errors import DataError, UsageError, shown, visible
from headstart.core.files import replacing
from headstart.core.records import ReadWarning, Rejected
from headstart.core.terminal import LINE_ENDS, visible_json
from headstart.data import _arrow, _columns, tabular
from headstart.data._by_role import cells_by_role
from headstart.data._encoding import unpacked
from headstart.data._files import records
from headstart.data._spool import reread
from headstart.data._stream import Item, Records, Row, peek
from headstart.data._texts import check_is_text, with_joined_words
from headstart.data._values import cell, missing
from headstart.data.roles import Given, given_columns, trained_columns

Rows = Iterable[Sequence[object]]
Write = Callable[[Rows], None]


class _Writable(Protocol):
    def write(self, text: str, /) -> object: ...


SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
# Rows in memory at once: enough for a model to sort by length, and few enough for any machine. Long texts end a chunk
# earlier.
CHUNK = 2048
# The same where answers are written: these take longer, and the first should not have to wait for thousands of others.
WRITTEN = 256
CHARACTERS = 16_000_000


def extend(
    source: Path,
    out: Path | None,
    names: Sequence[str],
    answer: Callable[[list[Value]], Iterable[Sequence[Value]]],
    *,
    task: Task,
    columns: Given | None = None,
    texts: int = 1,
    encoding: str | None = None,
    report: Callable[[Rejected | ReadWarning], None],
) -> int:
    """Copy a file of any size with columns added that depend on its inputs; return the number of rows written.

    Rows keep their order, and cells their type if the format has it: Parquet keeps those of Parquet, Feather and Arrow
    files, and infers those of JSON Lines. A row without an input is copied with nothing in the new columns; a row that
    cannot be read cannot be copied. `report` is called with both kinds, and with every warning about how the file was
    read.

    Args:
        source: the file to read.
        out: the file to write; the format is chosen by :func:`suffix_for`.
        names: of the new columns. One that already exists is renamed.
        answer: inputs -> the new cells of each.
        task: says how cells become an input, and which columns the training rows had.
        columns: role -> name of the column; others are those of the training rows, or detected.
        texts: how many of the new columns hold text; those after them hold numbers.
        encoding: of a text file; None to detect it.
        report: called with rejected rows and warnings.

    Raises:
        DataError: as for :func:`headstart.data._files.records` and :func:`table`.
        UsageError: as for :func:`headstart.data._files.records` and :func:`suffix_for`.
    """
    source = reread(source)
    roles = [role for role in task.columns if not role.target]
    given, trained = given_columns(roles, columns or {}), trained_columns(task)
    named = [column for names in {**trained, **given}.values() for column in names]
    beside = task.tabular.names
    opened = records(source, encoding, [*named, *beside])
    _check_there(opened, beside)
    suffix = suffix_for(source, out)
    sample, items = peek(opened.items)
    chosen, doubts = _columns.choose(
        opened.name,
        [column for column in opened.columns if column not in beside],
        sample,
        roles,
        given,
        _columns.Trained(trained) if trained else None,
    )
    for sentence in doubts:
        report(ReadWarning(sentence))
    prose = [chosen[role.role][0] for role in roles if role.form == "text" and role.role in chosen]
    for column in prose:
        check_is_text(opened.name, column, sample)
    by_role = cells_by_role(chosen, opened.file.classes if opened.file else {})
    nothing = (None,) * len(names)
    written = 0
    again = partial(records, source, encoding)
    with _sink(opened, again, out, suffix, unused(names, opened.columns), texts) as put:
        for chunk in _chunks(with_joined_words(items, prose), WRITTEN if task.generates else CHUNK):
            rows = [item for item in chunk if isinstance(item, Row)]
            checked = [_input(task, by_role(row.cells), row.cells) for row in rows]
            inputs = [value for value, reason in checked if not reason]
            answers = iter(answer(inputs) if inputs else ())
            put(rows, [nothing if reason else next(answers) for _, reason in checked])
            written += len(rows)
            reasons = iter(reason for _, reason in checked)
            for item in chunk:
                if not isinstance(item, Row):
                    report(item)
                elif reason := next(reasons):
                    report(Rejected(item.line, f"{reason}: it gets no {names[0]}"))
    return written


def _check_there(opened: Records, beside: Sequence[str]) -> None:
    """Check that a file has the columns that a model reads beside the text.

    Raises:
        UsageError: it has not.
    """
    lacking = [column for column in beside if column not in opened.columns]
    if lacking:
        raise UsageError(
            f"{opened.name} has no column {', '.join(map(shown, lacking))}, which the model reads beside the text; add "
            "it, with empty cells where its value is not known."
        )


def _input(task: Task, roles: Mapping[str, Value], cells: Mapping[str, object]) -> tuple[Value, str]:
    """Return the input of a row and '', or None and why it has none."""
    try:
        return tabular.with_columns(task, task.read(roles)[0], cells), ""
    except DataError as error:
        return None, str(error.args[0])


def _chunks(items: Iterable[Item], most: int) -> Iterator[list[Item]]:
    """Split items into lists of at most so many items, and about `CHARACTERS` characters."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        chunk.append(item)
        size += sum(len(cell(value)) for value in item.cells.values()) if isinstance(item, Row) else 0
        if len(chunk) == most or size > CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def unused(names: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Rename columns that already exist: 'label' becomes 'predicted', others get a number.

    >>> unused(["label", "p(yes)"], ["text", "label", "p(yes)"])
    ['predicted', 'p(yes) 2']
    """
    chosen: list[str] = []
    for name in names:
        first = "predicted" if name == "label" and name in taken else name
        choices = itertools.chain([first], (f"{first} {number}" for number in itertools.count(2)))
        chosen.append(next(choice for choice in choices if choice not in (*taken, *chosen)))
    return chosen


def suffix_for(source: Path, out: Path | None) -> str:
    """Choose the format of a table made from `source`: that of the name of `out`, otherwise that of the source.

    Parquet is never written to standard output, and a source of unknown format becomes CSV.

    Raises:
        UsageError: the suffix of `out` is not a format.

    >>> suffix_for(Path("texts.jsonl.gz"), None), suffix_for(Path("texts.parquet"), None)
    ('.jsonl', '.csv')
    """
    if out is not None and out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"cannot tell the format of {shown(out)}; let its name end in {', '.join(SUFFIXES)}.")
    suffix = _format(out or unpacked(source))
    return suffix if suffix in SUFFIXES and not (suffix == ".parquet" and out is None) else ".csv"


def _format(path: Path) -> str:
    suffix = path.suffix.lower()
    return {".ndjson": ".jsonl", ".json": ".jsonl", ".tab": ".tsv"}.get(suffix, suffix)


@contextmanager
def _sink(
    opened: Records, again: Callable[[], Records], out: Path | None, suffix: str, added: Sequence[str], texts: int
) -> Iterator[_arrow.Put]:
    """Open a table for the rows of another one with columns added; yields a function that adds rows.

    Raises:
        DiskError: the file cannot be written.
        UsageError: Parquet, and pyarrow is not installed.
    """
    if out is not None and suffix == ".parquet":
        with _whole(out) as part, _arrow.extended(part, opened, again, added, texts) as put:
            yield put
        return
    with table(out, suffix, [*opened.columns, *added]) as write:
        yield lambda rows, answers: write(
            (*row.cells.values(), *answer) for row, answer in zip(rows, answers, strict=True)
        )


@contextmanager
def table(out: Path | None, suffix: str, columns: Sequence[str]) -> Iterator[Write]:
    """Open a text table for writing; yields a function that adds rows, one value per column.

    The file is written atomically when the block ends without error.

    Args:
        out: the file; None for standard output.
        suffix: the format: '.csv', '.tsv' or '.jsonl'. JSON preserves numbers, booleans, lists and objects; missing
            values become null there, and an empty cell in the others.
        columns: names of the columns.

    Raises:
        DiskError: the file cannot be written.
    """
    if out is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="")  # type: ignore[union-attr]  # a TextIOWrapper here
        write = _text(_Terminal(sys.stdout, suffix) if sys.stdout.isatty() else sys.stdout, suffix, columns)

        def write_through(rows: Rows) -> None:
            write(rows)
            sys.stdout.flush()  # or whoever reads the rows would wait for more of them

        yield write_through
        sys.stdout.flush()
        return
    with _whole(out) as part, part.open("w", encoding="utf-8", newline="") as file:
        yield _text(file, suffix, columns)


@dataclass(frozen=True)
class _Terminal:
    """A terminal, for which control characters are escaped."""

    stream: TextIO
    suffix: str

    def write(self, text: str) -> int:
        return self.stream.write(visible_json(text) if self.suffix == ".jsonl" else visible(text, LINE_ENDS))


@contextmanager
def _whole(out: Path) -> Iterator[Path]:
    """Yield a path next to `out` for a file that is renamed to it when the block ends without an error."""
    with replacing(out, f"{os.getpid()}.part", instead="name another place with --out") as part:
        yield part


def _text(file: _Writable, suffix: str, columns: Sequence[str]) -> Write:
    if suffix == ".jsonl":

        def write_lines(rows: Rows) -> None:
            for row in rows:
                file.write(_line(dict(zip(columns, row, strict=True))))

        return write_lines
    writer = csv.writer(file, delimiter="\t" if suffix == ".tsv" else ",", lineterminator="\n")
    writer.writerow(columns)
    return lambda rows: writer.writerows(map(cell, row) for row in rows)


def _line(row: Mapping[str, object]) -> str:
    """Write a row as JSON; NaN becomes null, and values that JSON lacks become text: other types, infinity."""
    try:
        return json.dumps(row, ensure_ascii=False, allow_nan=False, default=cell) + "\n"
    except ValueError:
        return json.dumps(_nothing_missing(row), ensure_ascii=False, default=cell) + "\n"


def _nothing_missing(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _nothing_missing(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_nothing_missing(inner) for inner in value]
    if missing(value):
        return None
    return cell(value) if isinstance(value, float) and math.isinf(value) else value
