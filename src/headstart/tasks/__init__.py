"""Tasks: which columns a row has, how they become tokens and targets, and scores become predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headstart.core import rooms
from headstart.core.contracts import Task, Value
from headstart.core.errors import UsageError, shown
from headstart.data import _columns
from headstart.data.read import Look


def load(name: str, options: Mapping[str, Value] | None = None) -> Task:
    """Build the task of that file name, see `rooms.load`."""
    task: Task = rooms.load("tasks", name, dict(options or {}))
    return task


def guess(look: Callable[[], Look]) -> str:
    """Return the name of the task that rows are for: the one that reads most of their columns.

    Of tasks that would read the same columns, such as a text and a number, the one with a label for each row is taken,
    and of these the one without further rules, such as marks in the text.

    Args:
        look: returns the beginning of the rows; called only if there are several tasks to choose from.

    Raises:
        UsageError: no task, or more than one, has these columns.

    >>> guess(lambda: Look(("text", "label")))
    'classification'
    """
    names = rooms.names("tasks")
    if len(names) == 1:
        return names[0]
    seen = look()
    tasks = {name: load(name) for name in names}
    fitting = _fitting(tasks, seen, by_values=False) or _fitting(tasks, seen, by_values=True)
    if len(fitting) != 1:
        raise UsageError(
            f"the columns {shown(', '.join(seen.columns), most=200)[1:-1]} could be for the tasks "
            f"{', '.join(fitting or names)}: choose one with --task NAME."
        )
    return fitting[0]


def _specialises(task: Task, other: Task, alike: bool) -> bool:
    """Return whether a task is another one with further rules for the same columns, which only a person can know of."""
    return alike and type(task) is not type(other) and isinstance(task, type(other))


def _fitting(tasks: Mapping[str, Task], look: Look, by_values: bool) -> list[str]:
    """Return the tasks that read columns of a table that no other task reads, by names or also by values."""
    read: dict[str, frozenset[str]] = {}
    for name, task in tasks.items():
        if not look.named:
            required = sum(column.required for column in task.columns)
            columns = frozenset(look.columns) if required == len(look.columns) else None
        else:
            columns = _columns.filled(task.columns, look.columns, look.sample if by_values else None)
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
