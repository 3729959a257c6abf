"""Micro-batches: while the model is busy, requests wait; when it is free, it takes what waits as one packed batch.

There is no timer: a request that finds the model free is predicted at once, and alone.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from headstart.core import memory
from headstart.core.contracts import Value
from headstart.serve.limits import Refused

# What the model takes at once. More is hardly faster, and while it predicts one batch the requests of the next one are
# read: with all that waits in one batch, the model and the server would take turns.
BATCH_INPUTS = 32
BATCH_CHARACTERS = 64_000
NEW = 0.2  # weight of the last batch in the measured rate
FIRST_RATE = 50.0  # inputs per second, before a batch was measured

Answers = list[dict[str, Value]]
Work = Callable[[list[Value]], Answers]


@dataclass(eq=False)
class _Waiting:
    """The inputs of one request, and the future of their answers, which is done early if nobody waits for it."""

    inputs: Sequence[Value]
    characters: int
    work: Work
    future: asyncio.Future[Answers]
    taken: bool = False


Outcome = tuple[_Waiting, "Answers | BaseException"]


@dataclass
class Batcher:
    """A thread that answers the inputs of requests in batches.

    answer: inputs -> one answer per input; called in this thread alone, as all work.
    characters: length of an input, for the size of batches.
    most: most inputs that wait.
    observe: called with the number of inputs of a batch and its seconds.
    """

    answer: Work
    characters: Callable[[Value], int]
    most: int
    observe: Callable[[int, float], None] = lambda inputs, seconds: None
    waiting: int = 0  # inputs
    rate: float = FIRST_RATE  # inputs per second
    _queue: deque[_Waiting] = field(default_factory=deque)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; called in the event loop that awaits the answers."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread once nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def has_room(self) -> bool:
        """Whether an input may wait."""
        return self.waiting < self.most

    def check_room(self, inputs: int = 1) -> None:
        """Check that inputs may wait.

        Raises:
            Refused: too many wait already; the header Retry-After says when they will have been answered.
        """
        if self.waiting + inputs > self.most:
            seconds = max(1, math.ceil(self.waiting / self.rate))
            raise Refused(
                429,
                f"{self.waiting} inputs wait for the model and at most {self.most} may; try again in {seconds} s.",
                {"retry-after": str(seconds)},
            )

    async def answers(
        self, inputs: Sequence[Value], future: asyncio.Future[Answers], work: Work | None = None
    ) -> Answers:
        """Let inputs wait, and return their answers.

        Args:
            inputs: at least one.
            future: of the running loop; whoever sets its exception withdraws the inputs.
            work: what to do with them instead of :attr:`answer`; no other inputs are in the same batch.

        Raises:
            Exception: of the model, or of the future.
        """
        item = _Waiting(inputs, sum(map(self.characters, inputs)), work or self.answer, future)
        with self._changed:
            self._queue.append(item)
            self.waiting += len(inputs)
            self._changed.notify()
        try:
            return await future
        finally:
            with self._changed:
                if not item.taken:
                    self._queue.remove(item)
                    self.waiting -= len(inputs)

    def _work(self) -> None:
        give_back_now_and_then = memory.giving_back()
        while batch := self._next():
            began = time.perf_counter()
            outcomes = self._outcomes(batch)
            seconds = time.perf_counter() - began
            if batch[0].work is self.answer:
                count = sum(len(item.inputs) for item in batch)
                self.rate += NEW * (count / max(seconds, 1e-6) - self.rate)
                self.observe(count, seconds)
            assert self._loop is not None
            try:
                self._loop.call_soon_threadsafe(_deliver, outcomes)
            except RuntimeError:  # the loop was closed: nobody waits
                return
            give_back_now_and_then()  # batches differ in length, and a process grows with them

    def _next(self) -> list[_Waiting]:
        """Wait for requests, and take as many as are a batch; none once the batcher is closed."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            batch: list[_Waiting] = []
            inputs = characters = 0
            while self._queue:
                item = self._queue[0]
                inputs += len(item.inputs)
                characters += item.characters
                full = inputs > BATCH_INPUTS or characters > BATCH_CHARACTERS
                if batch and (full or item.work is not batch[0].work):
                    break
                batch.append(self._queue.popleft())
                item.taken = True
                self.waiting -= len(item.inputs)
            return batch

    def _outcomes(self, batch: Sequence[_Waiting]) -> list[Outcome]:
        """Answer a batch; if that fails, each request alone, so that none fails because of another one."""
        try:
            found = batch[0].work([value for item in batch for value in item.inputs])
            if len(batch) == 1:
                return [(batch[0], found)]  # an explanation has any number of answers
            answers = iter(found)
            return [(item, list(itertools.islice(answers, len(item.inputs)))) for item in batch]
        except BaseException as error:  # a panic in the Rust code of tokenizers is not an Exception
            if len(batch) == 1:
                return [(batch[0], error)]
            return [outcome for item in batch for outcome in self._outcomes([item])]


def _deliver(outcomes: Sequence[Outcome]) -> None:
    for item, outcome in outcomes:
        if item.future.done():
            continue
        if isinstance(outcome, list):
            item.future.set_result(outcome)
        elif isinstance(outcome, Exception) and not isinstance(outcome, StopIteration):
            item.future.set_exception(outcome)
        else:
            item.future.set_exception(RuntimeError(f"{type(outcome).__name__}: {outcome}"))
