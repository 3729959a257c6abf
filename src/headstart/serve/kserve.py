"""The routes of KServe's Open Inference Protocol, version 2, in JSON: one tensor of texts for each role of the task."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib.metadata import version

from fastapi import FastAPI, Request, Response

from headstart.core.contracts import Value
from headstart.core.errors import shown
from headstart.core.tabular import COLUMNS
from headstart.prediction import WITH_CONFIDENCE
from headstart.serve import inputs, schema
from headstart.serve.batcher import Answers
from headstart.serve.limits import Refused
from headstart.serve.responses import as_json, get
from headstart.serve.service import Service

ROOT = "/v2"
TEXT, NUMBER = "BYTES", "FP64"
PUBLIC = frozenset({f"{ROOT}/health/live", f"{ROOT}/health/ready"})


def paths(name: str) -> frozenset[str]:
    """Return the paths of a model's routes."""
    own = f"{ROOT}/models/{name}"
    return frozenset({ROOT, own, f"{own}/ready", f"{own}/infer", *PUBLIC})


def is_infer(path: str) -> bool:
    """Return whether a POST to a path waits for the model."""
    return path.startswith(f"{ROOT}/models/") and path.endswith("/infer")


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes."""
    own = f"{ROOT}/models/{service.name}"

    @get(app, ROOT, "KServe V2: the server.")
    async def server() -> Response:
        return as_json({"name": "headstart", "version": version("headstart"), "extensions": []})

    @get(app, f"{ROOT}/health/live", "KServe V2: whether the server runs.")
    async def live() -> Response:
        return as_json({"live": True})

    @get(app, f"{ROOT}/health/ready", "KServe V2: whether new requests are welcome.")
    async def ready() -> Response:
        return as_json({"ready": service.ready}, 200 if service.ready else 503)

    @get(app, own, "KServe V2: the tensors of the model.")
    async def model() -> Response:
        return as_json(described(service))

    @get(app, f"{own}/ready", "KServe V2: whether the model is ready.")
    async def model_ready() -> Response:
        return as_json({"name": service.name, "ready": service.ready}, 200 if service.ready else 503)

    @app.post(f"{own}/infer", summary="KServe V2: predict inputs.", openapi_extra={"responses": schema.refusals()})
    async def infer(request: Request) -> Response:
        document = await service.document(request.receive)
        given = rows(service, document)
        answers = await service.predict(given, request.receive)
        same = {"id": document["id"]} if isinstance(document.get("id"), str) else {}
        return as_json({"model_name": service.name, **same, "outputs": outputs(service, answers)})


def described(service: Service) -> dict[str, Value]:
    """Return the model's tensors."""
    task = service.fitted.task
    roles = [column.role for column in task.columns if not column.target]
    tensors = [{"name": name, "datatype": TEXT, "shape": [-1]} for name in (*roles, *task.tabular.names)]
    predicted = NUMBER if task.kind == "number" else TEXT
    given: list[dict[str, Value]] = [{"name": "predicted", "datatype": predicted, "shape": [-1]}]
    if task.kind == "label" or task.kind in WITH_CONFIDENCE:
        given.append({"name": "confidence", "datatype": NUMBER, "shape": [-1]})
    if task.kind in ("label", "labels"):
        given.append({"name": "scores", "datatype": NUMBER, "shape": [-1, len(task.classes)]})
    return {"name": service.name, "platform": "headstart", "inputs": tensors, "outputs": given}


def rows(service: Service, document: Value) -> list[Value]:
    """Turn the tensors of a request into inputs as they are sent to /predict.

    Raises:
        Refused: a tensor is missing, unknown, or not as it says (422).
    """
    tensors = document.get("inputs") if isinstance(document, dict) else None
    if not isinstance(tensors, list) or not tensors:
        raise Refused(422, "the body must be an object with a list of tensors, 'inputs'; see GET /v2/models/NAME.")
    beside = service.fitted.task.tabular.names
    columns: dict[str, list[Value]] = {}
    for tensor in tensors:
        name, values = _values(tensor)
        if name in columns:
            raise Refused(422, f"the tensor {shown(name)} is there twice.")
        columns[name] = values
    lengths = {len(values) for values in columns.values()}
    if len(lengths) != 1:
        raise Refused(422, "all tensors of a request must have the same length.")
    inputs.check_count(lengths.pop(), service.limits.inputs)
    given: list[Value] = []
    for cells in zip(*columns.values(), strict=True):
        row: dict[str, Value] = dict(zip(columns, cells, strict=True))
        if beside:
            row[COLUMNS] = {name: row.pop(name) for name in beside if name in row}
        given.append(row)
    return given


def _values(tensor: Value) -> tuple[str, list[Value]]:
    """Return the name and the values of a tensor of one dimension, or of two with one column."""
    match tensor:
        case {"name": str(name), "shape": [*shape], "datatype": str(), "data": [*values]}:
            whole = all(type(size) is int and size >= 0 for size in shape)
            flat = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
            if whole and flat and math.prod(shape) == len(values):
                return name, values
            raise Refused(422, f"the tensor {shown(name)} must have the shape [n] or [n, 1], and n values.")
    raise Refused(422, "each tensor must have 'name', 'shape', 'datatype' and 'data', the last one a flat list.")


def outputs(service: Service, answers: Answers) -> list[dict[str, Value]]:
    """Return answers as tensors; several labels, entities and events are written as JSON."""
    task = service.fitted.task
    count = len(answers)

    def tensor(name: str, datatype: str, values: list[Value], more: Mapping[str, Value] | None = None) -> Value:
        return {"name": name, "datatype": datatype, "shape": [count], "data": values, **(more or {})}

    predicted = [answer["predicted"] for answer in answers]
    if task.kind in ("labels", "facts"):
        predicted = [json.dumps(value) for value in predicted]
    found = [tensor("predicted", NUMBER if task.kind == "number" else TEXT, predicted)]
    if all("confidence" in answer for answer in answers):
        found.append(tensor("confidence", NUMBER, [answer["confidence"] for answer in answers]))
    if all("scores" in answer for answer in answers):
        scores = [score for answer in answers for score in answer["scores"].values()]
        shape = {"shape": [count, len(task.classes)], "parameters": {"classes": json.dumps(task.classes)}}
        found.append(tensor("scores", NUMBER, scores, shape))
    return found
