"""The bodies of the routes in OpenAPI, which depend on the task."""

from __future__ import annotations

from headstart.core.contracts import Task, Value
from headstart.core.tabular import COLUMNS
from headstart.serve import inputs
from headstart.serve.limits import Limits, size

TEXT: dict[str, Value] = {"type": "string"}
REFUSALS = {
    "400": "The body is not JSON.",
    "401": "The token is missing or wrong.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not sent as JSON.",
    "422": "An input cannot be used; the sentence says which and why.",
    "429": "Too many inputs wait for the model; Retry-After says when to try again.",
}


def predict(task: Task, limits: Limits) -> dict[str, Value]:
    """Return the bodies of POST /predict for a task."""
    request = {
        "type": "object",
        "required": [inputs.INPUTS],
        "additionalProperties": False,
        "properties": {
            inputs.INPUTS: {"type": "array", "minItems": 1, "maxItems": limits.inputs, "items": one_input(task)}
        },
    }
    answer = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": one_answer(task)}},
    }
    return {
        "requestBody": {
            "required": True,
            "description": f"1 to {limits.inputs} inputs, at most {size(limits.body_bytes)}.",
            "content": {"application/json": {"schema": request, "example": {"inputs": [inputs.example(task)]}}},
        },
        "responses": {
            "200": {"description": "One answer per input.", "content": {"application/json": {"schema": answer}}},
            **refusals(),
        },
    }


def refusals() -> dict[str, Value]:
    """Return the responses of a request that is refused."""
    error = {"type": "object", "required": ["error"], "properties": {"error": TEXT}}
    return {
        status: {"description": sentence, "content": {"application/json": {"schema": error}}}
        for status, sentence in REFUSALS.items()
    }


def one_input(task: Task) -> dict[str, Value]:
    """Return the schema of an input."""
    roles = [column for column in task.columns if not column.target]
    cell = {"anyOf": [TEXT, {"type": "array"}]}
    whole: dict[str, Value] = {
        "type": "object",
        "required": [column.role for column in roles if column.required],
        "additionalProperties": False,
        "properties": {column.role: cell for column in roles},
    }
    if names := task.tabular.names:
        whole["required"].append(COLUMNS)
        whole["properties"][COLUMNS] = {
            "type": "object",
            "required": list(names),
            "additionalProperties": False,
            "properties": {name: {} for name in names},
        }
    return {"anyOf": [TEXT, whole]} if inputs.only_text(task) else whole


def one_answer(task: Task) -> dict[str, Value]:
    """Return the schema of an answer."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    predicted: dict[str, Value] = {
        "label": {"type": "string", "enum": list(task.classes)} if task.kind == "label" else TEXT,
        "labels": {"type": "array", "items": TEXT},
        "number": {"type": "number"},
        "facts": {"type": "array", "items": {"type": "object"}},
        "text": TEXT,
    }[task.kind]
    properties: dict[str, Value] = {"predicted": predicted}
    if task.kind in ("label", "facts", "text"):
        properties["confidence"] = share
    if task.kind in ("label", "labels"):
        properties["scores"] = {"type": "object", "properties": dict.fromkeys(task.classes, share)}
    return {"type": "object", "required": ["predicted"], "properties": properties}
