"""Tiny models of every task with random weights, and exported folders as Python modules."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from headstart import tasks
from headstart.checkpoints import folder as checkpoints
from headstart.contenders import _long
from headstart.contenders._neural import Neural
from headstart.core.long_texts import LongTexts
from headstart.core.records import Rows
from headstart.export import folder


@pytest.fixture(scope="session")
def sample():
    """The fitted task of a name, and its examples as rows."""

    def make(name: str):
        task = tasks.load(name)
        inputs, targets = zip(*task.SAMPLE, strict=True)
        rows = Rows(tuple(f"sample:{number}" for number in range(len(inputs))), inputs, targets)
        return task.fitted(rows), rows

    return make


@pytest.fixture(scope="session")
def transformer(backbone, sample):
    """A Transformer of a task, of random weights."""

    def make(name: str, *, pooling: str = "first", long: LongTexts = _long.FIRST, seed: int = 0) -> Neural:
        task, _ = sample(name)
        torch.manual_seed(seed)
        checkpoint = checkpoints.load(backbone, head=task.head(), pooling=pooling)
        with torch.no_grad():
            for weight in checkpoint.model.parameters():
                if weight.dim() > 1:
                    weight.mul_(10)  # at the size of trained weights, so that texts differ
        return Neural("finetuned", task, _long.reading(checkpoint, long), 0)

    return make


@pytest.fixture
def program(tmp_path):
    """The run.py of an exported model, as a module."""

    def load(fitted, to="onnx"):
        place = tmp_path / "exported"
        place.mkdir()
        folder.write(folder.exported(fitted, to), place)
        spec = importlib.util.spec_from_file_location("run", place / "run.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
