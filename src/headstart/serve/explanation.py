"""POST /explain: the words that an answer rests on."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI, Request, Response

from headstart.core.contracts import Fitted, Value
from headstart.explain import chosen, explain
from headstart.explain.chosen import Choice
from headstart.serve import inputs, schema
from headstart.serve.answers import number
from headstart.serve.responses import as_json
from headstart.serve.service import Service

PATH = "/explain"


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the route; the method is the noted one when the server starts."""
    fitted, folder = service.fitted, service.folder
    choice = chosen.first_of(fitted) if folder is None else chosen.read(folder, fitted)

    @app.post(
        PATH,
        summary="Explain the answer to one input: what each of its words adds.",
        openapi_extra={**schema.predict(service.fitted.task, service.limits), "responses": schema.refusals()},
    )
    async def explain_one(request: Request) -> Response:
        given = inputs.listed(await service.document(request.receive), 1)
        read = inputs.read(service.fitted.task, given)
        work = partial(explained, fitted, choice)
        found = await service.work(read, request.receive, work)
        return as_json({"explanations": found, "measured_rows": choice.rows})


def explained(fitted: Fitted, choice: Choice, values: list[Value]) -> list[dict[str, Value]]:
    """Explain what a model predicts for inputs by a method; one object per answer.

    Raises:
        UsageError: the model writes its answers freely.
        DataError: an input without words.
    """
    return [
        {
            "answer": one.name,
            "confidence": number(float(one.confidence)),
            "method": one.method,
            "texts": list(one.texts),
            "words": [
                {
                    "text": word.text,
                    "source": word.source,
                    "start": word.start,
                    "end": word.end,
                    "attribution": number(float(word.attribution)),
                }
                for word in one.words
            ],
        }
        for one in explain(fitted, values, method=choice.method)
    ]
