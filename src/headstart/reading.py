"""Read rows for a task that is named, or guessed from the columns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from headstart import tasks
from headstart.core.contracts import Task
from headstart.core.records import Table
from headstart.data import costs as cost_files
from headstart.data import read as data
from headstart.data.roles import Given
from headstart.data.tabular import Named, listed, reading
from headstart.tasks._costs import with_costs
from headstart.tasks._requested import with_metric


def read(
    source: Any,
    *,
    task: str | None = None,
    text: str | int | None = None,
    label: str | int | None = None,
    columns: Given | None = None,
    group: str | int | None = None,
    time: str | int | None = None,
    labelled: bool = True,
    encoding: str | None = None,
    like: Table | None = None,
) -> Table:
    """Read the rows of a task, with every unusable row listed and explained.

    Args:
        source: see `data.read.read`, also for the arguments from `group` on.
        task: name of the task; None to guess it from the columns.
        text: name of the text column; None to detect it.
        label: name of the label column; None to detect it.
        columns: names of other columns, such as ``{"question": "query"}``; see ``headstart list`` and the task.
        group: name of the column with what a row belongs to; None for none.
        time: name of the column with the time of a row; None for none.
        labelled: whether targets are read.
        encoding: of a text file; None to detect it.
        like: the table of the training rows.

    Raises:
        UsageError, DataError: as for `data.read.read` and :func:`guess`.

    >>> read((["good", "", "bad"], [1.0, 1.0, 0.0])).rows.targets
    ('1', '0')
    """
    rules = tasks.load(task or guess(source, encoding, named(text, label, columns)))
    return data.read(
        source,
        rules,
        named(text, label, columns),
        group=group,
        time=time,
        labelled=labelled,
        encoding=encoding,
        like=like,
    )


def guess(source: Any, encoding: str | None, given: Given | None = None, beside: Named = None) -> str:
    """Return the name of the task that rows are for.

    Args:
        source: see `data.read.read`.
        encoding: see `data.read.read`.
        given: columns that a person named.
        beside: columns that are read beside the text, and so are of no role.

    Raises:
        UsageError: as for `tasks.guess`.
    """
    if isinstance(source, Table):
        return tasks.guess(lambda: data.Look(tuple(source.columns)))
    if beside is None:
        return tasks.guess(lambda: _look(source, encoding), given)
    apart = set(listed(beside))

    def look() -> data.Look:
        seen = _look(source, encoding)
        return replace(seen, columns=tuple(column for column in seen.columns if column not in apart))

    return tasks.guess(look, given)


def task(name: str, beside: Named = None, costs: str | Path | None = None, metric: str | None = None) -> Task:
    """Return the task of a name, not fitted.

    Args:
        name: its name.
        beside: columns that are read beside the text.
        costs: a file of costs, see `data.costs`; None for none.
        metric: the score that decides, which some tasks compute on request alone; None for the default.

    Raises:
        UsageError: no such task, or costs and it is not one that has them.
        DataError: as for `data.costs.read`.
    """
    rules = with_metric(reading(tasks.load(name), beside), metric)
    return rules if costs is None else with_costs(rules, cost_files.read(costs))


def _look(source: Any, encoding: str | None) -> data.Look:
    """Read the beginning of a source; of a file once, since arguments are checked before a call guesses the task."""
    if isinstance(source, str | os.PathLike) and Path(source).is_file():
        status = os.stat(source)
        return _look_at(os.fspath(source), (status.st_mtime_ns, status.st_size), encoding)
    return data.look(source, encoding)


@lru_cache(maxsize=1)
def _look_at(path: str, changed: tuple[int, int], encoding: str | None) -> data.Look:
    return data.look(path, encoding)


def named(
    text: str | int | None, label: str | int | None, columns: Given | None
) -> dict[str, str | int | Sequence[str | int]]:
    """Return the named columns of all roles.

    >>> named("review", None, {"question": "query"})
    {'text': 'review', 'question': 'query'}
    """
    short = {role: column for role, column in (("text", text), ("label", label)) if column is not None}
    return {**short, **(columns or {})}
