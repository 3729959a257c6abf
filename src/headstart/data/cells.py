"""Turn cells into texts, labels, numbers and lists, or say why a row has none; for `Task.read`.

A cell is a plain Python value: text in CSV, any JSON value in JSON Lines; in Parquet also dates, decimals and bytes.
"""

from __future__ import annotations

import ast
import io
import itertools
import json
import math
import tokenize
from collections.abc import Mapping
from decimal import Decimal

from headstart.core.contracts import Value
from headstart.core.errors import DataError, shown
from headstart.data import _labels, _texts
from headstart.data._stream import fault
from headstart.data._values import cell, missing

LONGEST = 2**20  # characters of a list as Python writes it, whose syntax tree takes a hundred times the memory

FLAGS = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), True),
    **dict.fromkeys(("0", "0.0", "false", "no"), False),
}


def text_cell(value: object, what: str = "text") -> str:
    """Return the text of a cell; a list of words is joined by spaces.

    Args:
        value: the cell.
        what: what the text is, for messages.

    Raises:
        DataError: an empty cell, an object, a list of other things than words, or bytes that are no UTF-8.

    >>> text_cell("fine"), text_cell(["I", "like"]), text_cell(5)
    ('fine', 'I like', '5')
    """
    if type(value) is str and value and not value.isspace():  # nearly all cells
        return value
    text, reason = _texts.text_of(value, what)
    if reason:
        raise DataError(reason)
    return text


def texts_cell(value: object, what: str = "text") -> tuple[str, ...]:
    """Return the texts of a cell: those of a list, or the only one.

    Args:
        value: the cell.
        what: what the texts are, for messages.

    Raises:
        DataError: as for :func:`text_cell`.

    >>> texts_cell("fine"), texts_cell(["fine", "good"])
    (('fine',), ('fine', 'good'))
    """
    if isinstance(value, list | tuple) and value:
        return tuple(text_cell(each, what) for each in value)
    return (text_cell(value, what),)


def label_cell(value: object) -> str:
    """Return the label in a cell; a list of one label is that label.

    Raises:
        DataError: an empty cell, or an object.
        SeveralLabels: a list of more than one; refuses the whole table.

    >>> label_cell(" yes "), label_cell(["yes"]), label_cell(1)
    ('yes', 'yes', '1')
    """
    if type(value) is str and (label := value.strip()):
        return label
    label, reason = _labels.label_of(value)
    if reason:
        raise DataError(reason)
    return label


def number_cell(value: object, what: str = "number") -> float:
    """Return the number in a cell.

    Args:
        value: the cell.
        what: what the number is, for messages.

    Raises:
        DataError: an empty cell, not a number, or an infinite one.

    >>> number_cell(" 3.5 "), number_cell(2)
    (3.5, 2.0)
    """
    if missing(value) or (isinstance(value, str) and not value.strip()):
        raise DataError(f"has no {what}")
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]  # checked by float
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"has {shown(cell(value))} where a number is expected")
    return number


def flag_cell(value: object, what: str) -> bool:
    """Return whether a cell says that a row has something: 0 and 1, false and true, no and yes.

    Args:
        value: the cell.
        what: the column, for messages.

    Raises:
        DataError: anything else, such as an empty cell.

    >>> flag_cell("1", "loud"), flag_cell(0.0, "loud"), flag_cell("False", "loud")
    (True, False, False)
    """
    plain = cell(value).strip().casefold()
    if plain not in FLAGS:
        raise DataError(f"has {shown(cell(value))} in column {shown(what)}, where 0 or 1 is expected")
    return FLAGS[plain]


def list_cell(value: object, what: str = "list", separator: str = "") -> list[Value]:
    """Return the list in a cell, which may be empty. In a text cell it is written as JSON or as Python does.

    Args:
        value: the cell.
        what: what the list holds, for messages.
        separator: divides the elements of a text that is no list, such as ';'; '' to refuse such a text.

    Raises:
        DataError: a missing value, or not a list.

    >>> list_cell('["a", "b"]'), list_cell("['a']"), list_cell("a; b", separator=";"), list_cell("", separator=";")
    (['a', 'b'], ['a'], ['a', 'b'], [])
    """
    if isinstance(value, list | tuple):
        return list(value)
    if missing(value) or (isinstance(value, str) and not separator and not value.strip()):
        raise DataError(f"has no {what}")
    if isinstance(value, str):
        if value.lstrip().startswith("[") and isinstance(parsed := parse(value), list):
            return parsed
        if separator:
            return [part.strip() for part in value.split(separator) if part.strip()]
    raise DataError(f"has {_described(value)} where a list ({what}) is expected")


def words_cell(value: object, what: str = "words") -> list[str]:
    """Return the words in a cell that holds a list of them.

    Args:
        value: the cell; see :func:`list_cell`.
        what: what the words are, for messages.

    Raises:
        DataError: a missing value, not a list, an empty list, or one with other things than words.

    >>> words_cell(["Ada", "lives"])
    ['Ada', 'lives']
    """
    words = list_cell(value, what)
    if not words:
        raise DataError(f"has no {what}")
    if not all(isinstance(word, str) for word in words):
        raise DataError(f"has a list of other things than words where {what} are expected")
    return words


def parse(text: str) -> object:
    """Read a list or an object that is written in a text cell, as JSON or as Python does; None if it is none.

    Raises:
        DataError: it holds half of a surrogate pair.
    """
    for read in (json.loads, _python):
        try:
            parsed = read(text)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, tokenize.TokenError):
            continue
        if reason := fault(cell(parsed)):
            raise DataError(reason)
        return parsed
    return None


def _python(text: str) -> object:
    """Read a list as Python writes it. Two texts without a comma between them, as numpy writes them, are no list."""
    if len(text) > LONGEST:
        raise ValueError
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type != tokenize.NL]
    if any(one.type == two.type == tokenize.STRING for one, two in itertools.pairwise(tokens)):
        raise ValueError
    return json.loads(json.dumps(ast.literal_eval(text.strip())))


def _described(value: object) -> str:
    if isinstance(value, Mapping):
        return "an object"
    return shown(cell(value)) if isinstance(value, str | int | float | Decimal) else f"a {type(value).__name__}"
