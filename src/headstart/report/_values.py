"""Inputs and answers of every kind as short readable text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile

from headstart.core.contracts import Kind, Task, Value

Span = tuple[int, int]
FIGURES = 4  # significant figures of a number that is not whole
NO_LABEL, NO_FACT, NO_TEXT = "no label", "nothing", "no answer"


def shown_input(task: Task, value: Value) -> str:
    """Return an input as text: its texts, one a line."""
    return "\n".join(task.texts(value))


def shown_answer(task: Task, answer: Value, value: Value) -> str:
    """Return a target or a prediction as text; equal answers give equal texts, and different facts different ones.

    Args:
        task: decides on the kind of answer.
        answer: the target or the prediction.
        value: its input, into whose first text the facts point.

    >>> from headstart import tasks
    >>> shown_answer(tasks.load("classification"), "spam", "Win a prize")
    'spam'
    """
    return _WRITTEN[task.kind](answer, (task.texts(value) or ("",))[0])


def texts(answer: Value) -> tuple[str, ...]:
    """Return the texts that are right, or the one that was predicted; none for the empty text.

    Args:
        answer: a text, or several that are right: each alone, or in a pair with its place in the input.

    >>> texts("in Rome"), texts(["in Rome", "Rome"]), texts([("in Rome", 5)]), texts("")
    (('in Rome',), ('in Rome', 'Rome'), ('in Rome',), ())
    """
    several = [answer] if isinstance(answer, str) else answer
    return tuple(filter(None, (each if isinstance(each, str) else str(each[0]) for each in several)))


def spans(fact: Sequence[Value]) -> tuple[Span, ...]:
    """Return the places that a fact names: its leading pairs of whole numbers, the first and after the last character.

    >>> spans((0, 4, "PER")), spans((0, 4, 9, 13, "lives in")), spans(("Anna", "PER"))
    (((0, 4),), ((0, 4), (9, 13)), ())
    """
    numbers = _leading_numbers(fact)
    return tuple(zip(numbers[::2], numbers[1::2], strict=False))


def fact_parts(fact: Sequence[Value], text: str) -> tuple[str, ...]:
    """Return a fact without its type, places in the text as what is written there.

    >>> fact_parts((0, 4, 14, 18, "lives in"), "Anna lives in Rome")
    ('Anna', 'Rome')
    >>> fact_parts((90, 94, "PER"), "Anna lives in Rome"), fact_parts(("Anna", 3, "PER"), "")
    (('90 to 94',), ('Anna', '3'))
    """
    places = spans(fact)
    written = (text[start:stop] if 0 <= start < stop <= len(text) else f"{start} to {stop}" for start, stop in places)
    return (*written, *(str(part) for part in fact[2 * len(places) : -1]))


def number(value: float) -> str:
    """Write a number with at most four significant figures, and a whole one in full.

    >>> number(1987), number(0.123456), number(12.5), number(123456.7), number(float("nan"))
    ('1987', '0.1235', '12.5', '123457', '–')
    """
    if not math.isfinite(value):
        return "–"
    if value == int(value):
        return str(int(value))
    decimals = max(FIGURES - 1 - math.floor(math.log10(abs(value))), 0)
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def _leading_numbers(fact: Sequence[Value]) -> tuple[int, ...]:
    return tuple(takewhile(lambda part: isinstance(part, int), fact[:-1]))


def _fact(fact: Sequence[Value], text: str) -> str:
    """Write a fact so that no other fact of the text reads the same: words that occur again with their place."""
    parts = list(fact_parts(fact, text))
    for number, (start, stop) in enumerate(spans(fact)):
        if parts[number] == text[start:stop] and text.find(parts[number]) != text.rfind(parts[number]):
            parts[number] += f" (at {start})"
    joined = " – ".join(parts)
    return f"{joined} [{fact[-1]}]" if joined else f"[{fact[-1]}]"


def _several(answer: Value, written: Callable[[Value], str], none: str) -> str:
    return ", ".join(dict.fromkeys(map(written, answer))) or none


_WRITTEN: Mapping[Kind, Callable[[Value, str], str]] = {
    "label": lambda answer, _: str(answer),
    "labels": lambda answer, _: _several(sorted(map(str, answer)), str, NO_LABEL),
    "number": lambda answer, _: number(float(answer)),
    "facts": lambda answer, text: _several(
        sorted(answer, key=lambda fact: (_leading_numbers(fact), str(fact))), lambda fact: _fact(fact, text), NO_FACT
    ),
    "text": lambda answer, _: " / ".join(dict.fromkeys(texts(answer))) or NO_TEXT,
}
