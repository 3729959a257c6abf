"""Tasks: which columns a row has, how they become tokens and targets, and scores become predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from headstart.core import rooms
from headstart.core.contracts import Task, Value
from headstart.core.errors import UsageError, shown
from headstart.data import _columns
from headstart.data.roles import Given, Names, given_columns

if TYPE_CHECKING:
    from headstart.data.read import Look


def load(name: str, options: Mapping[str, Value] | None = None) -> Task:
    """Build the task of that file name, see `rooms.load`."""
    task: Task = rooms.load("tasks", name, dict(options or {}))
    return task


def guess(look: Callable[[], Look], given: Given | None = None) -> str:
    """Return the name of the task that rows are for: the one that reads most of their columns.

    Of tasks that would read the same columns, such as a text and a number, the one with a label for each row is taken,
    and of these the one without further rules, such as marks in the text.

    Args:
        look: returns the beginning of the rows; called only if there are several tasks to choose from.
        given: columns that a person named, see `data.roles.given_columns`; only tasks with these roles are chosen.

    Raises:
        UsageError: no task, or more than one, has these columns.

    >>> from headstart.data.read import Look
    >>> guess(lambda: Look(("text", "label")))
    'classification'
    """
    names = rooms.names("tasks")
    if len(names) == 1:
        return names[0]
    tasks = {name: load(name) for name in names}
    chosen: dict[str, Names] = {}
    errors: dict[str, UsageError] = {}
    for name, task in tasks.items():
        try:
            chosen[name] = given_columns(task.columns, given or {})
        except UsageError as error:
            errors[name] = error
    seen = look()
    unnamed: dict[str, Names] = {name: {} for name in names}
    # Without the named columns the task is found that says what is wrong with them.
    searches = ((choice, by_values) for choice in (chosen, unnamed) for by_values in (False, True))
    fitting: list[str] = next(filter(None, (_fitting(tasks, seen, *search) for search in searches)), [])
    if not fitting and not chosen:  # the task that has most of the named roles says it
        known = {name: sum(column.role in (given or {}) for column in task.columns) for name, task in tasks.items()}
        raise errors[max(known, key=lambda name: known[name])]
    if len(fitting) != 1:
        raise UsageError(
            f"the columns {shown(', '.join(seen.columns), most=200)[1:-1]} could be for the tasks "
            f"{', '.join(fitting or names)}: choose one with --task NAME."
        )
    return fitting[0]


def _specialises(task: Task, other: Task, alike: bool) -> bool:
    """Return whether a task is another one with further rules for the same columns, which only a person can know of."""
    return alike and type(task) is not type(other) and isinstance(task, type(other))


def _fitting(tasks: Mapping[str, Task], look: Look, given: Mapping[str, Names], by_values: bool) -> list[str]:
    """Return the tasks that read columns of a table that no other task reads, by names or also by values.

    Args:
        tasks: name -> task.
        look: the beginning of the rows.
        given: name of a task that may be chosen -> the columns that a person named.
        by_values: whether columns are also recognised by their values.
    """
    read: dict[str, frozenset[str]] = {}
    for name, named in given.items():
        task = tasks[name]
        if not look.named:
            required = sum(column.required for column in task.columns)
            columns = frozenset(look.columns) if required == len(look.columns) else None
        else:
            columns = _columns.filled(task.columns, look.columns, look.sample if by_values else None, named)
        if columns is not None:
            read[name] = columns
    most = [name for name in read if not any(read[name] < other for other in read.values())]
    most = [
        name
        for name in most
        if not any(_specialises(tasks[name], tasks[other], read[name] == read[other]) for other in most)
    ]
    labelled = {read[name] for name in most if tasks[name].kind == "label"}
    return [name for name in most if tasks[name].kind == "label" or read[name] not in labelled]
