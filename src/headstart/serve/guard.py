"""What every request passes before anything of it is read: host, token, size and room, in this order.

A request that is refused here costs no more than its headers, so refusals stay fast when the model is overloaded.
"""

from __future__ import annotations

import hmac
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headstart.serve.body import check_size
from headstart.serve.limits import Limits, Refused

LOG = logging.getLogger("headstart.serve")
CONTENT = b"application/json"
# Pages load nothing but their own files, and none of these may hold scripts or styles inside.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
# Headers that change how a request is read.
PARSED = frozenset({b"transfer-encoding", b"expect", b"upgrade"})
KEEP = b"keep-alive"
MOST_UNREAD = 65536  # bytes of a body that are discarded after a refusal, so that the connection can be used again
LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass
class Guard:
    """An ASGI application around another one.

    app: the application.
    limits: of requests.
    token: what requests must carry; None for none, in which case they must come from this machine's own pages.
    public: paths that need no token.
    for_model: path -> whether a POST there waits for the model.
    has_room: whether there is room for an input to wait.
    check_room: raises Refused (429) if there is none.
    draining: whether the server is about to end, so that connections are closed after their answers.
    observe: called with path, status and seconds of each request.
    """

    app: ASGIApp
    limits: Limits
    token: str | None
    public: frozenset[str]
    for_model: Callable[[str], bool]
    has_room: Callable[[], bool]
    check_room: Callable[[], None]
    draining: Callable[[], bool]
    observe: Callable[[str, int, float], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = [*HEADERS, (b"connection", b"close")] if self.draining() else HEADERS
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            self._check(scope["method"], scope["path"], dict(scope["headers"]))
        except Refused as refused:
            await refuse(refused, sending)
        else:
            try:
                await self.app(scope, receive, sending)
            except Exception:  # the application has answered 500, and raises it once more for the log
                LOG.exception("an unexpected error at %s", scope["path"])
        self.observe(scope["path"], status, time.perf_counter() - began)

    def early(self, data: bytes) -> tuple[bytes, int] | None:
        """Return a whole response if the data begins a request that is refused because the model has no room.

        At ten times the load that the model can answer, nine requests in ten are refused, and to parse each of them
        would take the processor from the model. What is not a plain request is left to the parser.

        Returns:
            the response, and how many bytes of the request's body are still to come; or None.
        """
        if self.has_room() or self.draining():
            return None
        began = time.perf_counter()
        head, end, body = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        parts = first.split(b" ")
        pairs = [line.partition(b":") for line in lines]
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if not end or len(parts) != 3 or parts[2] != b"HTTP/1.1" or len(headers) < len(pairs) or PARSED & set(headers):
            return None
        length = headers.get(b"content-length", b"")
        if not (length.isdigit() and len(length) < 10) or headers.get(b"connection", KEEP).lower() != KEEP:
            return None
        left = int(length) - len(body)
        if not 0 <= left <= MOST_UNREAD:
            return None
        path = parts[1].decode("latin-1")
        try:
            self._check(parts[0].decode("latin-1"), path, headers)
        except Refused as refused:
            if refused.status == 429:
                self.observe(path, refused.status, time.perf_counter() - began)
                return _whole(refused), left
        return None

    def _check(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a request by its headers."""
        if self.token is None:
            _check_host(headers)
        elif path not in self.public:
            _check_token(headers, self.token)
        if method != "POST" or not self.for_model(path):
            return
        if headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != CONTENT:
            # Pages of other sites can send other types without asking first.
            raise Refused(415, "the body must be JSON, with the header 'Content-Type: application/json'.")
        length = headers.get(b"content-length", b"0")
        check_size(int(length) if length.isdigit() else 0, self.limits.body_bytes)
        self.check_room()


def _check_host(headers: Mapping[bytes, bytes]) -> None:
    """Refuse requests for other names: a page of another site whose name leads to this machine."""
    host = headers.get(b"host", b"").decode("latin-1")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() not in LOCAL:
        raise Refused(421, "without a token, this server answers only requests for localhost, 127.0.0.1 or [::1].")


def _check_token(headers: Mapping[bytes, bytes], token: str) -> None:
    kind, _, given = headers.get(b"authorization", b"").partition(b" ")
    # Compared in constant time, so that the time says nothing of the token.
    if not hmac.compare_digest(given.strip(), token.encode()) or kind.lower() != b"bearer":
        raise Refused(
            401, "send the server's token in the header 'Authorization: Bearer TOKEN'.", {"www-authenticate": "Bearer"}
        )


async def refuse(refused: Refused, send: Send) -> None:
    """Send the sentence of a refusal."""
    body = refusal(refused.sentence)
    headers = [(b"content-type", CONTENT), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in refused.headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _whole(refused: Refused) -> bytes:
    """Return a refusal as it is written to a connection."""
    body = refusal(refused.sentence)
    own = [(name.encode(), value.encode()) for name, value in refused.headers.items()]
    sized = [(b"content-type", CONTENT), (b"content-length", str(len(body)).encode())]
    lines = [b"HTTP/1.1 %d %s" % (refused.status, HTTPStatus(refused.status).phrase.encode())]
    lines += [b"%s: %s" % pair for pair in (*sized, *own, *HEADERS)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def refusal(sentence: str) -> bytes:
    """Return the body of a refusal.

    >>> refusal("too large.")
    b'{"error": "too large."}'
    """
    return json.dumps({"error": sentence}, ensure_ascii=False).encode("utf-8", errors="replace")
