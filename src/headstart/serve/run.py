"""Open a model and serve it until a signal ends the server."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

import uvicorn

from headstart.core.contracts import Fitted
from headstart.core.errors import UsageError, shown
from headstart.core.terminal import say
from headstart.serve.app import application, paths
from headstart.serve.connection import Ending, within
from headstart.serve.limits import Limits
from headstart.serve.service import Service

BACKLOG = 2048  # connections that wait to be accepted, as in uvicorn
# The thread of the connections and that of the model wait for each other's Python code no longer than this. Python's
# default of 5 ms makes refusals wait while the model is busy, and the model before each of its operations.
SWITCH_SECONDS = 0.001
GRACE = 60  # seconds that requests which were accepted may take at the end


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UsageError: the address cannot be used.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a host"
        raise UsageError(
            f"cannot listen at {shown(host)}, port {port} ({reason}); choose others with --host and --port."
        ) from error
    return listening


def server(service: Service, token: str | None) -> Ending:
    """Return the server of a service; ``run([socket])`` runs it until it is asked to stop.

    Args:
        service: the model.
        token: what requests must carry; None for none.
    """
    guard = application(service, token)
    config = uvicorn.Config(
        guard,
        http=within(service.limits, guard.early),
        ws="none",
        loop="asyncio",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    ending = Ending(config)

    def drain() -> None:
        service.draining = True

    ending.on_signal = drain
    return ending


def serve(
    fitted: Fitted,
    folder: Path,
    host: str,
    port: int,
    token: str | None,
    limits: Limits,
    threshold: float | None = None,
) -> None:
    """Serve a model until SIGTERM or SIGINT; requests that were accepted by then are answered.

    Args:
        fitted: the model.
        folder: where it was opened, which names it.
        host: name or address to listen at.
        port: to listen at; 0 for any.
        token: what requests must carry; None for none.
        limits: of requests.
        threshold: confidence below which nothing is predicted, 0 to 1; None to answer all.

    Raises:
        UsageError: the address cannot be used; or a threshold, and the model gives no confidence.
    """
    name = model_name(folder)
    service = Service(fitted, name, limits, paths(name), folder, threshold)
    listening = listen(host, port)
    service.warm_up()
    sys.setswitchinterval(SWITCH_SECONDS)
    shown_host = f"[{host}]" if ":" in host else host
    say(f"Serving {service.name} at http://{shown_host}:{listening.getsockname()[1]} (stop with Ctrl-C).")
    server(service, token).run([listening])


def model_name(folder: Path) -> str:
    """Return a name for the model of a folder: of runs/reviews/best it is 'reviews'.

    >>> model_name(Path("/runs/reviews/best"))
    'reviews'
    """
    path = folder.resolve() if folder.name != "best" else folder.absolute()
    name = path.parent.name if path.name == "best" else path.name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "model"  # it is a part of paths
