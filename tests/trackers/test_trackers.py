"""Which trackers are used, where they write, and what happens if one fails."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from headstart import trackers
from headstart.core.errors import UsageError
from headstart.core.records import Run, Tracking
from headstart.trackers._lines import Lines, run_of


def test_names_are_checked_before_anything_is_trained():
    assert trackers.check(None) == trackers.check("jsonl") == ()
    with pytest.raises(UsageError, match="no tracker 'tensorbord'; did you mean 'tensorboard'"):
        trackers.check("jsonl, tensorbord")


@pytest.mark.parametrize(
    ("name", "package"), [("tensorboard", "tensorboard"), ("wandb", "wandb"), ("mlflow", "mlflow-skinny")]
)
def test_a_package_that_is_not_installed_is_named(name, package, monkeypatch):
    find = trackers.importlib.util.find_spec
    monkeypatch.setattr(trackers.importlib.util, "find_spec", lambda asked: None if asked == name else find(asked))
    with pytest.raises(UsageError, match=f"tracker '{name}' needs a package .*: pip install {package}$"):
        trackers.check([name])


def test_a_service_nobody_is_logged_in_to_is_named_before_anything_is_trained(monkeypatch):
    wandb = pytest.importorskip("wandb", reason="no wandb: install the extra track")
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setattr(wandb, "login", lambda prompt: False)
    with pytest.raises(UsageError, match="tracker 'wandb' cannot start: run wandb login, or set WANDB_MODE=offline"):
        trackers.check("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert trackers.check("wandb") == ("wandb",)


@dataclass(frozen=True)
class Recording:
    requires: ClassVar[str] = ""
    starts: list = field(default_factory=list)

    def start(self, folder, step):
        self.starts.append((folder.name, step))
        return Lines(folder / "recording.json", "run", lambda lines: None, lambda: None, "recording")


def test_trainings_inside_a_training_get_folders_beside_it(tmp_path, monkeypatch):
    tracker = Recording()
    load = trackers.rooms.load
    monkeypatch.setattr(trackers.rooms, "load", lambda room, name: tracker if name == "recording" else load(room, name))
    work = tmp_path / "work/key"
    for folder in (work, work / "answers/retry"):
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(0, folder, tracking=Tracking(("recording",), tmp_path / "tracking/distilled-seed-0", work))
        log = trackers.start(run, 3)
        with trackers.finishing(log):
            log.log(4, {"loss": 1.0})
    assert tracker.starts == [("distilled-seed-0", 3), ("distilled-seed-0-answers-retry", 3)]
    assert (work / "answers/retry/metrics.jsonl").is_file()


def lines(folder: Path, send, close=lambda: None):
    return Lines(folder / "note.json", "a run", send, close, "some")


def test_steps_are_sent_in_groups_and_noted_before(tmp_path):
    sent = []

    def send(group):
        noted = json.loads((tmp_path / "note.json").read_text())["step"]
        sent.append((noted, [step for step, _ in group]))

    log = lines(tmp_path, send)
    for step in range(1, 151):
        log.log(step, {})
    log.finish()
    assert [(noted, len(steps)) for noted, steps in sent] == [(100, 100), (150, 50)]
    assert run_of(tmp_path / "note.json") == "a run"
    again = lines(tmp_path, send)
    again.log(150, {})
    again.log(151, {})
    again.finish()
    assert sent[2:] == [(151, [151])]


def test_a_service_that_fails_is_left_out_with_a_sentence(tmp_path, capsys):
    def fail(group):
        raise ConnectionError("no route to host")

    log = lines(tmp_path, fail, close=lambda: pytest.fail("closed after it failed"))
    for step in (1, 2):
        log.log(step, {})
        log.flush()
    log.finish()
    assert capsys.readouterr().err == ("headstart: tracker 'some' failed and is no longer used: no route to host\n")
