"""Responses and routes that all files with routes share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Response

from headstart.core.contracts import Value

JSON = "application/json"
Handler = Callable[[], Awaitable[Response]]


def get(app: FastAPI, path: str, summary: str) -> Callable[[Handler], Handler]:
    """Return a decorator that makes a function answer GET and HEAD."""

    def add(handler: Handler) -> Handler:
        app.get(path, summary=summary)(handler)
        app.head(path, include_in_schema=False)(handler)
        return handler

    return add


def as_json(document: Value, status: int = 200) -> Response:
    """Return a response of JSON."""
    return Response(json.dumps(document).encode(), status, media_type=JSON)
