"""Read labelled texts from a file, the hub, a DataFrame or two lists into a :class:`~headstart.core.records.Table`.

Nothing is dropped silently: every row that cannot be used is listed with its line and the reason.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

from headstart.core import memory
from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.core.records import ReadWarning, Rejected, Rows, Table
from headstart.data import _columns, _hub, _labels, _texts, _values
from headstart.data._files import records
from headstart.data._stream import Records, Row, peek, sound
from headstart.data._times import time_of

MEMORY_STEP = 2**26  # characters of texts after which it is asked whether there is memory for more
MEMORY_LEFT = 2**29  # bytes
# How a row that sums up others begins, in the languages of spreadsheets, with at most a number behind it.
TOTAL = re.compile(
    r"((grand |sub)?totals?|sum|count|average|gesamt|summe|insgesamt|total général|total general|totale|totaal|suma"
    r"|razem|итого|всего|toplam|合计|总计|總計|合計|합계|총계|المجموع)[\s:：=]*[\d.,]*( rows| records)?[.:]?",
    re.IGNORECASE,
)
PAIR = ("text", "label")  # what the columns of a pair of sequences are called


def read(
    source: Any,
    *,
    text: str | int | None = None,
    label: str | int | None = None,
    group: str | int | None = None,
    time: str | int | None = None,
    labelled: bool = True,
    encoding: str | None = None,
    like: Table | None = None,
) -> Table:
    """Read a table of texts, and of labels where `labelled`, with every unusable row listed and explained.

    Args:
        source: path of a CSV, TSV, JSON Lines, Parquet, Feather or Arrow file; an address
            ``hf://datasets/owner/name[@revision][/path/in/repo]``; a DataFrame of pandas, polars, pyarrow or another
            library that narwhals supports; or a pair of sequences, texts and labels.
        text: name of the text column; by default detected by name, then by its values.
        label: name of the label column; by default detected by name, then by its values.
        group: name of the column with what a row belongs to, such as a person; None for none.
        time: name of the column with the time of a row; None for none.
        labelled: whether labels are read; without them `targets` is empty.
        encoding: of a text file, such as 'utf-8' or 'cp1252'; None to detect it.
        like: the table of the training rows, whose columns are read if they exist, and whose names of labels are used:
            1.0 is the '1' of the training rows.

    Returns:
        Rows with ids ``file:line`` (``row:1``, ... if the source is not a file) and labels as text.

    Raises:
        UsageError: an unknown column, encoding or kind of source, an ambiguous column, or a missing extra.
        DataError: the file does not exist, is not a table, or has no usable row or fewer than two classes.

    >>> table = read((["good", "", "bad"], [1.0, 1.0, 0.0]))
    >>> table.rows.targets, table.rejected
    (('1', '0'), (Rejected(line=2, reason='has no text'),))
    """
    text, label = PAIR if _is_pair(source) else (_name(text), _name(label))
    group, time = _name(group), _name(time)
    if text is not None and text == label:
        raise UsageError(f"the text and the label are both read from column {shown(text)}; name two columns.")
    known = (text, label) if like is None else (text or like.text_column, label or like.label_column)
    opened, prefix = _open(source, encoding, [column for column in (*known, group, time) if column])
    if like is not None:
        group, time = (column if column in opened.columns else None for column in (like.group_column, like.time_column))
    for column, option in ((group, "--group"), (time, "--time")):
        if column is not None and column not in opened.columns:
            raise UsageError(
                f"{opened.name} has no column {shown(column)} ({option}); {did_you_mean(column, opened.columns)}"
            )
    others = {group, time} - {text, label}
    sample, items = peek(opened.items)
    trained = None if like is None else _columns.Trained(like.text_column, like.label_column, set(like.rows.targets))
    text_column, label_column, warnings = _columns.choose(
        opened.name,
        [column for column in opened.columns if column not in others],
        sample,
        text,
        label,
        labelled,
        trained,
    )
    _texts.check_is_text(opened.name, text_column, sample)
    classes = opened.file.classes.get(label_column, ()) if opened.file and label_column else ()
    ids, texts, labels, groups, times = [], [], [], [], []
    rejected: list[Rejected] = []
    held = 0
    for item in _texts.with_joined_words(items, text_column):
        if isinstance(item, ReadWarning):
            warnings.append(item.sentence)
            continue
        if isinstance(item, Rejected):
            rejected.append(item)
            continue
        text_value, reason = _texts.text_of(item.cells[text_column])
        name = ""
        if label_column and not reason:
            try:
                name, reason = _labels.label_of(item.cells[label_column], classes)
            except _labels.SeveralLabels as several:
                raise _several(several, f"{prefix}:{item.line}") from None
        moment = 0.0
        if time and not reason:
            moment, reason = time_of(item.cells[time])
        if reason:
            rejected.append(Rejected(item.line, reason))
            continue
        held += len(text_value)
        if held > MEMORY_STEP:
            _check_memory(opened.name, item.line)
            held = 0
        ids.append(f"{prefix}:{item.line}")
        texts.append(text_value)
        labels.append(name)
        times.append(moment)
        if group:
            # A row that names no group is one of its own.
            groups.append(_values.cell(item.cells[group]).strip() or f"{prefix}:{item.line}")
    rejected.sort(key=lambda row: row.line)
    if not ids:
        raise DataError(f"{opened.name} has no usable row{_first(rejected)}.")
    if label_column:
        warnings += _total(opened.name, rejected, ids, texts, labels)
        labels = _named(opened.name, label_column, labels, like, warnings)
    alone = sum(name == own for name, own in zip(groups, ids, strict=False))
    if alone:
        warnings.append(f"{alone:,} rows have nothing in column {shown(group)}: each is a group of its own.")
    rows = Rows(
        tuple(ids),
        tuple(texts),
        tuple(labels) if label_column else (),
        tuple(groups),
        tuple(times) if time else (),
    )
    return Table(
        opened.name,
        rows,
        text_column,
        label_column,
        opened.sha256,
        tuple(rejected),
        tuple(warnings),
        group,
        time,
    )


def columns(source: Any, encoding: str | None = None) -> tuple[str, ...]:
    """List the columns of what :func:`read` reads.

    Raises:
        DataError, UsageError: as :func:`read`.

    >>> columns((["good", "bad"], [1, 0]))
    ('text', 'label')
    """
    return _open(source, encoding, ())[0].columns


def _name(column: str | int | None) -> str | None:
    """Return the name of a column as text: a DataFrame may have numbers as names."""
    return None if column is None else str(column)


def _several(labels: _labels.SeveralLabels, where: str) -> DataError:
    return DataError(
        f"{where} has several labels ({labels}): texts with several labels are for the task 'multilabel', which is "
        "not available yet; give one label for each row."
    )


def _named(name: str, column: str, labels: list[str], like: Table | None, warnings: list[str]) -> list[str]:
    """Name the classes, and add warnings about uncertain ones."""
    try:
        labels = _labels.without_brackets(labels)
    except _labels.SeveralLabels as several:
        raise _several(several, name) from None
    if like is None:
        labels, renamed = _labels.named_alike(labels, column)
        _check_labels(name, column, labels, warnings)
        known: tuple[str, ...] = ()
    else:
        known = tuple(sorted(set(like.rows.targets)))
        labels, renamed = _labels.named_like(labels, column, known)
    warnings += [*renamed, *_labels.doubts(labels, known)]
    return labels


def _open(source: Any, encoding: str | None, named: Sequence[str]) -> tuple[Records, str]:
    """Open any source as records, together with the prefix of its row ids."""
    if isinstance(source, str) and source.startswith(_hub.PREFIX):
        source = _hub.fetch(source)
    if isinstance(source, str | os.PathLike):
        opened = records(Path(source), encoding, named)
        return opened, opened.name
    if _is_pair(source):
        if isinstance(source, list) and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in source):
            raise UsageError(
                "a list of two pairs may be two rows, or two texts and their labels: give a tuple (texts, labels)."
            )
        texts, labels = _values.values(source[0], "texts"), _values.values(source[1], "labels")
        if len(texts) != len(labels):
            raise UsageError(f"{len(texts)} texts but {len(labels)} labels: give one label for each text.")
        return _in_memory(PAIR, zip(texts, labels, strict=True)), "row"
    return _frame(source), "row"


def _is_pair(source: object) -> bool:
    return isinstance(source, tuple | list) and len(source) == 2


def _frame(source: Any) -> Records:
    import narwhals

    unreadable = UsageError(
        f"cannot read data from {type(source).__name__}: give a path, a DataFrame, or a tuple (texts, labels)."
    )
    try:
        frame = narwhals.from_native(source)
    except TypeError:
        raise unreadable from None
    except narwhals.exceptions.DuplicateError as error:
        reason = " ".join(str(error).split())
        raise DataError(f"the DataFrame has two columns of one name ({reason}); rename one.") from None
    if isinstance(frame, narwhals.LazyFrame):
        frame = frame.collect()
    if not isinstance(frame, narwhals.DataFrame):
        raise unreadable
    if not frame.columns:
        raise DataError("the DataFrame has no columns; it should have a text and a label.")
    if any(isinstance(name, tuple) for name in frame.columns):
        raise DataError(
            "the DataFrame has column names of more than one level; flatten them, as in "
            "frame.columns = ['text', 'label']."
        )
    return _in_memory(frame.columns, frame.iter_rows())


def _in_memory(columns: Sequence[Hashable], values: Iterable[Sequence[object]]) -> Records:
    names = tuple(map(str, columns))
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"the DataFrame has two columns named '{twice}', one by a number and one by text; rename one.")
    rows = [tuple(map(_values.plain, row)) for row in values]
    digest = hashlib.sha256(repr(names).encode())
    for row in rows:
        digest.update(repr(tuple(map(_values.cell, row))).encode())
    items = (Row(number, dict(zip(names, row, strict=True))) for number, row in enumerate(rows, start=1))
    return Records("table", names, sound(items), digest.hexdigest())


def _total(name: str, rejected: list[Rejected], ids: list[str], texts: list[str], labels: list[str]) -> list[str]:
    """Warn where the last row looks like one that sums up the others."""
    line = int(ids[-1].rpartition(":")[2])
    if (rejected and rejected[-1].line > line) or not TOTAL.fullmatch(texts[-1].strip()):
        return []
    if labels.count(labels[-1]) > 1:
        return []
    return [
        f"line {line} of {name}, {shown(texts[-1])} with the label {shown(labels[-1])}, looks like a total below the "
        "table, but counts as a row: delete it if it is one."
    ]


def _check_memory(name: str, line: int) -> None:
    if memory.available() < MEMORY_LEFT:
        raise DataError(
            f"the rows of {name} up to line {line} fill the memory: take fewer of them, or a machine with more."
        )


def _first(rejected: Sequence[Rejected]) -> str:
    if not rejected:
        return " below its column names"
    return (
        f": all {len(rejected)} were rejected, the first, on line {rejected[0].line}, because it {rejected[0].reason}"
    )


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
                f"class {shown(label)} has one example: it is used for training, and no score can measure it."
            )
