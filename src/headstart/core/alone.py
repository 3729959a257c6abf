"""One process at a time in a folder: two that train the same thing there would write over each other's checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.core.errors import UsageError

FILE = ".lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder, which is made where it is missing; a killed process lets go of it.

    Raises:
        UsageError: another process holds it, or the name is that of a file.
    """
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"'{folder}' is a file, or inside one: name a folder with --out.") from None
    lock = filelock.FileLock(folder / FILE, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise UsageError(
            f"another headstart is at work in {folder}: wait for its end, or choose another folder with --out."
        ) from error
    try:
        yield
    finally:
        lock.release()
