"""Many batches at once on a CPU, each by a thread of its own.

Threads that share a product wait for the slowest of them at its end, hundreds of times a batch. Threads with batches of
their own never wait for each other, and one that a busy neighbour holds up takes the fewer batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import torch

Given = TypeVar("Given")
Found = TypeVar("Found")

# Batches for each thread from which it pays: with fewer, one thread often waits for the last batch of another.
LEAST = 2
AHEAD = 2  # batches for each thread that are begun before the first one is asked for: results lie in memory


def each(work: Callable[[Given], Found], batches: Sequence[Given], device: str) -> Iterator[Found]:
    """Yield what `work` finds for each batch, in their order, on a CPU by as many threads as torch has.

    Grad mode, autocast and the like are a thread's own, so `work` has to set them itself.

    >>> list(each(len, ["a", "", "abc"], "cpu"))
    [1, 0, 3]
    """
    threads = torch.get_num_threads()
    if device != "cpu" or threads == 1 or len(batches) < LEAST * threads:
        yield from map(work, batches)
        return
    waiting: deque[Future[Found]] = deque()
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
    """Let one thread do, where wanted, what is too little for two: to wake another takes a tenth of a millisecond."""
    threads = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Give workers that divide torch's threads among themselves."""
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(workers, "headstart", torch.set_num_threads, (max(1, threads // workers),)) as found:
        try:
            yield found
        finally:
            torch.set_num_threads(threads)  # what threads to come begin with
