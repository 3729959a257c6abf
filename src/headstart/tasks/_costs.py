"""Which tasks have costs, and whether these are the costs of the labels of their rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from headstart.core import rooms
from headstart.core.contracts import Task, Value
from headstart.core.costs import Costs
from headstart.core.errors import UsageError, shown
from headstart.tasks.classification import Classification

NAMES = ("classification", "pairs")


def with_costs(task: Task, costs: Costs) -> Task:
    """Return a task of one label per row with costs.

    Raises:
        UsageError: it is another task.
    """
    if not isinstance(task, Classification) or rooms.name_of(type(task)) not in NAMES:
        raise UsageError(f"--costs is for the tasks {' and '.join(NAMES)}, with one label for each row; leave it out.")
    return replace(task, costs=costs)


def check_classes(task: Task, targets: Iterable[Value]) -> None:
    """Check that the costs are those of the labels of all rows.

    Raises:
        UsageError: a label has no costs, or costs are of a label that no row has.
    """
    if not isinstance(task, Classification) or not task.costs.values:
        return
    labels = set(targets)
    for name in sorted(labels - {*task.costs.classes}):
        raise UsageError(f"the file of costs lacks the label {shown(name)}; add a row and a column for it.")
    for name in sorted({*task.costs.classes} - labels):
        raise UsageError(f"the file of costs has the label {shown(name)}, which no row has; correct or remove it.")
