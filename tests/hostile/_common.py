"""What every area of the hostile suite shares: a case, and how it ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    verdict: 'right' is the answer that an unharmed input gives. 'clear error' is a HeadstartError, or an exit code with
        one sentence on standard error: no traceback, within 30 seconds. 'WRONG' is everything else: another exception,
        other results in silence, code that ran, a hang.
    reason: for WRONG what happened, for a clear error its sentence.
    """

    verdict: Literal["right", "clear error", "WRONG"]
    reason: str = ""


@dataclass(frozen=True)
class Case:
    """One broken input.

    area: the module's name. name: unique within the area, says what is broken.
    run: given an empty scratch folder, try it and judge it.
    """

    area: str
    name: str
    run: Callable[[Path], Outcome]


def exit_code(child: int, seconds: float) -> int | None:
    """Wait for a forked process; None if it did not end within the limit and was killed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
