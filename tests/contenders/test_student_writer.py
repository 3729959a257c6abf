"""A student that learns what its teacher writes: which texts it learns, what is stored, and who may teach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from headstart.contenders import _generative, _student_writer
from headstart.contenders.distilled import Distilled
from headstart.contenders.seq2seq import Seq2Seq
from headstart.core.contracts import Fitted, Task, Value
from headstart.core.errors import UsageError
from headstart.core.records import Predictions, Rows, Run
from headstart.tasks.qa import QuestionAnswering
from headstart.tasks.translation import Translation

inputs, targets = zip(*Translation.SAMPLE, strict=True)
ROWS = Rows(tuple(map(str, range(6))), inputs, targets)
TINY = {"vocabulary": 280, "layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "window": 32, "dropout": 0.0}


@dataclass
class Shouting(Fitted):
    """A teacher that writes the source in capital letters."""

    task: Task

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        return Predictions(tuple(value.upper() for value in inputs))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the training loop is given, which then trains nothing."""
    seen: dict[str, Any] = {}
    monkeypatch.setattr(_generative, "train", lambda **arguments: seen.update(arguments))
    return seen


def run_with(teacher: Fitted, folder: Path) -> Run:
    return Run(0, folder, metric="BLEU", fitted=lambda name: (teacher, 7.0))


def test_a_student_learns_targets_and_what_its_teacher_writes_by_their_weights(
    given: dict[str, Any], tmp_path: Path
) -> None:
    def losses(label_weight: float) -> list[tuple[float, int]]:
        contender = Distilled("seq2seq", "1x16", label_weight=label_weight, vocabulary=280)
        fitted = contender.fit(ROWS, ROWS, Translation(), run_with(Shouting(Translation()), tmp_path))
        assert fitted.reused_seconds == 7.0
        given["mode"].eval()
        return [(float(total.detach()), count) for total, count in given["loss"](np.arange(6))]

    ((own, own_tokens),), ((theirs, their_tokens),) = losses(1.0), losses(0.0)
    assert own_tokens != their_tokens
    expected = [(0.25 * own, own_tokens), (0.75 * theirs, their_tokens)]
    assert losses(0.25) == [(pytest.approx(total), count) for total, count in expected]


def test_a_student_without_a_teacher_learns_the_targets_alone(given: dict[str, Any], tmp_path: Path) -> None:
    Distilled("none", "1x16", label_weight=0.5).fit(ROWS, ROWS, Translation(), Run(0, tmp_path, metric="BLEU"))
    assert len(given["loss"](np.arange(6))) == 1


@pytest.fixture
def decoder(given: dict[str, Any], tmp_path: Path) -> _generative.Generative:
    fitted = Seq2Seq(**TINY).fit(ROWS, ROWS, Translation(), Run(0, tmp_path / "teacher", metric="BLEU"))
    fitted.checkpoint.model.eval()
    return fitted


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of inputs that a decoder is asked to answer."""
    calls: list[int] = []

    def predict(self: _generative.Generative, inputs: Sequence[Value]) -> Predictions:
        calls.append(len(inputs))
        return Predictions(tuple(value.lower() for value in inputs))

    monkeypatch.setattr(_generative.Generative, "predict", predict)
    return calls


def change_weights(decoder: _generative.Generative, folder: Path) -> None:
    with torch.no_grad():
        next(decoder.checkpoint.model.parameters()).add_(1.0)


def damage(decoder: _generative.Generative, folder: Path) -> None:
    path = folder / _student_writer.FILE
    path.write_bytes(path.read_bytes().replace(b"dog", b"cat"))


def nothing(decoder: _generative.Generative, folder: Path) -> None:
    pass


@pytest.mark.parametrize(("change", "again"), [(nothing, []), (change_weights, [6]), (damage, [6])])
def test_what_a_decoder_wrote_is_read_again_unless_it_is_another_or_damaged(
    decoder: _generative.Generative,
    asked: list[int],
    tmp_path: Path,
    change: Callable[[_generative.Generative, Path], None],
    again: list[int],
) -> None:
    run = Run(0, tmp_path / "student", metric="BLEU")
    first = _student_writer.written(decoder, ROWS, run)
    change(decoder, run.folder)
    assert _student_writer.written(decoder, ROWS, run) == first == [value.lower() for value in inputs]
    assert asked == [6, *again]


def test_teachers_that_cannot_write_are_refused(tmp_path: Path) -> None:
    run = Run(0, tmp_path, metric="BLEU")
    with pytest.raises(UsageError, match="teacher 'minilm' is no contender and no folder saved by Headstart"):
        Distilled("minilm", "1x16").fit(ROWS, ROWS, Translation(), run)
    with pytest.raises(UsageError, match="no student 'small'"):
        Distilled("none", "small").fit(ROWS, ROWS, Translation(), run)


def test_a_saved_teacher_of_another_kind_of_texts_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "teacher").mkdir()
    monkeypatch.setattr("headstart.contenders.distilled.manifest.there", lambda folder: True)
    monkeypatch.setattr("headstart.saved.model_folder.open_model", lambda folder: Shouting(QuestionAnswering()))
    contender = Distilled(str(tmp_path / "teacher"), "1x16")
    with pytest.raises(UsageError, match="predicts answers of the kind 'text', but the task asks for 'text, written'"):
        contender.fit(ROWS, ROWS, Translation(), Run(0, tmp_path / "run", metric="BLEU"))
