"""Output to a terminal: no text from a file, a name or a server is interpreted as a control sequence."""

from __future__ import annotations

import json
import logging
import sys
import warnings

from headstart.core.errors import visible

LINE_ENDS = "\n\t"


def say(line: str) -> None:
    """Print one line on standard error."""
    print(visible(line), file=sys.stderr)


def visible_json(text: str) -> str:
    r"""Escape in JSON what :func:`visible` escapes elsewhere, so that it stays the same JSON.

    >>> visible_json('{"a": "b\x9b"}\n')
    '{"a": "b\\u009b"}\n'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in LINE_ENDS else json.dumps(letter)[1:-1] for letter in text
    )


def guard_other_messages() -> None:
    """Escape what libraries log or warn about, such as a header of a server's response."""
    logging.setLogRecordFactory(_Record)
    warnings.formatwarning = _warning


class _Record(logging.LogRecord):
    def getMessage(self) -> str:
        return visible(super().getMessage(), LINE_ENDS)


_usual_warning = warnings.formatwarning


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    return visible(_usual_warning(message, category, filename, lineno, line), LINE_ENDS)
