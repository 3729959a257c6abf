"""Models of every kind of answer: random Transformers whose weights are as large as trained ones, and linear models."""

import pytest
import torch

from headstart.checkpoints.folder import Checkpoint
from headstart.checkpoints.header import find_family
from headstart.contenders._neural import Neural
from headstart.core import rooms
from headstart.core.contracts import all_texts
from headstart.core.records import Rows, Run
from headstart.nn.encoder import Encoder
from headstart.nn.heads import Model
from headstart.text import vocabulary


def sample(name):
    """The examples of a task, and the task fitted to them."""
    task = rooms.load("tasks", name)
    inputs, targets = zip(*task.SAMPLE, strict=True)
    rows = Rows(tuple(map(str, range(len(inputs)))), inputs, targets)
    return rows, task.fitted(rows)


@pytest.fixture(scope="session")
def transformer():
    """Build a random Transformer for a task, with a window that may be shorter than its texts."""

    def build(name, window=64, pooling="first"):
        rows, task = sample(name)
        tokenizer = vocabulary.train(all_texts(task, rows.inputs), 150, window=window)
        shape = {"width": 16, "layers": 2, "heads": 2, "feed_forward": 32, "window": window, "dropout": 0.0}
        arguments = {"vocabulary": tokenizer.size, **shape}
        torch.manual_seed(1)
        plan = task.head()
        model = Model(Encoder(**arguments), find_family("bert", "").head(arguments, plan, 0.0, pooling)).eval()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() > 1:
                    weight.mul_(10)
        return Neural("finetuned", task, Checkpoint(model, tokenizer, "bert", arguments, plan), 0), rows.inputs

    return build


@pytest.fixture(scope="session")
def linear(tmp_path_factory):
    """Fit 'linear' to a task's examples."""

    def build(name):
        rows, task = sample(name)
        run = Run(0, tmp_path_factory.mktemp("linear"), metric=task.metrics[0].name)
        return rooms.load("contenders", "linear").fit(rows, rows, task, run), rows.inputs

    return build
