"""What training and validation rows may change where answers are written: those of validation change no weights."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from headstart.contenders import _members
from headstart.core import rooms
from headstart.core.records import Rows, Run
from headstart.tasks.translation import Translation
from headstart.training import loop

inputs, targets = zip(*Translation.SAMPLE, strict=True)
CLEAN = Rows(tuple(map(str, range(6))), inputs, targets)
POISONED = dataclasses.replace(CLEAN, inputs=("zebra quartz",) * 6, targets=(("jigsaw vortex",),) * 6)
NAMES = [
    name
    for name in rooms.names("contenders")
    if not _members.unsupported(rooms.plugin("contenders", name), Translation) and name != "majority"
]


@pytest.fixture(params=NAMES)
def contents(request, tiny_options, tmp_path, monkeypatch):
    """Train with one step, so that there is one candidate to take; return the hashes of the model's files."""
    monkeypatch.setattr(loop.Settings, "steps", lambda self, rows: 1)

    def trained(train: Rows, validation: Rows, folder: str) -> dict[str, str]:
        contender = rooms.load("contenders", request.param, tiny_options(request.param))
        run = Run(0, tmp_path / f"{folder}-work", metric="BLEU")
        contender.fit(train, validation, Translation(), run).save(tmp_path / folder)
        files = [path for path in (tmp_path / folder).rglob("*") if path.is_file()]
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return trained


def test_validation_rows_change_no_weights_and_no_vocabulary(contents):
    assert contents(CLEAN, CLEAN, "clean") == contents(CLEAN, POISONED, "poisoned")


def test_training_rows_change_the_model(contents):
    assert contents(CLEAN, CLEAN, "clean") != contents(POISONED, CLEAN, "poisoned")
