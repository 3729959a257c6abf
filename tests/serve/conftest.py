"""A server in a thread, around a model that answers by rule and can be made to wait."""

import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="install the extra serve")
pytest.importorskip("uvicorn", reason="install the extra serve")
pytest.importorskip("prometheus_client", reason="install the extra serve")

from headstart import tasks
from headstart.core.contracts import Fitted, Task
from headstart.core.errors import UsageError
from headstart.core.records import Predictions, Rows
from headstart.serve import run
from headstart.serve.app import paths
from headstart.serve.limits import Limits
from headstart.serve.service import Service


@dataclass
class Model(Fitted):
    """Answers texts: 'good' if one holds an even number of characters. It predicts while its gate is open."""

    task: Task
    gate: threading.Event = field(default_factory=threading.Event)
    batches: list = field(default_factory=list)

    def __post_init__(self):
        self.gate.set()

    def predict(self, inputs):
        self.batches.append(list(inputs))
        assert self.gate.wait(10)
        if any("unreadable" in str(value) for value in inputs):
            raise UsageError("a text is unreadable.")
        if any("crash" in str(value) for value in inputs):
            raise ZeroDivisionError("surprise")
        good = np.array([len(str(value)) % 2 == 0 for value in inputs], dtype=np.float32)
        shares = np.stack([0.25 + 0.5 * (1 - good), 0.25 + 0.5 * good], axis=1)
        return Predictions(tuple("good" if one else "bad" for one in good), ("bad", "good"), shares)


def fitted_task(name="classification"):
    task = tasks.load(name)
    inputs, targets = zip(*task.SAMPLE, strict=True)
    return task.fitted(Rows(tuple(map(str, range(len(inputs)))), inputs, targets))


@dataclass
class Running:
    """A server that runs in a thread."""

    service: Service
    server: object
    thread: threading.Thread
    port: int
    client: httpx.Client

    @property
    def model(self):
        return self.service.fitted

    def predict(self, *inputs, **more):
        return self.client.post("/predict", json={"inputs": list(inputs)}, **more)

    def behind(self, *inputs):
        """Predict in a thread of its own; returns the thread and a list that receives the response."""
        answers = []

        def ask():
            headers = self.client.headers
            with httpx.Client(base_url=self.client.base_url, timeout=10, verify=False, headers=headers) as client:
                answers.append(client.post("/predict", json={"inputs": list(inputs)}))

        thread = threading.Thread(target=ask)
        thread.start()
        return thread, answers

    def stop(self):
        self.server.on_signal()
        self.server.should_exit = True


def until(condition, seconds=5.0):
    """Wait for a condition."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.002)


@contextmanager
def serving(model, limits=None, token=None, folder=None):
    service = Service(model, "reviews", limits or Limits(), paths("reviews"), folder)
    listening = run.listen("127.0.0.1", 0)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # a client that does not read soon fills it
    port = listening.getsockname()[1]
    server = run.server(service, token)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    until(lambda: server.started)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, verify=False) as client:
        yield Running(service, server, thread, port, client)
    if isinstance(model, Model):
        model.gate.set()
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def shared():
    """A server of a classifier of texts that tests of a file share."""
    with serving(Model(fitted_task())) as running:
        yield running


@pytest.fixture
def own():
    """Start servers of a test's own: own(limits=..., task=..., token=...) returns a running one."""
    with ExitStack() as stack:

        def start(model=None, **options):
            return stack.enter_context(serving(model or Model(fitted_task()), **options))

        yield start
