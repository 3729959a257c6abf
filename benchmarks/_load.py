"""Requests to a server from a process of its own: ``_load JSON``; prints what came back, as JSON.

Connections stay open, as those of most clients do. Bytes are written and counted without an HTTP library, which takes a
few hundredths of a millisecond per request; the processor time of the generator itself is in the result.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

MOST_CONNECTIONS = 400


@dataclass
class Plan:
    """What is sent.

    port: of the server, on this machine.
    seconds: how long.
    clients: that each send the next request once the last one is answered; 0 for `rate`.
    rate: requests per second, whether or not others are answered.
    texts: a JSON file with the texts, one of which is sent at a time.
    warm_up: seconds at the beginning that do not count.
    """

    port: int
    seconds: float
    texts: str
    clients: int = 0
    rate: float = 0.0
    warm_up: float = 1.0


@dataclass
class Seen:
    """What came back: status -> milliseconds of each answer; and what did not."""

    milliseconds: dict[int, list[float]] = field(default_factory=dict)
    lost: int = 0  # requests whose connection was closed without an answer
    unsent: int = 0  # requests for which no connection was free
    refused: int = 0  # connections that could not be opened


class Client(asyncio.Protocol):
    """A connection that sends one request at a time."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.began = 0.0
        self.data = b""
        self.open = True

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def ask(self) -> None:
        """Send a request."""
        self.began = time.perf_counter()
        self.transport.write(self.load.request())

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return
        low = head.lower()
        length = int(low.partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self.data = b""
        self.load.answered(int(head[9:12]), time.perf_counter() - self.began)
        self.began = 0.0
        if b"connection: close" in low:
            self.open = False
            self.transport.close()
        else:
            self.load.free(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self.load.gone(self)


class Load:
    """All connections of a generator."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        texts = json.loads(Path(plan.texts).read_text(encoding="utf-8"))
        bodies = [json.dumps({"inputs": [text]}).encode() for text in texts]
        self.requests = [
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            for body in bodies
        ]
        self.chance = random.Random(0)
        self.seen = Seen()
        self.idle: list[Client] = []
        self.connections = 0
        self.counting = self.ended = False

    def request(self) -> bytes:
        """Return the bytes of a request."""
        return self.chance.choice(self.requests)

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        if self.counting:
            self.seen.milliseconds.setdefault(status, []).append(1000 * seconds)

    def free(self, client: Client) -> None:
        """Let a connection send its next request, or wait for it."""
        if self.ended:
            return
        if self.plan.clients:
            client.ask()
        else:
            self.idle.append(client)

    def gone(self, client: Client) -> None:
        """Count a connection that was closed."""
        self.connections -= 1
        if client in self.idle:
            self.idle.remove(client)
        if client.began and not self.ended:
            self.seen.lost += 1

    async def connect(self) -> None:
        """Open a connection and send its first request."""
        self.connections += 1
        try:
            _, client = await asyncio.get_running_loop().create_connection(
                lambda: Client(self), "127.0.0.1", self.plan.port
            )
        except OSError:
            self.connections -= 1
            self.seen.refused += 1
            return
        client.ask()

    async def run(self) -> dict[str, Any]:
        """Send requests; return what came back."""
        plan = self.plan
        opening: set[asyncio.Task[None]] = set()
        if plan.clients:
            await asyncio.gather(*(self.connect() for _ in range(plan.clients)))
        start = time.perf_counter()
        sent = 0
        cpu = 0.0
        while (now := time.perf_counter() - start) < plan.warm_up + plan.seconds:
            if not self.counting and now >= plan.warm_up:
                self.counting, cpu = True, time.process_time()
            if plan.clients and not self.connections:
                break  # the server has ended
            for _ in range(int(now * plan.rate) - sent):
                sent += 1
                if self.idle:
                    self.idle.pop().ask()
                elif self.connections < MOST_CONNECTIONS:
                    opening.add(task := asyncio.create_task(self.connect()))
                    task.add_done_callback(opening.discard)
                else:
                    self.seen.unsent += 1
            await asyncio.sleep(0.002 if plan.rate else 0.05)
        self.ended = True
        return self.result(time.perf_counter() - start - plan.warm_up, time.process_time() - cpu)

    def result(self, seconds: float, cpu: float) -> dict[str, Any]:
        """Sum up."""
        answers = {str(status): summary(times) for status, times in sorted(self.seen.milliseconds.items())}
        good = len(self.seen.milliseconds.get(200, ()))
        others = {name: value for name, value in asdict(self.seen).items() if name != "milliseconds"}
        return {
            "per_second": round(good / seconds, 1),
            "answers": answers,
            **others,
            "generator_cpu": round(cpu / seconds, 3),
        }


def summary(times: list[float]) -> dict[str, float]:
    """Return the number and quantiles of milliseconds.

    >>> summary([1.0, 2.0, 3.0])
    {'count': 3, 'p50': 2.0, 'p95': 3.0, 'p99': 3.0, 'max': 3.0}
    """
    ordered = sorted(times)
    at = {f"p{share}": ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (95, 99)}
    values = {"p50": statistics.median(ordered), **at, "max": ordered[-1]}
    return {"count": len(ordered), **{name: round(value, 2) for name, value in values.items()}}


def tally(statuses: Counter[int]) -> dict[str, int]:
    """Return counted statuses in order.

    >>> tally(Counter({200: 2, 0: 1}))
    {'0': 1, '200': 2}
    """
    return {str(status): count for status, count in sorted(statuses.items())}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Load(Plan(**json.loads(sys.argv[1]))).run())))
