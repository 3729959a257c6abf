"""A file of costs: what it costs to predict a label (columns) where another is true (rows)."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from headstart.core.costs import Costs
from headstart.core.errors import DataError, shown
from headstart.data._files import check_exists


def read(file: str | Path) -> Costs:
    """Read a CSV file whose first line names the predicted labels, and the first cell of each other line a true one.

    Raises:
        DataError: there is no such file; it is no CSV file in UTF-8, or not square; a label is missing or there twice;
            a cost is not a number from 0 up; or all are 0.
    """
    path = Path(file)
    check_exists(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            table = [[cell.strip() for cell in line] for line in csv.reader(lines) if any(map(str.strip, line))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"'{path}' is not a CSV file in UTF-8 ({error}); save it as one.") from error
    classes = tuple(table[0][1:]) if table else ()
    if len(classes) < 2 or not all(classes) or len(set(classes)) < len(classes):
        raise DataError(f"the first line of '{path}' must be an empty cell and then two or more different labels.")
    rows: dict[str, list[str]] = {}
    for name, *cells in table[1:]:
        if name in rows:
            raise DataError(f"'{path}' has two rows for the label {shown(name)}; leave one.")
        rows[name] = cells
    if set(rows) != set(classes):
        other = sorted(set(rows) ^ set(classes))[0]
        raise DataError(
            f"'{path}' has the label {shown(other)} only among its {'rows' if other in rows else 'columns'}; it needs "
            "a row and a column for each label."
        )
    costs = tuple(
        _cost(path, true, predicted, cell)
        for true in classes
        for predicted, cell in zip(classes, _cells(path, true, rows[true], len(classes)), strict=True)
    )
    if not any(costs):
        raise DataError(f"all costs in '{path}' are 0, so that any label would do; give a number above 0.")
    return Costs(classes, costs)


def _cells(path: Path, name: str, cells: list[str], count: int) -> list[str]:
    if len(cells) != count:
        raise DataError(f"the row {shown(name)} of '{path}' has {len(cells)} costs for {count} labels.")
    return cells


def _cost(path: Path, true: str, predicted: str, cell: str) -> float:
    try:
        cost = float(cell)
    except ValueError:
        cost = math.nan
    if not 0 <= cost < math.inf:
        raise DataError(
            f"in '{path}' the cost of predicting {shown(predicted)} for {shown(true)} is {shown(cell)}, not a number "
            "from 0 up."
        )
    return cost
