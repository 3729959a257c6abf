"""A model that answers requests: what all routes share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from starlette.types import Receive

from headstart.core.contracts import Fitted, Value
from headstart.core.errors import HeadstartError
from headstart.serve import answers, body, inputs
from headstart.serve.batcher import Answers, Batcher, Work
from headstart.serve.limits import Disconnected, Limits, Refused
from headstart.serve.monitoring import Monitoring

PREDICT = "/predict"
# Lengths of texts that are predicted at the start; the kernels of `nn.prepacked` differ from one to the next.
WORDS = (*range(1, 8), *range(8, 16, 2), *range(16, 32, 4), *range(32, 64, 8), *range(64, 128, 16))


@dataclass
class Service:
    """An open model with its queue.

    fitted: the model.
    name: of the model, for KServe's routes and the page.
    limits: of requests.
    paths: of all routes, for the counters.
    threshold: confidence below which nothing is predicted, 0 to 1; None to answer all.
    folder: of the model, for its card; None for none.
    draining: whether the server is about to end.
    """

    fitted: Fitted
    name: str
    limits: Limits
    paths: frozenset[str]
    folder: Path | None = None
    threshold: float | None = None
    draining: bool = False
    batcher: Batcher = field(init=False)
    monitoring: Monitoring = field(init=False)

    def __post_init__(self) -> None:
        task = self.fitted.task
        self.monitoring = Monitoring(self.paths, lambda: self.batcher.waiting)
        self.batcher = Batcher(
            partial(answers.answer, self.fitted, self.threshold),
            lambda value: sum(map(len, task.texts(value))),
            self.limits.queue,
            self.monitoring.batch,
        )

    def warm_up(self) -> None:
        """Predict texts of several lengths, since the first prediction of each takes longer than others."""
        self.batcher.answer([inputs.sample(self.fitted.task)])
        for words in WORDS if inputs.only_text(self.fitted.task) else ():
            try:
                self.batcher.answer(inputs.read(self.fitted.task, [" ".join(["a"] * words)]))
            except Refused:  # the task has texts of another form
                return

    @property
    def ready(self) -> bool:
        """Whether new requests are welcome."""
        return self.batcher.alive and not self.draining

    async def document(self, receive: Receive) -> Value:
        """Return the body of a request, parsed. Raises: as `body.whole` and `inputs.parse`."""
        return inputs.parse(await body.whole(receive, self.limits))

    async def predict(self, given: Sequence[Value], receive: Receive) -> Answers:
        """Answer inputs as they were sent, unless the client disconnects.

        Raises:
            Refused: as for `inputs.read`; the queue is full (429), or the model cannot read an input (422).
            Disconnected: the client is gone.
        """
        return await self.work(inputs.read(self.fitted.task, given), receive)

    async def work(self, read: Sequence[Value], receive: Receive, work: Work | None = None) -> Answers:
        """Let the model work on inputs of the task, unless the client disconnects.

        Args:
            read: the inputs.
            receive: of the request, whose body was read.
            work: what to do; None to predict.

        Raises:
            Refused: the queue is full (429), or the model cannot read an input (422).
            Disconnected: the client is gone.
        """
        self.batcher.check_room(len(read))
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answers] = loop.create_future()
        watch = loop.create_task(_watch(receive, future))
        try:
            return await self.batcher.answers(read, future, work)
        except HeadstartError as error:
            raise Refused(422, f"the model cannot read this: {error}") from error
        except MemoryError as error:
            raise Refused(503, "there is not enough memory for this; send fewer or shorter inputs.") from error
        finally:
            watch.cancel()


async def _watch(receive: Receive, future: asyncio.Future[Answers]) -> None:
    """Withdraw a request whose client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass
    if not future.done():
        future.set_exception(Disconnected())
