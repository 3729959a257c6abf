"""Read the rows of a task from a file, the hub, a DataFrame or sequences into a :class:`~headstart.core.records.Table`.

Nothing is dropped silently: every row that cannot be used is listed with its line and the reason.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from headstart.core import memory
from headstart.core.contracts import Column, Task
from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.core.records import NO_VALUE, ReadWarning, Rejected, Rows, Table
from headstart.data import _columns, _hub, _labels, _targets, _texts, _values, tabular
from headstart.data._by_role import cells_by_role
from headstart.data._files import records
from headstart.data._stream import Records, Row, peek, sound
from headstart.data._times import time_of
from headstart.data.roles import Given, given_columns

MEMORY_STEP = 2**26  # characters of texts after which it is asked whether there is memory for more
MEMORY_LEFT = 2**29  # bytes


@dataclass(frozen=True)
class Look:
    """The beginning of a table, by which it is judged what it is for.

    columns: names of its columns; of sequences without names, their places.
    sample: its first rows.
    named: whether the columns have names.
    """

    columns: tuple[str, ...]
    sample: Sequence[Mapping[str, object]] = ()
    named: bool = True


def read(
    source: Any,
    task: Task,
    columns: Given | None = None,
    *,
    group: str | int | None = None,
    time: str | int | None = None,
    by: str | int | None = None,
    by_optional: bool = False,
    labelled: bool = True,
    encoding: str | None = None,
    like: Table | None = None,
) -> Table:
    """Read the rows of a task, without targets unless `labelled`, with every unusable row listed and explained.

    Args:
        source: path of a CSV, TSV, JSON Lines, CoNLL, Parquet, Feather or Arrow file; an address
            ``hf://datasets/owner/name[@revision][/path/in/repo]``; a DataFrame of pandas, polars, pyarrow or another
            library that narwhals supports; or a tuple of sequences, one for each column of the task, in its order.
        task: says which columns there are, and how the cells of a row become its input and target; columns that it
            reads beside the text must exist.
        columns: role -> name of the column; others are detected by name, and texts and labels also by their values.
        group: name of the column with what a row belongs to, such as a person; None for none.
        time: name of the column with the time of a row; None for none.
        by: name of the column by whose values scores are also given; None for none.
        by_optional: whether the column `by` may be missing, since the rows are not those that are scored.
        labelled: whether targets are read; without them `targets` is empty.
        encoding: of a text file, such as 'utf-8' or 'cp1252'; None to detect it.
        like: the table of the training rows, whose columns are read if they exist, and whose names of labels are used:
            1.0 is the '1' of the training rows.

    Returns:
        Rows with ids ``file:line`` (``row:1``, ... if the source is not a file).

    Raises:
        UsageError: an unknown column, role, encoding or kind of source, an ambiguous column, or a missing extra.
        DataError: the file does not exist, is not a table, or has no usable row; or, for labels, fewer than two
            classes, or a row with several labels.

    >>> from headstart import tasks
    >>> table = read((["good", "", "bad"], [1.0, 1.0, 0.0]), tasks.load("classification"))
    >>> table.rows.targets, table.rejected
    (('1', '0'), (Rejected(line=2, reason='has no text'),))
    """
    roles = [role for role in task.columns if labelled or not role.target]
    sequences = _sequences(source, task.columns, roles)
    given = {role.role: (role.role,) for role in sequences} if sequences else given_columns(task.columns, columns or {})
    # A DataFrame's names may be numbers.
    group, time, by = (None if column is None else str(column) for column in (group, time, by))
    known = {**(like.columns if like else {}), **given}
    named = [column for names in known.values() for column in names]
    needed = None if by_optional else by
    beside = task.tabular.names
    opened, prefix = _open(source, sequences, encoding, [*named, *filter(None, (group, time, needed)), *beside])
    if like is not None:
        group, time = (column if column in opened.columns else None for column in (like.group_column, like.time_column))
    for column, flag in ((group, "--group"), (time, "--time"), (needed, "--by")):
        if column is not None and column not in opened.columns:
            raise UsageError(
                f"{opened.name} has no column {shown(column)} ({flag}); {did_you_mean(column, opened.columns)}"
            )
    by = by if by in opened.columns else None
    tabular.check(opened.name, opened.columns, beside, tabular.used(given, group, time))
    others = {group, time, by} - {column for names in given.values() for column in names}
    sample, items = peek(opened.items)
    labels = () if like is None else _targets.known(task.kind, like.rows.targets)
    free = [column for column in opened.columns if column not in others]
    choose = partial(
        _columns.choose,
        opened.name,
        sample=sample,
        roles=roles,
        given=given,
        trained=None if like is None else _columns.Trained(like.columns, set(labels)),
    )
    try:
        chosen, warnings = choose(columns=free)
    except (DataError, UsageError):
        if not beside:
            raise
        chosen, warnings = choose(columns=[column for column in free if column not in beside])  # then it may be clear
    tabular.check(opened.name, opened.columns, beside, tabular.used(chosen))
    prose = [chosen[role.role][0] for role in roles if role.form == "text" and role.role in chosen]
    for column in prose:
        _texts.check_is_text(opened.name, column, sample)
    by_role = cells_by_role(chosen, opened.file.classes if opened.file else {})
    fault = _targets.fault(task.kind) if labelled else None
    ids, inputs, targets, groups, times, subsets = [], [], [], [], [], []
    rejected: list[Rejected] = []
    held = 0
    for item in _texts.with_joined_words(items, prose):
        if isinstance(item, ReadWarning):
            warnings.append(item.sentence)
            continue
        if isinstance(item, Rejected):
            rejected.append(item)
            continue
        moment, reason = 0.0, ""
        try:
            value, target = task.read(by_role(item.cells))
            value = tabular.with_columns(task, value, item.cells)
        except _labels.SeveralLabels as several:
            raise _targets.several(several, f"{prefix}:{item.line}") from None
        except DataError as error:
            reason = error.args[0]
        if fault and not reason:
            reason = fault(target)
        if time and not reason:
            moment, reason = time_of(item.cells[time])
        if reason:
            rejected.append(Rejected(item.line, reason))
            continue
        held += sum(map(len, task.texts(value)))
        if held > MEMORY_STEP:
            _check_memory(opened.name, item.line)
            held = 0
        ids.append(f"{prefix}:{item.line}")
        inputs.append(value)
        targets.append(target)
        times.append(moment)
        if group:
            # A row that names no group is one of its own.
            groups.append(_values.cell(item.cells[group]).strip() or f"{prefix}:{item.line}")
        if by:
            subsets.append(_subset(item.cells[by]))
    rejected.sort(key=lambda row: row.line)
    if not ids:
        raise DataError(f"{opened.name} has no usable row{_first(rejected)}.")
    target_column = next((", ".join(chosen[role.role]) for role in roles if role.target and role.role in chosen), "")
    if target_column:
        line = int(ids[-1].rpartition(":")[2])
        last = line, " ".join(task.texts(inputs[-1]))
        ends = not rejected or rejected[-1].line <= line
        was_read = _targets.Read(opened.name, target_column, targets, last, ends, labels, training=like is None)
        targets, doubts = _targets.settled(task.kind, was_read)
        warnings += doubts
    alone = sum(name == own for name, own in zip(groups, ids, strict=False))
    if alone:
        warnings.append(f"{alone:,} rows have nothing in column {shown(group)}: each is a group of its own.")
    rows = Rows(
        tuple(ids),
        tuple(inputs),
        tuple(targets) if target_column else (),
        tuple(groups),
        tuple(times) if time else (),
        tuple(subsets),
    )
    return Table(opened.name, rows, chosen, opened.sha256, tuple(rejected), tuple(warnings), group, time)


def _subset(value: object) -> str:
    """Return the value by which a row is scored; 1.0 is the same as 1, since a column with gaps may be read as floats.

    >>> _subset(" en "), _subset(1.0), _subset(None)
    ('en', '1', '(none)')
    """
    value = _values.plain(value)
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return sys.intern(_values.cell(whole).strip()) or NO_VALUE  # many rows share a value


def look(source: Any, encoding: str | None = None) -> Look:
    """Read the beginning of what :func:`read` reads.

    Raises:
        DataError, UsageError: as for :func:`read`.

    >>> look((["good", "bad"], [1, 0])).columns
    ('1', '2')
    """
    if isinstance(source, tuple | list):
        return Look(tuple(str(place) for place in range(1, len(source) + 1)), named=False)
    opened, _ = _open(source, (), encoding, ())
    return Look(opened.columns, peek(opened.items)[0])


def _sequences(source: object, columns: Sequence[Column], wanted: Sequence[Column]) -> Sequence[Column]:
    """Return the columns that a tuple of sequences holds: all, the required or the wanted ones; () for others."""
    if not isinstance(source, tuple | list):
        return ()
    choices = (columns, [column for column in columns if column.required], wanted)
    held = next((choice for choice in choices if len(choice) == len(source)), ())
    if (
        held
        and isinstance(source, list)
        and all(isinstance(row, list | tuple) and len(row) == len(held) for row in source)
    ):
        number = "two pairs" if len(held) == 2 else f"{len(held)} sequences"
        rows = "two" if len(held) == 2 else str(len(held))
        raise UsageError(f"a list of {number} may be {rows} rows, or {rows} columns: give a tuple ({_plurals(held)}).")
    return held


def _plurals(roles: Sequence[Column]) -> str:
    return ", ".join(_plural(role.role) for role in roles)


def _plural(role: str) -> str:
    return role if role.endswith("s") else f"{role}s"


def _open(source: Any, sequences: Sequence[Column], encoding: str | None, named: Sequence[str]) -> tuple[Records, str]:
    """Open any source as records, together with the prefix of its row ids."""
    if isinstance(source, str) and source.startswith(_hub.PREFIX):
        source = _hub.fetch(source)
    if isinstance(source, str | os.PathLike):
        opened = records(Path(source), encoding, named)
        return opened, opened.name
    if sequences:
        names = [role.role for role in sequences]
        columns = [_values.values(part, _plural(role)) for part, role in zip(source, names, strict=True)]
        for role, column in zip(names, columns, strict=True):
            if len(column) != len(columns[0]):
                raise UsageError(
                    f"{len(columns[0])} {_plural(names[0])} but {len(column)} {_plural(role)}: give one {role} for "
                    f"each {names[0]}."
                )
        return _in_memory(names, zip(*columns, strict=True)), "row"
    return _frame(source), "row"


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
