"""Files that are written atomically, whenever the process is killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path, suffix: str = "new") -> Iterator[Path]:
    """Yield a place beside `path` for a file that takes its name once the block ends without an error.

    Args:
        suffix: of the file's name until then. Where other processes may write the same file, one of this process alone.

    Raises:
        OSError: the file cannot be written.
    """
    fresh = path.with_name(f"{path.name}.{suffix}")
    try:
        yield fresh
        flush(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically as UTF-8, with characters that UTF-8 lacks (lone surrogates) escaped.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as fresh:
        fresh.write_text(text, encoding="utf-8", errors="surrogatepass", newline="")


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on disk. Windows cannot open folders for this."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
