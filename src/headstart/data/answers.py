"""The accepted answers to a question, each a part of its context; for `Task.read`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headstart.core.contracts import Value
from headstart.core.errors import DataError, shown
from headstart.data._values import missing
from headstart.data.cells import parse

STARTS = ("start", "answer_start")


def answers_cell(value: object, context: str) -> tuple[tuple[str, int], ...]:
    """Return the different answers in a cell: each its text and the number of its first character in the context.

    A cell holds a list of objects with 'text' and 'start' (or 'answer_start'), an object with lists of these, a list of
    texts, or one text. The empty list and the empty text mean that there is no answer. A text without a number is the
    first such part of the context; one with a wrong number is the only such part.

    Args:
        value: the cell.
        context: the text that contains the answers.

    Raises:
        DataError: a missing value, something else, or an answer that is not in the context.

    >>> answers_cell([{"text": "in Rome", "start": 5}], "Born in Rome."), answers_cell("", "Born in Rome.")
    ((('in Rome', 5),), ())
    >>> answers_cell({"text": ["Rome"], "answer_start": [0]}, "Born in Rome.")
    (('Rome', 8),)
    """
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{") and (inner := parse(value)) is not None:
        value = inner
    if missing(value):
        raise DataError("has no answers; write an empty list for a question that has none")
    return tuple(dict.fromkeys(_placed(text, start, context) for text, start in _answers(value)))


def _answers(value: object) -> Iterator[tuple[str, int | None]]:
    """Yield the texts of a cell with the numbers of their first characters, if they have any."""
    if isinstance(value, str):
        value = [value] if value.strip() else []
    if isinstance(value, Mapping) and isinstance(texts := value.get("text"), list | tuple):
        starts = next((value[key] for key in STARTS if key in value), [None] * len(texts))
        if not isinstance(starts, list | tuple) or len(starts) != len(texts):
            raise DataError(f"has {len(texts)} answers but other than {len(texts)} starts")
        value = [{"text": text, "start": start} for text, start in zip(texts, starts, strict=True)]
    elif isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list | tuple):
        raise DataError(f"has {shown(str(value))} where answers are expected")
    for answer in value:
        yield _answer(answer)


def _answer(answer: Value) -> tuple[str, int | None]:
    text, start = answer, None
    if isinstance(answer, Mapping):
        text, start = answer.get("text"), next((answer[key] for key in STARTS if key in answer), None)
    if not isinstance(text, str) or not text.strip():
        raise DataError("has an answer without a text")
    if start is not None and (not isinstance(start, int) or isinstance(start, bool)):
        raise DataError(f"has {shown(str(start))} as the start of an answer, which is no whole number")
    return text, start


def _placed(text: str, start: int | None, context: str) -> tuple[str, int]:
    """Return an answer, without surrounding white space, and where it is in its context."""
    if start is not None and start >= 0 and context.startswith(text, start):
        return text.strip(), start + len(text) - len(text.lstrip())
    text = text.strip()
    first = context.find(text)
    if first < 0:
        raise DataError(f"has the answer {shown(text)}, which is not in its context")
    if start is not None and context.find(text, first + 1) >= 0:
        raise DataError(
            f"has the answer {shown(text)} with the start {start}, where the context has something else, and it occurs "
            "there several times"
        )
    return text, first
