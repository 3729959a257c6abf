"""The pages of the server, for people: the model at ``/`` and the routes at ``/docs``. Their files are packaged."""

from __future__ import annotations

from importlib.resources import files

from fastapi import FastAPI, Response

from headstart.core.contracts import Value
from headstart.serve import inputs
from headstart.serve.limits import Refused
from headstart.serve.responses import as_json, get
from headstart.serve.service import Service

HTML, CSS, SCRIPT = "text/html; charset=utf-8", "text/css; charset=utf-8", "text/javascript; charset=utf-8"
# Path -> file and type.
ASSETS = {
    "/": ("page.html", HTML),
    "/page.css": ("page.css", CSS),
    "/page.js": ("page.js", SCRIPT),
    "/docs": ("docs.html", HTML),
    "/docs.js": ("docs.js", SCRIPT),
}
PUBLIC = frozenset(ASSETS)
CARD, MODEL = "/card", "/model"
PATHS = frozenset({CARD, MODEL})
LONGEST_CARD = 1_000_000  # bytes


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes of pages, and of what they show."""
    for path, (name, kind) in ASSETS.items():
        _add_asset(app, path, files(__package__).joinpath(name).read_bytes(), kind)

    @get(app, MODEL, "What the model reads and answers.")
    async def model() -> Response:
        return as_json(described(service))

    @get(app, CARD, "The model's card, as text.")
    async def card() -> Response:
        text = card_of(service)
        if text is None:
            raise Refused(404, "this model has no card: there is no README.md in its folder.")
        return Response(text, media_type="text/plain; charset=utf-8")


def _add_asset(app: FastAPI, path: str, content: bytes, kind: str) -> None:
    async def asset() -> Response:
        return Response(content, headers={"cache-control": "no-cache"}, media_type=kind)

    app.get(path, include_in_schema=False)(asset)
    app.head(path, include_in_schema=False)(asset)


def described(service: Service) -> dict[str, Value]:
    """Return what a page must know of the model."""
    task, limits = service.fitted.task, service.limits
    return {
        "name": service.name,
        "kind": task.kind,
        "roles": [{"role": column.role, "required": column.required} for column in task.columns if not column.target],
        "columns": list(task.tabular.names),
        "classes": list(task.classes),
        "example": inputs.example(task),
        "upload_bytes": limits.upload_bytes,
        "card": card_of(service) is not None,
    }


def card_of(service: Service) -> str | None:
    """Return the card in the folder of the model, or None."""
    if service.folder is None:
        return None
    try:
        with (service.folder / "README.md").open("rb") as file:
            return file.read(LONGEST_CARD).decode("utf-8", errors="replace")
    except OSError:
        return None
