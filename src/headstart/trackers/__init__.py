"""Who is told about a training while it runs: ``metrics.jsonl`` always, and the trackers a person asks for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from headstart.core import rooms
from headstart.core.errors import UsageError
from headstart.core.records import Run

ALWAYS = "jsonl"


class Log(Protocol):
    """An open log of one training."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Take the values of a step; steps come in ascending order."""

    def flush(self) -> None:
        """Write every step so far where a kill cannot undo it; called before each checkpoint."""

    def finish(self) -> None:
        """Write what is left and close; called once, however the training ended."""


class Tracker(Protocol):
    """One file in this room: a frozen dataclass. `requires`: the package that it needs, '' for none."""

    requires: ClassVar[str]

    def obstacle(self) -> str:
        """Say what keeps runs from being opened, and what to do; '' for nothing. Asked before anything is trained."""

    def start(self, folder: Path, step: int) -> Log:
        """Open the log of the training that `folder` is named after, and that resumes after `step` (0: begins).

        Called again with the same folder it appends to the same run; each step is there once in the end.
        """


@contextmanager
def finishing(log: Log) -> Iterator[None]:
    """Finish a log when the block ends, however it ends."""
    try:
        yield
    finally:
        log.finish()


@dataclass(frozen=True)
class _Several:
    logs: Sequence[Log]

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for log in self.logs:
            log.log(step, values)

    def flush(self) -> None:
        for log in self.logs:
            log.flush()

    def finish(self) -> None:
        for log in self.logs:
            log.finish()


def check(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the trackers that are asked for besides the one that always runs.

    Args:
        names: file names in this room, as a sequence or as 'a,b'.

    Raises:
        UsageError: an unknown name, a package that is not installed, or a service that is not logged in to.
    """
    listed = names.split(",") if isinstance(names, str) else list(names or ())
    wanted = tuple(dict.fromkeys(name.strip() for name in listed if name.strip() and name.strip() != ALWAYS))
    for name in wanted:
        tracker: type[Tracker] = rooms.plugin("trackers", name)
        if tracker.requires and importlib.util.find_spec(tracker.requires.partition("-")[0]) is None:
            raise UsageError(f"tracker '{name}' needs a package that is not installed: pip install {tracker.requires}")
        opened: Tracker = rooms.load("trackers", name)
        if obstacle := opened.obstacle():
            raise UsageError(f"tracker '{name}' cannot start: {obstacle}")
    return wanted


def start(run: Run, step: int) -> Log:
    """Open all logs of a training: ``metrics.jsonl`` in its folder, the others where its tracking says."""
    first: Tracker = rooms.load("trackers", ALWAYS)
    logs = [first.start(run.folder, step)]
    if run.tracking is not None:
        inside = run.folder.relative_to(run.tracking.work).parts
        place = run.tracking.folder.with_name("-".join([run.tracking.folder.name, *inside]))
        for name in run.tracking.names:
            place.mkdir(parents=True, exist_ok=True)
            tracker: Tracker = rooms.load("trackers", name)
            logs.append(tracker.start(place, step))
    return _Several(logs)
