"""The command line in a child with limits of time and memory, and how what it says is judged."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil
from tests.hostile._common import Outcome, exit_code

BYTES = 2 * 2**30  # of addresses that a command may take
CPU_SECONDS = 20
SECONDS = 120  # by the clock, on a machine that does other work too; a command that waits for ever uses no CPU


@dataclass(frozen=True)
class Ended:
    """The result of a command.

    Attributes:
        code: its exit code; below zero, the signal that ended it.
        out: its standard output.
        err: its standard error.
        folder: its working directory.
    """

    code: int
    out: str
    err: str
    folder: Path


Judge = Callable[[Ended], Outcome]


def run(folder: Path, arguments: Sequence[str], stdin: int | None = None) -> Ended:
    """Run a command in a forked child, so that its imports are paid once.

    Args:
        folder: where it runs; its two streams are kept there.
        stdin: a file descriptor.
    """
    _warm()
    streams = [folder / ".out", folder / ".err"]
    child = os.fork()
    if not child:
        code = 1
        try:
            os.setsid()
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_RDONLY) if stdin is None else stdin, 0)
            for place, stream in enumerate(streams, start=1):
                os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), place)
            _use_streams()
            used = int(time.process_time())
            most = psutil.Process().memory_info().vms + BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, used + CPU_SECONDS))
            from headstart import cli

            code = cli.run(list(arguments))
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    ended = exit_code(child, SECONDS)
    status = -signal.SIGKILL if ended is None else ended
    out, err = (stream.read_text(encoding="utf-8", errors="replace") for stream in streams)
    return Ended(status, out, err, folder)


def _use_streams() -> None:
    sys.stdin = os.fdopen(0, encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8")


@cache
def _warm() -> None:
    """Import all that a check and a prediction need, before any child does."""
    import pyarrow.parquet

    from headstart import cli, prediction
    from headstart.contenders import majority
    from headstart.data import write
    from headstart.report import build

    assert all((pyarrow.parquet, prediction, majority, write, build))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "a.csv"
        path.write_text(
            "text,label\n" + "".join(f"{number:x} text {number},{number % 2}\n" for number in range(900, 960))
        )
        assert cli.run(["check", str(path), "--json"]) == 0


def _trouble(ended: Ended) -> str:
    """Say what no command may do, whatever it is given; '' where it did none of it."""
    if ended.code < 0:
        return f"ended by signal {-ended.code} (beyond {CPU_SECONDS} s or killed)"
    for stream in (ended.out, ended.err):
        if bad := next((letter for letter in stream if not letter.isprintable() and letter != "\n"), ""):
            return f"{bad!r} reaches the terminal: {stream[-200:]!r}"
    if "Traceback" in ended.err or "unexpected error" in ended.err:
        return ended.err[-300:]
    return ""


def rows(count: int, warning: str = "", rejected: int = 0) -> Judge:
    """Judge a check that reads so many rows.

    Args:
        warning: what one of its findings must say, as a regular expression.
        rejected: rows that it names as unusable.
    """

    def judge(ended: Ended) -> Outcome:
        if trouble := _trouble(ended) or (ended.code and ended.err):
            return Outcome("WRONG", str(trouble))
        report = json.loads(ended.out)
        sentences = [finding["sentence"] for finding in report["findings"]]
        named = sum(finding["count"] for finding in report["findings"] if finding["kind"] == "rejected")
        if sum(report["rows"].values()) != count or named != rejected:
            return Outcome("WRONG", f"{report['rows']} rows and {named} rejected, not {count} and {rejected}")
        if warning and not any(re.search(warning, sentence) for sentence in sentences):
            return Outcome("WRONG", f"no finding says {warning!r}")
        return Outcome("right")

    return judge


def refused(sentence: str) -> Judge:
    """Judge a command that must end with one sentence, which matches a regular expression."""

    def judge(ended: Ended) -> Outcome:
        errors = [line for line in ended.err.splitlines() if line.startswith("headstart: ")]
        if trouble := _trouble(ended):
            return Outcome("WRONG", trouble)
        if ended.code not in (1, 2, 3) or len(errors) != 1 or not re.search(sentence, errors[0]):
            return Outcome("WRONG", f"exit code {ended.code}, {ended.err[-300:]!r} where {sentence!r} is expected")
        return Outcome("clear error", errors[0])

    return judge


def quiet(ended: Ended) -> Outcome:
    """Judge a command that may succeed or refuse, but only in plain letters."""
    if trouble := _trouble(ended):
        return Outcome("WRONG", trouble)
    if not ended.code:
        return Outcome("right")
    last = ended.err.splitlines()[-1] if ended.err else ""
    return Outcome("clear error", last) if last.startswith("headstart: ") else Outcome("WRONG", last)
