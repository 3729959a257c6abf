"""Tasks: how rows become tokens and targets, and scores become predictions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from headstart.core import rooms
from headstart.core.contracts import Task, Value
from headstart.core.errors import UsageError, shown


def load(name: str, options: Mapping[str, Value] | None = None) -> Task:
    """Build the task of that file name, see `rooms.load`."""
    task: Task = rooms.load("tasks", name, dict(options or {}))
    return task


def guess(columns: Callable[[], Collection[str]]) -> str:
    """Return the name of the task that rows are for.

    Args:
        columns: returns the names of the rows' columns; called only if there are several tasks to choose from.

    Raises:
        UsageError: no task, or more than one, has these columns.

    >>> guess(lambda: ("text", "label"))
    'classification'
    """
    names = rooms.names("tasks")
    if len(names) == 1:
        return names[0]
    given = tuple(columns())
    fitting = [name for name in names if set(load(name).columns) <= set(given)]
    if len(fitting) != 1:
        raise UsageError(
            f"the columns {shown(', '.join(given), most=200)[1:-1]} could be for the tasks "
            f"{', '.join(fitting or names)}: choose one with --task NAME."
        )
    return fitting[0]
