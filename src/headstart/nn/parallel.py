"""Process many batches in parallel on a CPU, each by its own thread.

Threads that share a matrix product wait for the slowest of them at its end, hundreds of times per batch. Threads with
their own batches never wait for each other, and a thread that is slowed down processes fewer batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Input = TypeVar("Input")
Result = TypeVar("Result")

# Minimum number of batches per thread: with fewer, one thread often waits for the last batch of another.
LEAST = 2
AHEAD = 2  # batches per thread that are started ahead; their results take memory


def each(work: Callable[[Input], Result], batches: Sequence[Input], device: str) -> Iterator[Result]:
    """Yield the result of `work` for each batch, in order, computed on a CPU by as many threads as torch has.

    Grad mode and autocast belong to a thread, so `work` has to set them itself.

    >>> list(each(len, ["a", "", "abc"], "cpu"))
    [1, 0, 3]
    """
    threads = torch.get_num_threads()
    if device != "cpu" or threads == 1 or len(batches) < LEAST * threads:
        yield from map(work, batches)
        return
    waiting: deque[Future[Result]] = deque()
    with pool(threads) as workers:
        try:
            for batch in batches:
                waiting.append(workers.submit(work, batch))
                if len(waiting) > AHEAD * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def one_thread(wanted: bool) -> Iterator[None]:
    """Use one thread, if wanted, for work too small for two: waking a thread takes a tenth of a millisecond."""
    threads = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of workers that divide torch's threads among themselves."""
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(workers, "headstart", torch.set_num_threads, (max(1, threads // workers),)) as executor:
        try:
            yield executor
        finally:
            torch.set_num_threads(threads)  # the default of threads started later
