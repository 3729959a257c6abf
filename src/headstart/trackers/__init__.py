"""Where the progress of a training is logged: always to ``metrics.jsonl``, and to the trackers that are asked for."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from headstart.core import rooms
from headstart.core.errors import UsageError
from headstart.core.files import make_folder, writing
from headstart.core.records import Run

ALWAYS = "jsonl"


class Log(Protocol):
    """An open log of one training."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record the values of a step; steps come in ascending order."""

    def flush(self) -> None:
        """Write every step so far to disk, so that a kill cannot lose it; called before each checkpoint."""

    def finish(self) -> None:
        """Write what is left and close; called once, however the training ended."""


class Tracker(Protocol):
    """The plugin of a tracker: a frozen dataclass. `requires`: the package that it needs, '' for none."""

    requires: ClassVar[str]

    def obstacle(self) -> str:
        """Return what prevents runs from being opened, and what to do; '' for nothing.

        Called before anything is trained.
        """

    def start(self, folder: Path, step: int) -> Log:
        """Open the log of the training in `folder`, which resumes after `step` (0 for a new one).

        Called again with the same folder it appends to the same run; in the end each step is there once.
        """


@contextmanager
def finishing(log: Log) -> Iterator[None]:
    """Finish a log at the end of the block, also after an error."""
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


def known(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the requested trackers, without the one that always runs, and without loading their packages.

    Args:
        names: file names in this package, as a sequence or as 'a,b'.

    Raises:
        UsageError: an unknown name, or a package that is not installed.
    """
    listed = names.split(",") if isinstance(names, str) else list(names or ())
    wanted = tuple(dict.fromkeys(name.strip() for name in listed if name.strip() and name.strip() != ALWAYS))
    for name in wanted:
        tracker: type[Tracker] = rooms.plugin("trackers", name)
        if tracker.requires and importlib.util.find_spec(tracker.requires.partition("-")[0]) is None:
            raise UsageError(f"tracker '{name}' needs a package that is not installed: pip install {tracker.requires}")
    return wanted


def check(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the requested trackers as :func:`known` does, if all of them can start.

    Raises:
        UsageError: as :func:`known`; or a service that is not logged in to.
    """
    wanted = known(names)
    for name in wanted:
        tracker: Tracker = rooms.load("trackers", name)
        if obstacle := tracker.obstacle():
            raise UsageError(f"tracker '{name}' cannot start: {obstacle}")
    return wanted


def start(run: Run, step: int) -> Log:
    """Open all logs of a training: ``metrics.jsonl`` in its folder, and those of its trackers."""
    first: Tracker = rooms.load("trackers", ALWAYS)
    logs = [first.start(run.folder, step)]
    if run.tracking is not None:
        inside = run.folder.relative_to(run.tracking.work).parts
        place = run.tracking.folder.with_name("-".join([run.tracking.folder.name, *inside]))
        for name in run.tracking.names:
            make_folder(place)
            tracker: Tracker = rooms.load("trackers", name)
            with writing(place):
                logs.append(tracker.start(place, step))
    return _Several(logs)
