"""What this process holds of the machine's memory, and how it gives back what it does not use."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

# Batches are of different lengths, so freed activations fit the next ones badly and a process grows with its batches
# (docs/lab.md): it gives them back this often, which costs less than a hundredth of the time.
GIVE_BACK_SECONDS = 10.0


def resident() -> int:
    """Count the bytes that the machine has to find room for.

    On Linux without the pages of files, mapped or shared, which the system takes back when somebody needs room.
    """
    import psutil

    found = psutil.Process().memory_info()
    return int(found.rss - getattr(found, "shared", 0))


def available() -> int:
    """Count the bytes that processes can still take without swapping."""
    import psutil

    return int(psutil.virtual_memory().available)


def give_back() -> None:
    """Give the system what was freed (milliseconds). glibc keeps it, and a block of another length may not fit in."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # which glibc alone has
        if trim is not None:
            trim(0)


def giving_back() -> Callable[[], None]:
    """Return what gives memory back when it is called, unless it was given back less than ten seconds ago."""
    last = time.monotonic()

    def now_and_then() -> None:
        nonlocal last
        if time.monotonic() - last >= GIVE_BACK_SECONDS:
            give_back()
            last = time.monotonic()

    return now_and_then
