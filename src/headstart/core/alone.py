"""One process at a time per folder: two that train the same thing there would overwrite each other's checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.core.errors import UsageError
from headstart.core.files import ADVICE, make_folder, writing
from headstart.core.terminal import say

if TYPE_CHECKING:
    from filelock import BaseFileLock

FILE = ".lock"
AT_ONCE, FOREVER = 0, -1  # timeouts in seconds, as in filelock


@contextmanager
def alone(folder: Path, instead: str = "with --out") -> Iterator[None]:
    """Lock a folder, which is created if missing; a killed process releases the lock.

    Args:
        folder: the folder.
        instead: how another folder is named, at the end of the message.

    Raises:
        UsageError: another process holds the lock, the name is that of a file, or the lock cannot be opened.
        DiskError: it cannot be made.
    """
    if any(place.is_file() for place in (folder, *folder.parents)):
        raise UsageError(f"'{folder}' is a file, or inside one: name a folder {instead}.")
    make_folder(folder)
    with _lock(folder / FILE) as lock:
        if not _acquired(lock, AT_ONCE):
            raise UsageError(
                f"another headstart process is using {folder}: wait until it ends, or choose another folder {instead}."
            )
        yield


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Let one process at a time create a file or folder; others wait, with a message on standard error.

    Args:
        path: of the file or folder; the lock is a hidden file next to it, ``.NAME.lock``.

    Raises:
        UsageError: the lock cannot be opened.
    """
    make_folder(path.parent)
    with _lock(path.with_name(f".{path.name}{FILE}")) as lock:
        if not _acquired(lock, AT_ONCE):
            say(f"headstart: another process is making '{path}'; waiting for it.")
            _acquired(lock, FOREVER)
        yield


@contextmanager
def _lock(path: Path) -> Iterator[BaseFileLock]:
    """Yield a lock that is not yet acquired, and release it when the block ends."""
    import filelock

    lock = filelock.FileLock(path)
    try:
        yield lock
    finally:
        lock.release()


def _acquired(lock: BaseFileLock, seconds: int) -> bool:
    """Try to acquire a lock within so many seconds; return whether that succeeded."""
    import filelock

    try:
        lock.acquire(timeout=seconds)
    except filelock.Timeout:
        return False
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno in ADVICE:
            with writing(Path(lock.lock_file)):
                raise
        raise UsageError(
            f"'{lock.lock_file}' cannot be locked ({error}): delete it, or choose another folder."
        ) from None
    return True
