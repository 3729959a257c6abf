"""The cells of a row by what they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from headstart.data.roles import Names


def cells_by_role(
    columns: Names, classes: Mapping[str, Sequence[str]]
) -> Callable[[Mapping[str, object]], dict[str, object]]:
    """Return a function that turns the cells of a row by column into its cells by role, as `Task.read` gets them.

    The numbers of classes become their names if the file has these.

    Args:
        columns: role -> columns.
        classes: column -> names of its classes, by number.
    """
    roles = [(role, names[0]) for role, names in columns.items() if len(names) == 1]
    wide = {role: names for role, names in columns.items() if len(names) > 1}
    coded = [(role, classes[column]) for role, column in roles if column in classes]

    def by_role(cells: Mapping[str, object]) -> dict[str, object]:
        row = {role: cells[column] for role, column in roles}
        for role, names in wide.items():
            row[role] = {column: cells[column] for column in names}
        for role, classes_of_role in coded:
            row[role] = _class_names(row[role], classes_of_role)
        return row

    return by_role


def _class_names(value: object, classes: Sequence[str]) -> object:
    """Return the name of a class number, or the names of a list of them; a negative number is no class."""
    if isinstance(value, list | tuple):
        return [_class_names(inner, classes) for inner in value]
    if isinstance(value, int) and not isinstance(value, bool) and value < len(classes):
        return classes[value] if value >= 0 else None
    return value
