"""What training and validation rows may change where answers are written: those of validation change no weights."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from headstart.contenders import _members
from headstart.core import rooms
from headstart.core.records import Rows, Run
from headstart.training import loop

PERPLEXITY = "perplexity per character"
TASKS = {
    "translation": ("zebra quartz", "BLEU"),
    "generation": (({"role": "user", "content": "zebra quartz"},), PERPLEXITY),
}
CASES = [
    (task, name)
    for task in TASKS
    for name in rooms.names("contenders")
    if not _members.unsupported(rooms.plugin("contenders", name), rooms.plugin("tasks", task))
    and (task, name) != ("translation", "majority")
]


def rows(task: str, poisoned: bool) -> Rows:
    """Return a task's sample, or as many rows of other words."""
    inputs, targets = zip(*rooms.plugin("tasks", task).SAMPLE, strict=True)
    clean = Rows(tuple(map(str, range(6))), inputs, targets)
    return (
        dataclasses.replace(clean, inputs=TASKS[task][:1] * 6, targets=(("jigsaw vortex",),) * 6) if poisoned else clean
    )


@pytest.fixture(params=[*CASES, ("generation", "finetuned", "a decoder")], ids="-".join)
def contents(request, tiny_options, decoder_backbone, tmp_path, monkeypatch):
    """Train with one step, so that there is one candidate to take; return the hashes of the model's files."""
    monkeypatch.setattr(loop.Settings, "steps", lambda self, rows: 1)

    task, name, *decoder = request.param
    options = tiny_options(name) | ({"backbone": decoder_backbone} if decoder else {})

    def trained(train: bool, validation: bool, folder: str) -> dict[str, str]:
        run = Run(0, tmp_path / f"{folder}-work", metric=TASKS[task][1])
        contender = rooms.load("contenders", name, options)
        contender.fit(rows(task, train), rows(task, validation), rooms.load("tasks", task), run).save(tmp_path / folder)
        files = [path for path in (tmp_path / folder).rglob("*") if path.is_file()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return trained


def test_validation_rows_change_no_weights_and_no_vocabulary(contents):
    assert contents(False, False, "clean") == contents(False, True, "poisoned")


def test_training_rows_change_the_model(contents):
    assert contents(False, False, "clean") != contents(True, False, "poisoned")
