"""The hierarchy of errors. Each message says what is wrong, where, and what to do about it.

The command line turns any of them into one sentence on standard error and the exit code of its class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NAMED = 40  # known names listed in a message


class HeadstartError(Exception):
    """Any failure that Headstart can explain to a user."""

    exit_code = 1

    def __str__(self) -> str:
        return visible(super().__str__())  # it may quote a file, and may be printed to a terminal


class UsageError(HeadstartError):
    """The call is wrong: an unknown name, an option out of range, a missing extra."""

    exit_code = 2


class DataError(HeadstartError):
    """The data cannot be used as it is."""

    exit_code = 3


class CheckpointError(HeadstartError):
    """A model folder is missing, damaged, or of a kind that cannot be read."""


class DiskError(HeadstartError):
    """A file cannot be written: the disk is full or read-only, a quota is used up, or access is denied."""

    exit_code = 4


class ExportError(HeadstartError):
    """An exported model does not predict what the original predicts."""


class TrainingError(HeadstartError):
    """A training failed: the loss is not a number, or a checkpoint belongs to another run."""


def visible(text: str, unchanged: str = "") -> str:
    """Escape control characters, direction overrides and other invisible characters, which a terminal would obey.

    Everything that is printed goes through here.

    Args:
        text: the text.
        unchanged: such characters that are not escaped.

    >>> visible("a\\x1b[31m\\u200b")
    'a\\\\x1b[31m\\\\u200b'
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in unchanged else ascii(letter)[1:-1] for letter in text)


def shown(value: object, most: int = 60) -> str:
    """Quote a value in a message, truncated to `most` characters and with control characters escaped.

    >>> shown("pos"), shown("a\\nb"), shown("word " * 100, most=9)
    ("'pos'", "'a\\\\nb'", "'word word...'")
    """
    text = str(value)
    return f"'{visible(text[:most])}{'...' if len(text) > most else ''}'"


class DivergedError(TrainingError):
    """A loss or a gradient is not a finite number."""


def at_least(least: float, **options: float) -> None:
    """Check that an option is not below a minimum.

    Raises:
        UsageError: the value is below `least`.
    """
    for name, value in options.items():
        if value < least:
            raise UsageError(f"option '{name}' is {value}; give a number from {least} up.")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known names that are close to a misspelt one, as the end of a sentence.

    >>> did_you_mean("lroa", ["full", "lora"])
    "did you mean 'lora'?"
    >>> did_you_mean("xyz", ["full", "lora"])
    'known: full, lora.'
    """
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {shown(close[0])}?"
    listed = [shown(name)[1:-1] for name in names[:NAMED]]
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"known: {', '.join(listed) or 'none'}{more}."
