"""What many write: FastAPI around transformers' pipeline, one request at a time; ``_plain_server MODEL PORT``."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks._common import transformers


class Body(BaseModel):
    """The body of a request."""

    inputs: list[str]


def main(model: str, port: str) -> None:
    """Serve a model."""
    pipeline = transformers().pipeline("text-classification", model=model, device="cpu")
    app = FastAPI()

    @app.post("/predict")
    def predict(body: Body) -> Any:
        return pipeline(body.inputs)

    @app.get("/health/ready")
    def ready() -> Any:
        return {"ready": True}

    uvicorn.run(app, port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
