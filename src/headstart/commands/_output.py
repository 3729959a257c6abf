"""Output of the command line: results on standard output, all else on standard error."""

from __future__ import annotations

import codecs
import json
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headstart.core.terminal import say, visible_json

if TYPE_CHECKING:
    from headstart.api import Comparison
    from headstart.core.records import ReadWarning, Rejected


def fail(sentence: str, code: int) -> int:
    """Print one sentence on standard error and return the exit code."""
    say(f"headstart: {sentence}")
    return code


def usage_message(error: click.ClickException) -> str:
    """Return what is wrong with the arguments, and what may have been meant."""
    if isinstance(error, click.NoSuchOption):
        meant = f"; did you mean {', '.join(sorted(error.possibilities))}?" if error.possibilities else ""
        return f"No such option: {error.option_name}{meant}"
    return error.format_message()


def unexpected_message(error: BaseException) -> str:
    """Write the traceback to a file and return a sentence with its path."""
    reason = (str(error).splitlines() or ["no reason given"])[0]
    stopped = f"stopped by an unexpected error ({type(error).__name__}: {reason})"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="headstart-", suffix=".log", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError as full:
        return f"{stopped}; the details could not be kept ({full.strerror})."
    return f"{stopped}; the details are in {file.name}."


def row_printer(file: Path) -> Callable[[Rejected | ReadWarning], None]:
    """Return a function that reports rejected rows and warnings about a file on standard error."""

    def print_row(item: Rejected | ReadWarning) -> None:
        from headstart.core.records import Rejected

        where = f"line {item.line} {item.reason}" if isinstance(item, Rejected) else f"warning: {item.sentence}"
        say(f"{file}: {where}")

    return print_row


def print_comparison(comparison: Comparison, as_json: bool) -> None:
    """Print a comparison on standard output, as JSON or as tables and sentences."""
    from rich.console import Console

    from headstart.report import build

    if as_json:
        print_json(build.as_json(comparison.result))
    else:
        build.show(comparison.result, Console(width=None if sys.stdout.isatty() else build.WIDTH))


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    # The JSON must stay lossless, so characters that the output's encoding lacks are written as escapes.
    encoding = codecs.lookup(sys.stdout.encoding or "utf-8").name
    click.echo(visible_json(json.dumps(value, indent=2, ensure_ascii=not encoding.startswith("utf"))))
