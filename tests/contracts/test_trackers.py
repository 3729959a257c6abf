"""What every tracker promises. A new file in the room is tested here, once READERS says how to read its values back.

A tracker whose package is not installed is left out; the extra 'dev' holds the packages of all.
"""

import importlib.util
import json
from pathlib import Path

import pytest

from headstart.core import rooms

NAMES = rooms.names("trackers")


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "tracking" / "linear-all-rows-seed-0"
    place.mkdir(parents=True)
    return place


def jsonl(folder: Path) -> list[tuple[int, str, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], name, value) for line in lines for name, value in line.items() if name != "step"]


def tensorboard(folder: Path) -> list[tuple[int, str, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder), purge_orphaned_data=False).Reload()
    return [(event.step, name, event.value) for name in read.Tags()["scalars"] for event in read.Scalars(name)]


def wandb(folder: Path) -> list[tuple[int, str, float]]:
    """Read offline runs: protocol buffers in the log format of LevelDB, behind seven bytes of their own."""
    from wandb import teardown
    from wandb.proto.wandb_internal_pb2 import Record

    teardown()  # waits for the process that writes the file, which a finished run alone does not
    logged = []
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        data = path.read_bytes()
        assert data[:4] == b":W&B"
        assert len(data) < 2**15  # one block: its records are whole
        place = 7
        while place + 7 <= len(data):
            size = int.from_bytes(data[place + 4 : place + 6], "little")
            history = Record.FromString(data[place + 7 : place + 7 + size]).history
            place += 7 + size
            values = {item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in history.item}
            step = history.step.num
            logged += [(step, key, value) for key, value in values.items() if not key.startswith("_")]
    return logged


def mlflow(folder: Path) -> list[tuple[int, str, float]]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=(folder.parent / "mlruns").absolute().as_uri())
    (run,) = client.search_runs([client.get_experiment_by_name("headstart").experiment_id])
    assert run.info.run_name == folder.name
    assert run.info.status == "FINISHED"
    histories = [client.get_metric_history(run.info.run_id, key) for key in run.data.metrics]
    return [(metric.step, metric.key, metric.value) for history in histories for metric in history]


READERS = {"jsonl": jsonl, "tensorboard": tensorboard, "wandb": wandb, "mlflow": mlflow}


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_training_appends_to_its_run_and_no_step_is_there_twice(name, folder):
    tracker = rooms.load("trackers", name)
    if tracker.requires and importlib.util.find_spec(tracker.requires.partition("-")[0]) is None:
        pytest.skip(f"{tracker.requires} is not installed")
    log = tracker.start(folder, 0)
    log.log(1, {"loss": 1.0, "rate": 0.5})
    log.log(2, {"loss": 0.5, "rate": 1.0})
    log.flush()
    log.log(3, {"loss": 0.25, "rate": 0.5})
    log.finish()
    again = tracker.start(folder, 2)  # step 3 came after the last checkpoint, and is taken again
    again.log(3, {"loss": 0.25, "rate": 0.5})
    again.log(4, {"loss": 0.125, "rate": 0.25})
    again.finish()
    wanted = [(1, 1.0, 0.5), (2, 0.5, 1.0), (3, 0.25, 0.5), (4, 0.125, 0.25)]
    assert sorted(READERS[name](folder)) == sorted(
        (step, key, value) for step, loss, rate in wanted for key, value in (("loss", loss), ("rate", rate))
    )
