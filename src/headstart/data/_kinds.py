"""What the values of a column are like: few that repeat, as labels do, numbers, or anything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from headstart.data._columns import is_prose

NUMBER = re.compile(r"[-+]?(\d[\d.,]*|[.,]\d+)([eE][-+]?\d+)?%?")


def kind(column: Sequence[str]) -> str:
    """Return 'closed' for a column of few short values, 'number' for one of numbers, '' for all others."""
    if len(column) < 2:
        return ""
    if repeats(column) and sum(map(is_prose, column)) * 2 <= len(column):
        return "closed"
    return "number" if sum(bool(NUMBER.fullmatch(value)) for value in column) > 0.9 * len(column) else ""


def repeats(column: Sequence[str]) -> bool:
    """Return whether most values occur several times, as labels do."""
    counts = Counter(column)
    again = sum(count for count in counts.values() if count > 1)
    return again * 2 > len(column) and len(counts) <= max(2, 0.6 * len(column))
