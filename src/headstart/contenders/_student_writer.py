"""A small encoder and decoder that learns what a fitted model writes: `distilled` where answers are written."""

from __future__ import annotations

from dataclasses import replace

from headstart.contenders import _generative, seq2seq
from headstart.contenders.seq2seq import Seq2Seq
from headstart.core import sealed
from headstart.core.contracts import Fitted, Task
from headstart.core.files import make_folder
from headstart.core.hashing import arrays_sha256, parts_sha256
from headstart.core.records import Progress, Rows, Run

FILE = "written.json"
TOGETHER = 1024  # inputs that the teacher answers between two reports of progress


def fit(
    options: Seq2Seq, label_weight: float, teacher: Fitted | None, train: Rows, validation: Rows, task: Task, run: Run
) -> _generative.Generative:
    """Train a student on the texts that its teacher writes for the training rows (Kim & Rush 2016, section 3.2).

    Args:
        options: of the student and of its training.
        label_weight: share (0 to 1) of the rows' own targets in the loss.
        teacher: the fitted teacher; None to learn from the targets alone.
        train: training rows.
        validation: validation rows.
        task: the task.
        run: the context of the training.

    Raises:
        TrainingError: see `training.loop.train`.
    """
    taught = None
    if teacher is not None and label_weight < 1:
        texts = written(teacher, train, run)
        taught = _generative.Taught(replace(train, targets=tuple((text,) for text in texts)), 1 - label_weight)
    return seq2seq.learn("distilled", options, train, validation, task, run, taught)


def written(teacher: Fitted, rows: Rows, run: Run) -> list[str]:
    """Return what a teacher writes for each row; what a decoder wrote before, in the same folder, is read again."""
    place, key = run.folder / FILE, ""
    if isinstance(teacher, _generative.Generative):
        teacher.device = run.device
        teacher.checkpoint.model.to(run.device).requires_grad_(False).eval()
        weights = arrays_sha256(_generative.arrays(teacher.checkpoint.model))
        key = parts_sha256(weights, teacher.checkpoint.search, rows.inputs)
        known = sealed.take_note(place)
        if known is not None and known["key"] == key:
            return list(known["texts"])
    texts: list[str] = []
    for start in range(0, len(rows), TOGETHER):
        run.progress(Progress("running the teacher", start / len(rows)))
        texts += teacher.predict(rows.inputs[start : start + TOGETHER]).values
    if key:
        make_folder(place.parent)
        sealed.write_note(place, {"key": key, "texts": texts})
    return texts
