"""POST /predict/file: a table with answers added, as `headstart predict` writes it."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.background import BackgroundTask
from starlette.responses import FileResponse
from starlette.types import Receive

from headstart.core.contracts import Value
from headstart.core.errors import HeadstartError
from headstart.core.records import ReadWarning, Rejected
from headstart.data import write
from headstart.prediction import WITH_CONFIDENCE, written_columns
from headstart.serve import body, schema
from headstart.serve.batcher import BATCH_INPUTS, Answers
from headstart.serve.limits import Disconnected, Refused, size
from headstart.serve.service import Service

PATH = "/predict/file"
# Types that pages of other sites cannot send without asking first.
SUFFIXES = {"text/csv": ".csv", "text/tab-separated-values": ".tsv", "application/x-ndjson": ".jsonl"}
# How the command line names a column, which here is a part of the address.
FLAG = re.compile(r"--(?:column (\w+)=NAME|(\w+) NAME)")
PAUSE = 0.02  # seconds until a file looks again for room in the queue


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the route."""
    uploads = Uploads(service)

    @app.post(
        PATH,
        summary="Predict the rows of a file; the answers are added to it as columns. ?text=NAME names a column.",
        openapi_extra={
            "requestBody": {
                "required": True,
                "description": f"A table with a header, at most {size(service.limits.upload_bytes)}.",
                "content": {kind: {"schema": {"type": "string"}} for kind in SUFFIXES},
            },
            "responses": schema.refusals(),
        },
    )
    async def predict_file(request: Request) -> Response:
        return await uploads.answer(request)


@dataclass
class Uploads:
    """The files that are being predicted."""

    service: Service
    open: int = 0

    async def answer(self, request: Request) -> Response:
        """Receive a file, and return it with answers.

        Raises:
            Refused: it is of another type (415), too large (413), too slow (408), not a table that the model can read
                (422), or one of too many (429).
            Disconnected: the client is gone.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in SUFFIXES:
            raise Refused(415, f"the file must be sent with a Content-Type of {', '.join(SUFFIXES)}.")
        if self.open >= self.service.limits.uploads:
            raise Refused(429, f"{self.open} files are being predicted; try again in 10 s.", {"retry-after": "10"})
        self.open += 1
        place = tempfile.TemporaryDirectory(prefix="headstart-")
        try:
            source = Path(place.name) / f"file{SUFFIXES[kind]}"
            out = Path(place.name) / f"answers{SUFFIXES[kind]}"
            limits = self.service.limits
            with source.open("wb") as file:
                async for part in body.chunks(request.receive, limits, limits.upload_bytes):
                    file.write(part)
            rows, unread = await self._predict(source, out, dict(request.query_params), request.receive)
        except BaseException:
            place.cleanup()
            raise
        finally:
            self.open -= 1
        counts = {"headstart-rows": str(rows), "headstart-unread": str(unread)}
        done = BackgroundTask(place.cleanup)
        return FileResponse(out, 200, counts, kind, done, filename=out.name)

    async def _predict(self, source: Path, out: Path, columns: dict[str, str], receive: Receive) -> tuple[int, int]:
        """Predict the rows of a file in a thread; return their number, and that of rows without an answer."""
        job = _Job(self.service, asyncio.get_running_loop())
        watch = asyncio.create_task(job.watch(receive))
        try:
            rows = await asyncio.to_thread(job.run, source, out, columns)
        except HeadstartError as error:
            raise Refused(422, FLAG.sub(r"?\1\2=NAME", str(error))) from error
        finally:
            watch.cancel()
        return rows, job.unread


@dataclass
class _Job:
    """A file that is being predicted."""

    service: Service
    loop: asyncio.AbstractEventLoop
    unread: int = 0
    gone: bool = False

    async def watch(self, receive: Receive) -> None:
        """Note that the client has disconnected."""
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone = True

    def run(self, source: Path, out: Path, columns: dict[str, str]) -> int:
        """Write the file with answers; columns: role -> name, others are those of the training rows, or detected."""
        task = self.service.fitted.task
        return write.extend(
            source,
            out,
            written_columns(task, self.service.threshold is not None),
            self._answers,
            task=task,
            columns=columns,
            texts=0 if task.kind == "number" else 1,
            report=self._report,
        )

    def _report(self, item: Rejected | ReadWarning) -> None:
        self.unread += isinstance(item, Rejected)

    def _answers(self, inputs: list[Value]) -> list[list[Value]]:
        """Answer rows, few at a time, so that requests need not wait for a whole file."""
        cells = []
        for start in range(0, len(inputs), BATCH_INPUTS):
            part = inputs[start : start + BATCH_INPUTS]
            cells += [
                self._cells(one) for one in asyncio.run_coroutine_threadsafe(self._some(part), self.loop).result()
            ]
        return cells

    async def _some(self, inputs: Sequence[Value]) -> Answers:
        """Answer a few rows once there is room for them."""
        batcher = self.service.batcher
        while not (batcher.has_room() or self.gone):
            await asyncio.sleep(PAUSE)
        if self.gone:
            raise Disconnected
        return await batcher.answers(inputs, self.loop.create_future())

    def _cells(self, answer: dict[str, Value]) -> list[Value]:
        kind = self.service.fitted.task.kind
        sure = [answer.get("confidence")] if kind in WITH_CONFIDENCE or self.service.threshold is not None else []
        return [answer["predicted"], *sure, *answer.get("scores", {}).values()]
