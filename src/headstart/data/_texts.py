"""The text of a row, since a cell of a typed table may hold something else."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from headstart.core.errors import DataError, shown
from headstart.core.records import ReadWarning
from headstart.data._stream import Item, Row
from headstart.data._values import cell


def text_of(value: object, what: str = "text") -> tuple[str, str]:
    """Return the text of a cell and '', or '' and why it has none. A list of words is joined by spaces.

    Args:
        value: the cell.
        what: what the text is, for messages.

    >>> text_of("fine"), text_of(["I", "like"]), text_of(None)
    (('fine', ''), ('I like', ''), ('', 'has no text'))
    """
    if isinstance(value, Mapping):
        return "", f"has an object with the keys {_listed(value)} where a {what} is expected"
    if isinstance(value, list | tuple):
        if not all(isinstance(word, str) for word in value):
            return "", f"has a list of other things than words where a {what} is expected"
        value = " ".join(value)
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return "", f"has bytes that are no UTF-8 where a {what} is expected"
    text = cell(value)
    return (text, "") if text.strip() else ("", f"has no {what}")


def check_is_text(name: str, column: str, sample: Sequence[Mapping[str, object]]) -> None:
    """Refuse a text column of objects.

    Raises:
        DataError: all non-empty cells of the sample are objects.
    """
    filled = [row[column] for row in sample if cell(row[column])]
    keys = dict.fromkeys(str(key) for value in filled if isinstance(value, Mapping) for key in value)
    if filled and all(isinstance(value, Mapping) for value in filled):
        raise DataError(
            f"column {shown(column)} of {name} holds objects with the keys {_listed(keys)}, where texts are expected; "
            "put the one that is the text into a column of its own."
        )


def with_joined_words(items: Iterator[Item], columns: Collection[str]) -> Iterator[Item]:
    """Yield items, with a warning before the first row whose text in one of the columns is a list of words."""
    plain = list(columns)
    for item in items:
        if isinstance(item, Row):
            for column in plain:
                if isinstance(item.cells[column], list | tuple):
                    plain = [other for other in plain if other != column]
                    yield ReadWarning(f"column {shown(column)} holds lists of words: they are joined by spaces.")
        yield item


def _listed(keys: Mapping[str, object]) -> str:
    return ", ".join(map(shown, list(keys)[:5])) + (", ..." if len(keys) > 5 else "")
