"""Connections of uvicorn that give up slow clients, and that end without losing a request which was received."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from types import FrameType

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import HANDLED_SIGNALS, Server

from headstart.serve.limits import Limits

# How long a connection without a request stays open at the end: what was sent before is still on its way.
LAST_SECONDS = 0.25
TICKS = 5  # tenths of a second between two looks at the connections


# The beginning of a request -> a whole response and the number of bytes still to come, if it is refused by its headers
# because the model is overloaded.
Early = Callable[[bytes], tuple[bytes, int] | None]


class Connection(H11Protocol):
    """A connection. uvicorn itself has no limit for headers, for bodies that nobody reads, and for slow readers."""

    limits = Limits()
    early: Early = staticmethod(lambda data: None)
    slow_since: float | None = None  # since when headers, or a body that nobody reads, are expected
    stuck_since: float | None = None  # since when the client has not read what was written
    unread: int = 0  # bytes that it has not read
    unwanted: int = 0  # bytes still to come of a request that was refused
    ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Refuse the connection if there are too many."""
        super().connection_made(transport)
        self.slow_since = time.monotonic()
        if len(self.connections) > self.limits.connections:
            self._end(503, f"{self.limits.connections} connections are open, and no more may be; try again in 1 s.")

    def data_received(self, data: bytes) -> None:
        """Read what has arrived, and note whether headers are still expected."""
        if self.transport.is_closing():
            return
        skipped = min(self.unwanted, len(data))
        self.unwanted -= skipped
        data = data[skipped:]
        if not data:
            return
        if self.conn.our_state is h11.IDLE and not self.conn.trailing_data[0] and (refusal := self.early(data)):
            self._unset_keepalive_if_required()
            self.slow_since = time.monotonic()
            response, self.unwanted = refusal
            self.transport.write(response)
            if self.ending:
                self.transport.close()
            return
        super().data_received(data)
        self._note()
        if self.ending and not self._idle():
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """Note whether a body is still to be read that nobody wants."""
        super().on_response_complete()
        self._note()
        if self.conn.their_state is h11.IDLE:  # for which uvicorn has a limit
            self.slow_since = None

    def shutdown(self) -> None:
        """End the connection after the request that is being answered, or that is on its way."""
        self.ending = True
        if self._idle():
            self.loop.call_later(LAST_SECONDS, self._end_if_idle)
        else:
            super().shutdown()

    def check(self, now: float) -> None:
        """Disconnect a client that is too slow; called a few times per second."""
        unread = self.transport.get_write_buffer_size()
        if unread == 0 or unread != self.unread:
            self.stuck_since = now if unread else None
        self.unread = unread
        if self.stuck_since is not None and now - self.stuck_since > self.limits.stuck_seconds:
            self.transport.abort()
        elif self.slow_since is not None and now - self.slow_since > self.limits.slow_seconds:
            self.slow_since = None
            if self.conn.trailing_data[0] and self.conn.their_state is h11.IDLE:
                self._end(408, f"the headers did not arrive within {self.limits.slow_seconds:g} s.")
            else:
                self.transport.close()

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _note(self) -> None:
        theirs = self.conn.their_state
        waiting = theirs is h11.IDLE or (theirs is h11.SEND_BODY and self._idle())
        self.slow_since = (self.slow_since or time.monotonic()) if waiting else None

    def _end_if_idle(self) -> None:
        if self.transport.is_closing():
            return
        if self._idle():
            self.transport.close()
        else:
            self.cycle.keep_alive = False

    def _end(self, status: int, sentence: str) -> None:
        """Answer without a request, and close."""
        body = json.dumps({"error": sentence})
        self.transport.write(
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\nretry-after: 1\r\n\r\n{body}".encode()
        )
        self.transport.close()


class Ending(Server):
    """A server that looks after its connections, and ends at a signal without an error."""

    on_signal: Callable[[], None] = staticmethod(lambda: None)

    async def on_tick(self, counter: int) -> bool:
        """Disconnect slow clients; called ten times per second."""
        if counter % TICKS == 0:
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.check(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the server; unlike uvicorn, not the process after it."""
        if threading.current_thread() is not threading.main_thread():  # which alone receives signals
            yield
            return

        def handle(number: int, frame: FrameType | None) -> None:
            self.on_signal()
            self.handle_exit(number, frame)

        before = {number: signal.signal(number, handle) for number in HANDLED_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def within(limits: Limits, early: Early) -> type[Connection]:
    """Return the class of connections with these limits, and with answers that need no parsing."""

    class Limited(Connection):
        pass

    Limited.limits = limits
    Limited.early = staticmethod(early)
    return Limited
