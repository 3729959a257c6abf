"""SHA-256 of files (each is read once per process while it is unchanged), of values, and of buffers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


# File systems store time in steps of a few milliseconds: a file may change again within the step it was written in.
SETTLED_NS = 100_000_000
# Starting threads takes longer than hashing less than this.
PARALLEL_BYTES = 4 << 20

_known: dict[tuple[int, ...], str] = {}
_lock = threading.Lock()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file; one that was hashed before is read again only if it may have changed.

    That is, if its device, inode, size or time of change differ, or it was written a moment before.

    Raises:
        OSError: the file cannot be read.
    """
    status = path.stat()
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    with _lock:
        known = _known.get(identity)
    if known is not None:
        return known
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if time.time_ns() - status.st_mtime_ns > SETTLED_NS:
        with _lock:
            _known[identity] = digest
    return digest


def parts_sha256(*parts: object) -> str:
    """Return the SHA-256 of the printed form of some values, as an id; lone surrogates become '?'."""
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()


def arrays_sha256(arrays: Sequence[np.ndarray]) -> str:
    """Return one SHA-256 of the bytes of contiguous arrays in order, hashed by several threads if they are large."""
    digest = hashlib.sha256()
    if sum(array.nbytes for array in arrays) < PARALLEL_BYTES:
        for array in arrays:
            digest.update(_digest(array))
        return digest.hexdigest()
    with ThreadPoolExecutor() as pool:
        for part in pool.map(_digest, arrays):
            digest.update(part)
    return digest.hexdigest()


def _digest(array: np.ndarray) -> bytes:
    return hashlib.sha256(array.data).digest()
