"""The memory of this process, and how it returns unused memory to the system."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

# Batches have different lengths, so freed activations do not fit the next ones well and a process grows with its
# batches (docs/lab.md): it returns them to the system this often, which costs less than a hundredth of the time.
GIVE_BACK_SECONDS = 10.0


def resident() -> int:
    """Return the resident memory of the process in bytes.

    On Linux without the pages of files, mapped or shared, which the system reclaims when memory is short.
    """
    import psutil

    usage = psutil.Process().memory_info()
    return int(usage.rss - getattr(usage, "shared", 0))


def available() -> int:
    """Return the bytes that processes can still allocate without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)


def give_back() -> None:
    """Return freed memory to the system (milliseconds); glibc retains it, though other blocks may not fit in."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only in glibc
        if trim is not None:
            trim(0)


def giving_back() -> Callable[[], None]:
    """Return a function that returns memory to the system, at most once in ten seconds."""
    last = time.monotonic()

    def now_and_then() -> None:
        nonlocal last
        if time.monotonic() - last >= GIVE_BACK_SECONDS:
            give_back()
            last = time.monotonic()

    return now_and_then
