"""What the server accepts, and how it refuses the rest: one sentence as JSON, with the status that says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the server accepts.

    body_bytes: largest body of a request with inputs.
    inputs: most inputs of a request.
    queue: most inputs that wait for the model; further requests are refused.
    upload_bytes: largest file whose rows are predicted.
    uploads: most files that are received or predicted at the same time.
    connections: most open connections.
    slow_seconds: after which headers, or a body, that do not arrive are given up.
    bytes_per_second: rate from which a body is not slow, however long it is.
    stuck_seconds: after which a client that does not read its answer is disconnected.
    """

    body_bytes: int = 2_000_000
    inputs: int = 32
    queue: int = 256
    upload_bytes: int = 50_000_000
    uploads: int = 2
    connections: int = 512
    slow_seconds: float = 8.0
    bytes_per_second: float = 200_000.0
    stuck_seconds: float = 10.0


class Refused(Exception):
    """A request that is not answered.

    status: HTTP status, 400 to 599.
    sentence: what is wrong and what to do about it.
    headers: of the response.
    """

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = dict(headers or {})


class Disconnected(Exception):
    """The client has closed the connection, so nobody waits for the answer."""


def size(bytes_: int) -> str:
    """Write a number of bytes for a person.

    >>> size(2_000_000), size(1_500_000), size(800)
    ('2 MB', '1.5 MB', '800 bytes')
    """
    return f"{bytes_ / 1e6:g} MB" if bytes_ >= 100_000 else f"{bytes_} bytes"
