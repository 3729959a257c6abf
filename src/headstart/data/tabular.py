"""Read columns beside the text, and check what they hold before anything is trained."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from headstart.core import tabular
from headstart.core.contracts import Task, Value
from headstart.core.errors import DataError, UsageError, did_you_mean, shown
from headstart.core.records import Finding, Rows, Splits
from headstart.core.tabular import COLUMNS, TEXT, Tabular, TabularColumn
from headstart.data._values import cell as text_of
from headstart.data._values import missing, plain
from headstart.data.roles import Names, option

FLAG = "--columns"
NAMED = 5  # categories listed in a sentence
# A column from which at least this share of the held-out targets follows is suspected to be made from them.
LEAK = 0.99
CORRELATION = 0.999
LEAST_ROWS = 20  # from which a suspicion follows

Named = str | Sequence[str | int] | None


def listed(names: Named) -> tuple[str, ...]:
    """Return the names of columns, from a sequence or a comma-separated text; none for None.

    Raises:
        UsageError: no name is given.

    >>> listed("price, country"), listed(["price", 3]), listed(None)
    (('price', 'country'), ('price', '3'), ())
    """
    if names is None:
        return ()
    parts = [part.strip() for part in names.split(",")] if isinstance(names, str) else list(map(str, names))
    if not any(parts):
        raise UsageError(f"{FLAG} names no column; write it as in {FLAG} price,country.")
    return tuple(filter(None, parts))


def reading(task: Task, names: Named) -> Task:
    """Return a task that reads columns beside the text.

    Args:
        task: the task, not fitted.
        names: of the columns; None for the task itself.

    Raises:
        UsageError: a task of another kind, or no name.
    """
    if names is None:
        return task
    if task.kind not in tabular.KINDS:
        raise UsageError(
            f"{FLAG} is for tasks whose answers are a label, several labels or a number for a whole text; the answers "
            f"of this one are of the kind '{task.kind}'."
        )
    return replace(task, tabular=Tabular.of(listed(names)))


def check(name: str, columns: Sequence[str], wanted: Sequence[str], roles: Mapping[str, str]) -> None:
    """Check that a table has the columns that are read beside the text, and that they are not read as something else.

    Args:
        name: of the table.
        columns: all its columns.
        wanted: those that are read beside the text.
        roles: column -> what else it is read as, such as 'label'.

    Raises:
        UsageError: it has not, or they are.
    """
    for column in wanted:
        if column not in columns:
            hint = "; to name the column of a role, use --column ROLE=NAME" if "=" in column else ""
            known = did_you_mean(column, columns)
            raise UsageError(f"{name} has no column {shown(column)} ({FLAG}){hint}; {known}")
        if column in roles:
            raise UsageError(
                f"column {shown(column)} is read as the {roles[column]}, and {FLAG} names others; if another column is "
                f"the {roles[column]}, name it with {_option(roles[column])}."
            )


def _option(role: str) -> str:
    return f"--{role} NAME" if role in ("group", "time") else option(role, "NAME")


def used(chosen: Names, group: str | None = None, time: str | None = None) -> dict[str, str]:
    """Return what columns are read as: column -> role, 'group' or 'time'."""
    found = {column: role for role, names in chosen.items() for column in names}
    return found | {column: what for column, what in ((group, "group"), (time, "time")) if column is not None}


def with_columns(task: Task, value: Value, cells: Mapping[str, object]) -> Value:
    """Add the columns that a task reads beside the text to an input; without such columns it is unchanged.

    Args:
        task: the task.
        value: what it read of the row.
        cells: of the row, by column.
    """
    if not task.tabular.columns:
        return value
    return {TEXT: value, COLUMNS: {name: _cell(cells[name]) for name in task.tabular.names}}


def _cell(value: object) -> tabular.Cell:
    value = plain(value)
    if missing(value):
        return None
    return tabular.cell_of(text_of(value) if isinstance(value, bytes | dict) else value)


def findings(splits: Splits, task: Task) -> list[Finding]:
    """Say how each column is read, and what is doubtful about it; nothing without such columns.

    Args:
        splits: the split of the data.
        task: not fitted.

    Raises:
        DataError: a column has its own value in nearly every training row.
    """
    if not task.tabular.columns:
        return []
    fitted = task.tabular.fitted(splits.train.inputs)
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    cells = {
        column.name: {name: [fitted.cells(value)[column.name] for value in part.inputs] for name, part in parts.items()}
        for column in fitted.columns
    }
    return [
        _described(fitted.columns, cells),
        *(finding for column in fitted.columns for finding in _about(column, cells[column.name], parts, task)),
    ]


def _described(columns: Sequence[TabularColumn], cells: Mapping[str, Mapping[str, list[tabular.Cell]]]) -> Finding:
    def form(column: TabularColumn) -> str:
        train = cells[column.name]["train"]
        absent = sum(cell is None for cell in train)
        what = "numbers" if column.form == "number" else f"{len(_counted(train)):,} categories"
        gaps = f", {absent:,} of {len(train):,} training rows without one" if absent else ""
        return f"{shown(column.name)} ({what}{gaps})"

    sentence = f"Columns read beside the text: {', '.join(map(form, columns))}."
    return Finding("columns", "note", 0, 0.0, sentence)


def _about(
    column: TabularColumn, cells: Mapping[str, list[tabular.Cell]], parts: Mapping[str, Rows], task: Task
) -> list[Finding]:
    """Return the doubts about one column."""
    name, train = f"Column {shown(column.name)}", cells["train"]
    counts = _counted(train)
    filled = sum(cell is not None for cell in train)
    if column.form == "category" and len(counts) > tabular.MOST_CATEGORIES and 2 * len(counts) > filled:
        raise DataError(
            f"column {shown(column.name)} has {len(counts):,} different values in {filled:,} training rows "
            f"({FLAG}): as categories nearly all are new in other rows; leave it out, or let --text read it."
        )
    found = []
    if len(counts) < 2 and not (counts and column.gaps):
        what = "the same value" if counts else "no value"
        sentence = f"{name} has {what} in all training rows: nothing can be learnt from it."
        found.append(Finding("constant-column", "warning", len(train), 1.0, sentence))
    if column.form == "category" and len(counts) > len(column.categories):
        rare = sum(counts[other] for other in counts.keys() - set(column.categories))
        sentence = (
            f"{name} has {len(counts):,} categories: the {tabular.MOST_CATEGORIES} most frequent are read, and the "
            f"others, in {rare:,} training rows, as none."
        )
        found.append(Finding("many-categories", "warning", rare, rare / len(train), sentence))
    for part, values in cells.items():
        reasons = Counter(reason for cell in values if (reason := column.doubt(cell)))
        if part == "train" and column.form == "category":
            reasons.clear()  # those beyond the most frequent, counted above
        for reason, count in reasons.items():
            sentence = f"{name}: {count:,} of {len(values):,} {part} rows {reason}."
            found.append(Finding("column-values", "warning", count, count / len(values), sentence))
    leak = _leak(column, cells, parts, task)
    if leak:
        found.append(Finding("column-leak", "warning", len(train), 1.0, f"{name} {leak}"))
    return found


def _leak(column: TabularColumn, cells: Mapping[str, list[tabular.Cell]], parts: Mapping[str, Rows], task: Task) -> str:
    """Return that the target follows from a column on rows held out, or ''."""
    held_out = [
        pair
        for part in ("validation", "test")
        for pair in zip(cells[part], parts[part].targets, strict=True)
        if pair[0] is not None
    ]
    if len(held_out) < LEAST_ROWS:
        return ""
    doubt = "is it known before the answer is, or made from it? Leave it out if it is not there when predicting."
    if task.kind == "number":
        import numpy as np

        pairs = [(value, target) for cell, target in held_out if (value := tabular.number(cell)) is not None]
        values = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        if len(values) < LEAST_ROWS or (np.ptp(values, axis=0) == 0).any():
            return ""
        correlation = float(np.asarray(np.corrcoef(values.T))[0, 1])
        if abs(correlation) < CORRELATION:
            return ""
        return f"has a correlation of {correlation:.4f} with the number that is predicted: {doubt}"
    answers: dict[tuple[str, ...], Counter[Value]] = defaultdict(Counter)
    for cell, target in zip(cells["train"], parts["train"].targets, strict=True):
        answers[tabular.categories(cell)][target] += 1
    usual = Counter(parts["train"].targets).most_common(1)[0][0]
    right = [
        known.most_common(1)[0][0] == target
        for cell, target in held_out
        if (known := answers.get(tabular.categories(cell)))
    ]
    always = sum(target == usual for _, target in held_out) / len(held_out)
    if len(right) < max(LEAST_ROWS, len(held_out) / 2) or sum(right) < LEAK * len(right) or always >= LEAK:
        return ""
    return f"alone gives the answer of {sum(right) / len(right):.1%} of the rows that are held out: {doubt}"


def _counted(cells: Collection[tabular.Cell]) -> Counter[str]:
    """Count the rows with each category."""
    return Counter(category for cell in cells for category in set(tabular.categories(cell)))
