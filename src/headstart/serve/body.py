"""Read the body of a request within limits of size and time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.types import Receive

from headstart.serve.limits import Disconnected, Limits, Refused, size


async def chunks(receive: Receive, limits: Limits, most: int) -> AsyncIterator[bytes]:
    """Yield the parts of a body.

    Args:
        receive: of the request.
        limits: how slow it may be.
        most: its largest size in bytes.

    Raises:
        Refused: it is larger (413), or slower (408).
        Disconnected: the client is gone.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limits.slow_seconds
    received = 0
    more = True
    while more:
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError as error:
            raise Refused(
                408,
                f"the body did not arrive within {limits.slow_seconds:g} s; send it faster, or in smaller requests.",
                {"connection": "close"},
            ) from error
        if message["type"] == "http.disconnect":
            raise Disconnected
        part: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        received += len(part)
        deadline += len(part) / limits.bytes_per_second
        check_size(received, most)
        if part:
            yield part


def check_size(received: int, most: int) -> None:
    """Check the size of a body in bytes.

    Raises:
        Refused: it is too large (413).
    """
    if received > most:
        raise Refused(413, f"the body is larger than {size(most)}; send fewer or shorter inputs.")


async def whole(receive: Receive, limits: Limits) -> bytes:
    """Return the body of a request with inputs. Raises: as :func:`chunks`."""
    return b"".join([part async for part in chunks(receive, limits, limits.body_bytes)])
