"""The cost of a trial: seconds, memory, bytes on disk, latency of a single text."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.core import memory
from headstart.core.contracts import Fitted, Value

SAMPLE_SECONDS = 0.05
LATENCY_CALLS = 100
LATENCY_SECONDS = 3.0


@dataclass
class Reading:
    """Wall-clock seconds, and the peak of `core.memory.resident` above its initial value in bytes; set at the end."""

    seconds: float = 0.0
    peak_bytes: int = 0


@contextmanager
def measured() -> Iterator[Reading]:
    """Measure the block: a thread samples the memory of this process while it runs.

    >>> with measured() as reading:
    ...     block = bytearray(50_000_000)
    >>> reading.seconds > 0
    True
    """
    gc.collect()
    memory.give_back()  # otherwise a block that reuses freed memory would seem to need none
    start = memory.resident()
    reading = Reading()
    over = threading.Event()

    def sample() -> None:
        while True:
            reading.peak_bytes = max(reading.peak_bytes, memory.resident() - start)
            if over.wait(SAMPLE_SECONDS):
                return

    thread = threading.Thread(target=sample, daemon=True)
    began = time.perf_counter()
    thread.start()
    try:
        yield reading
    finally:
        reading.seconds = time.perf_counter() - began
        over.set()
        thread.join()
        reading.peak_bytes = max(reading.peak_bytes, memory.resident() - start)


def latency(fitted: Fitted, inputs: Sequence[Value]) -> tuple[float, float]:
    """Measure the milliseconds of a prediction for one text, as (median, 95th percentile).

    Texts are sampled evenly from `inputs`, the first calls are excluded, and the whole takes a few seconds at most.
    """
    places = np.linspace(0, len(inputs) - 1, LATENCY_CALLS).astype(int)
    for place in places[:3]:
        fitted.predict([inputs[place]])
    taken: list[float] = []
    began = time.perf_counter()
    for place in places:
        before = time.perf_counter()
        fitted.predict([inputs[place]])
        taken.append(1000 * (time.perf_counter() - before))
        if time.perf_counter() - began > LATENCY_SECONDS:
            break
    return float(np.percentile(taken, 50)), float(np.percentile(taken, 95))


def folder_bytes(folder: Path) -> int:
    """Return the total size of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
