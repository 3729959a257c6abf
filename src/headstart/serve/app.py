"""The routes of the server, as a FastAPI application inside the guard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from headstart.serve import explanation, files, inputs, kserve, pages, schema
from headstart.serve.guard import Guard, refusal
from headstart.serve.limits import Disconnected, Refused
from headstart.serve.responses import JSON, as_json, get
from headstart.serve.service import PREDICT, Service

PUBLIC = frozenset({"/health/live", "/health/ready", *kserve.PUBLIC, *pages.PUBLIC})
PATHS = frozenset({PREDICT, explanation.PATH, files.PATH, "/metrics", "/openapi.json", *pages.PATHS, *PUBLIC})
GONE = 499  # of a request whose client has disconnected, for the counters; nobody receives it
SENTENCES = {404: "there is no {path} here; see /docs.", 405: "{path} does not answer {method}; it answers {allowed}."}


def paths(name: str) -> frozenset[str]:
    """Return the paths of all routes of a model."""
    return PATHS | kserve.paths(name)


def application(service: Service, token: str | None = None) -> Guard:
    """Return the ASGI application of a service.

    Args:
        service: the model.
        token: what requests must carry; None for none.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        service.batcher.close()

    app = FastAPI(
        title=f"Headstart: {service.name}", docs_url=None, redoc_url=None, lifespan=lifespan, redirect_slashes=False
    )
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Disconnected, _disconnected)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    _add_routes(app, service)
    explanation.add_routes(app, service)
    files.add_routes(app, service)
    kserve.add_routes(app, service)
    pages.add_routes(app, service)
    return Guard(
        app,
        service.limits,
        token,
        PUBLIC,
        for_model=lambda path: path in (PREDICT, explanation.PATH) or kserve.is_infer(path),
        has_room=service.batcher.has_room,
        check_room=service.batcher.check_room,
        draining=lambda: service.draining,
        observe=service.monitoring.request,
    )


def _add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes of the model itself, and of its health."""

    @app.post(PREDICT, summary="Predict inputs.", openapi_extra=schema.predict(service.fitted.task, service.limits))
    async def predict(request: Request) -> Response:
        document = await service.document(request.receive)
        given = inputs.listed(document, service.limits.inputs)
        return as_json({"predictions": await service.predict(given, request.receive)})

    @get(app, "/health/live", "Whether the server runs.")
    async def live() -> Response:
        return as_json({"live": True})

    @get(app, "/health/ready", "Whether new requests are welcome.")
    async def ready() -> Response:
        return as_json({"ready": service.ready}, 200 if service.ready else 503)

    @get(app, "/metrics", "Counters in the format of Prometheus.")
    async def metrics() -> Response:
        text, kind = service.monitoring.text()
        return Response(text, media_type=kind)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return Response(refusal(error.sentence), error.status, error.headers, JSON)


async def _disconnected(request: Request, error: Exception) -> Response:
    return Response(status_code=GONE)


async def _http(request: Request, error: Exception) -> Response:
    """Word what FastAPI itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    sentence = SENTENCES.get(error.status_code, str(error.detail)).format(
        path=request.url.path, method=request.method, allowed=headers.get("Allow", "")
    )
    return Response(refusal(sentence), error.status_code, headers, JSON)


async def _unexpected(request: Request, error: Exception) -> Response:
    sentence = f"an unexpected error ({type(error).__name__}); see the server's log."
    return Response(refusal(sentence), 500, None, JSON)
