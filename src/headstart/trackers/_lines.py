"""Common code of trackers with a service or a file format of their own: steps are sent in groups, each step once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headstart.core import sealed
from headstart.core.terminal import say

Line = tuple[int, dict[str, float]]
SECONDS = 5.0  # between two groups
MOST = 100  # steps in a group


def run_of(note: Path) -> str:
    """Return the run that an earlier start of the same training opened; '' if there is none."""
    return str(_read(note).get("run", ""))


class Lines:
    """A log that sends its steps in groups, without those that a resumed training repeats.

    The number of the last step is stored before its group is sent: a kill in between loses the group but never
    duplicates it. If a service fails, it is no longer used, with a message on standard error, and the training
    continues.
    """

    def __init__(
        self, note: Path, run: str, send: Callable[[Sequence[Line]], None], close: Callable[[], None], name: str
    ) -> None:
        """Start after the last step that was sent.

        Args:
            note: path of a JSON file written here: the run and its last step.
            run: the run's id in the tracker.
            send: writes a group of steps to disk or to a service.
            close: ends the run.
            name: name of the tracker.
        """
        self.note, self.run, self.name = note, run, name
        self.last = int(_read(note).get("step", 0))
        self._send, self._close = send, close
        self._waiting: list[Line] = []
        self._sent = time.monotonic()
        self._failed = False
        self._write()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Add a step."""
        if step > self.last:
            self._waiting.append((step, dict(values)))
            if len(self._waiting) >= MOST or time.monotonic() - self._sent >= SECONDS:
                self.flush()

    def flush(self) -> None:
        """Send the waiting steps."""
        if self._waiting and not self._failed:
            self.last = self._waiting[-1][0]
            self._write()
            self._try(lambda: self._send(self._waiting))
        self._waiting = []
        self._sent = time.monotonic()

    def finish(self) -> None:
        """Send the waiting steps and end the run."""
        self.flush()
        if not self._failed:
            self._try(self._close)

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:  # a service may raise anything
            self._failed = True
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            say(f"headstart: tracker '{self.name}' failed and is no longer used: {reason}")

    def _write(self) -> None:
        sealed.write_note(self.note, {"run": self.run, "step": self.last})


def _read(note: Path) -> dict[str, Any]:
    return sealed.take_note(note) or {}
