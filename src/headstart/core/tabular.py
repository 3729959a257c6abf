"""Columns beside the text, such as a price or a country: numbers and categories, as features or as words.

An input with such columns is an object: ``{"text": what the task reads, "columns": {"price": 3.5, "country": "DE"}}``.
What is known of a column (its mean, its categories) comes from the training rows alone, see :meth:`Tabular.fitted`.

Shapes: N rows, T features of all columns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from headstart.core.errors import UsageError, shown
from headstart.core.rooms import Signed
from headstart.core.sequences import Encoded

if TYPE_CHECKING:
    import numpy as np

    from headstart.core.contracts import Kind, Value

# How a contender reads the columns: as features beside the text, as words before it, not at all, or without the text.
Way = Literal["beside", "words", "none", "alone"]
Form = Literal["number", "category"]
# A cell as it is in an input: nothing, a number, a category, or several categories.
Cell: TypeAlias = "float | str | list[str] | None"

KINDS: frozenset[Kind] = frozenset({"label", "labels", "number"})  # of tasks that score whole inputs
# How a contender's leaderboard name says that it reads them otherwise than beside the text, after a colon or a hyphen.
NAMES: Mapping[str, Way] = {"text": "none", "columns": "alone", "words": "words"}
TEXT, COLUMNS = "text", "columns"  # keys of an input
NUMBERS = 0.9  # share of numbers among the values of a column of numbers
MOST_CATEGORIES = 100
LARGEST = 1e100  # of numbers, so that the sum of their squares is finite
MOST_DEVIATIONS = 10.0  # from the mean; a single misplaced point must not outweigh the text
ZERO = Signed(0.0)


@dataclass(frozen=True)
class TabularColumn:
    """A column, and what is known of it from the training rows.

    name: as in the table.
    form: whether its cells are numbers or categories.
    mean: of the numbers.
    scale: their standard deviation; 1 if they are all equal.
    categories: the most frequent ones, sorted; empty for numbers.
    gaps: whether a training row has no value, which then is a feature of its own.
    """

    name: str
    form: Form = "category"
    mean: Signed = ZERO
    scale: float = 1.0
    categories: tuple[str, ...] = ()
    gaps: bool = False

    @property
    def width(self) -> int:
        """Number of features."""
        return (1 if self.form == "number" else len(self.categories)) + self.gaps

    def fitted(self, cells: Sequence[Cell]) -> TabularColumn:
        """Return the column with what the cells of the training rows say of it.

        It is a column of numbers if at least nine in ten of its values are; the others then count as missing.
        """
        import numpy as np

        numbers = np.array([value for cell in cells if (value := number(cell)) is not None], dtype=np.float64)
        filled = sum(cell is not None for cell in cells)
        if filled and len(numbers) >= NUMBERS * filled:
            scale = float(numbers.std())
            mean = Signed(float(numbers.mean()))
            return TabularColumn(self.name, "number", mean, scale or 1.0, gaps=len(numbers) < len(cells))
        counts = Counter(category for cell in cells for category in set(categories(cell)))
        frequent = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_CATEGORIES]
        return TabularColumn(self.name, "category", categories=tuple(sorted(frequent)), gaps=filled < len(cells))

    def features(self, cells: Sequence[Cell]) -> np.ndarray:
        """Turn cells into float32 ``(N, width)``.

        A number becomes its distance from the mean in standard deviations, at most `MOST_DEVIATIONS`; a category 1
        among zeros. A category that no training row has, a missing number and one that is none are zeros.
        """
        import numpy as np

        out = np.zeros((len(cells), self.width), dtype=np.float32)
        if self.form == "number":
            values = [number(cell) for cell in cells]
            filled = [row for row, value in enumerate(values) if value is not None]
            with np.errstate(over="ignore"):  # infinitely many deviations are cut to the most
                distances = (np.array([values[row] for row in filled], dtype=np.float64) - self.mean) / self.scale
            out[filled, 0] = np.clip(distances, -MOST_DEVIATIONS, MOST_DEVIATIONS)
            missing = [row for row, value in enumerate(values) if value is None]
        else:
            places = {name: place for place, name in enumerate(self.categories)}
            for row, cell in enumerate(cells):
                for category in categories(cell):
                    if category in places:
                        out[row, places[category]] = 1.0
            missing = [row for row, cell in enumerate(cells) if cell is None]
        if self.gaps:
            out[missing, -1] = 1.0
        return out

    def doubt(self, cell: Cell) -> str:
        """Return why a cell cannot be read as those of the training rows were, or ''."""
        if cell is None:
            return "" if self.gaps else "have no value, which no training row lacks"
        if self.form == "number":
            return "have something else than a number, which is read as no value" if number(cell) is None else ""
        unknown = not set(categories(cell)) <= set(self.categories)
        return "have a category that training does not know, which is read as none" if unknown else ""


@dataclass(frozen=True)
class Tabular:
    """The columns that a task reads beside its text, and how.

    columns: empty for none.
    way: see `Way`.
    """

    columns: tuple[TabularColumn, ...] = ()
    way: Way = "beside"

    @staticmethod
    def of(names: Iterable[str]) -> Tabular:
        """Return the columns of these names, not fitted.

        >>> Tabular.of(["price"]).names
        ('price',)
        """
        return Tabular(tuple(TabularColumn(name) for name in dict.fromkeys(names)))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @property
    def width(self) -> int:
        """Number of features that a model reads beside the text."""
        return sum(column.width for column in self.columns) if self.way in ("beside", "alone") else 0

    def fitted(self, inputs: Sequence[Value]) -> Tabular:
        """Return the columns with what the inputs of the training rows say of them.

        >>> rows = [{"text": "a", "columns": {"price": price}} for price in (1.0, 3.0, None)]
        >>> Tabular.of(["price"]).fitted(rows).features(rows).tolist()
        [[-1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        """
        rows = [self.cells(value) for value in inputs]
        return replace(self, columns=tuple(each.fitted([row[each.name] for row in rows]) for each in self.columns))

    def features(self, inputs: Sequence[Value]) -> np.ndarray:
        """Turn the columns of inputs into float32 ``(N, T)``."""
        import numpy as np

        rows = [self.cells(value) for value in inputs]
        parts = [column.features([row[column.name] for row in rows]) for column in self.columns]
        return np.hstack(parts) if parts else np.zeros((len(inputs), 0), dtype=np.float32)

    def beside(self, encoded: Encoded, inputs: Sequence[Value]) -> Encoded:
        """Add the features of inputs to their tokens, if columns are read beside the text."""
        return replace(encoded, features=self.features(inputs)) if self.width else encoded

    def text(self, value: Value) -> Value:
        """Return what the task reads of an input: all of it without columns; with columns as words they come first."""
        if not self.columns:
            return value
        cells = self.cells(value)
        inner = value[TEXT]
        if self.way != "words":
            return inner
        said = "".join(f"{name}: {worded(cell)}; " for name, cell in cells.items() if cell is not None)
        return said + inner if isinstance(inner, str) else (said + inner[0], *inner[1:])

    def replaced(self, value: Value, inner: Value) -> Value:
        """Return an input of which a task reads something else, as :meth:`text` returns it.

        >>> Tabular.of(["price"]).replaced({"text": "Fine.", "columns": {"price": 3.5}}, "Good.")
        {'text': 'Good.', 'columns': {'price': 3.5}}
        """
        if not self.columns:
            return inner
        # Columns that are read as words are part of what the task reads.
        return {**value, TEXT: inner, **({COLUMNS: dict.fromkeys(self.names)} if self.way == "words" else {})}

    def cells(self, value: Value) -> dict[str, Cell]:
        """Return the cells of an input by column; without columns it may be anything.

        Raises:
            UsageError: the input has no columns, or lacks one.
        """
        if not self.columns:
            return {}
        columns = value.get(COLUMNS) if isinstance(value, Mapping) and TEXT in value else None
        missing = [name for name in self.names if not isinstance(columns, Mapping) or name not in columns]
        if missing or columns is None:
            raise UsageError(
                f"an input has no column {', '.join(map(shown, missing))}, which the model reads beside the text; give "
                "each input as {'text': ..., 'columns': {" + ", ".join(f"{name!r}: ..." for name in self.names) + "}}."
            )
        return {name: cell_of(columns[name]) for name in self.names}

    def doubts(self, inputs: Sequence[Value]) -> Counter[tuple[str, str]]:
        """Count the cells that are read otherwise than they are written: (column, why) -> rows."""
        rows = [self.cells(value) for value in inputs]
        reasons = ((column.name, column.doubt(row[column.name])) for column in self.columns for row in rows)
        return Counter(each for each in reasons if each[1])


def sentences(doubts: Mapping[tuple[str, str], int], rows: int) -> list[str]:
    """Word what :meth:`Tabular.doubts` counted among a number of rows.

    >>> sentences({("country", "have no value"): 2}, 9)
    ["column 'country': 2 of 9 rows have no value."]
    """
    return [f"column {shown(name)}: {count:,} of {rows:,} rows {why}." for (name, why), count in doubts.items()]


def cell_of(value: Any) -> Cell:
    """Turn a plain value into a cell.

    >>> cell_of(" DE "), cell_of(True), cell_of(2), cell_of(float("nan")), cell_of(["a", 1]), cell_of("")
    ('DE', 'true', 2.0, None, ['a', '1'], None)
    """
    if value is None or isinstance(value, str):
        return (value or "").strip() or None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Real | Decimal):
        try:
            return None if math.isnan(value) else float(value)
        except OverflowError:  # a whole number with hundreds of digits
            return "inf"
    if isinstance(value, list | tuple):
        return [name for part in value if (cell := cell_of(part)) is not None for name in categories(cell)] or None
    return str(value)


def number(cell: Cell) -> float | None:
    """Return the number in a cell, or None.

    >>> number("3.5"), number(2.0), number("n/a"), number("inf"), number(["1"])
    (3.5, 2.0, None, None, None)
    """
    if cell is None or isinstance(cell, list):
        return None
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < LARGEST else None


def categories(cell: Cell) -> tuple[str, ...]:
    """Return the categories in a cell; a whole number is written without a point, as in a table of text.

    >>> categories(3.0), categories("DE"), categories(["a", "b"]), categories(None)
    (('3',), ('DE',), ('a', 'b'), ())
    """
    if cell is None:
        return ()
    if isinstance(cell, list):
        return tuple(cell)
    return (cell if isinstance(cell, str) else str(int(cell)) if cell.is_integer() else str(cell),)


def worded(cell: Cell) -> str:
    """Return a cell as words, a number to four figures.

    >>> worded(1234.5), worded("0.10000"), worded(["a", "b"])
    ('1234', '0.1', 'a, b')
    """
    value = number(cell)
    return ", ".join(categories(cell)) if value is None else f"{value:.4g}"


NO_COLUMNS = Tabular()
