"""The two phases of distillation: first the teacher's states, then its predictions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from headstart.activations import forward
from headstart.core.contracts import Task, metric_values, settled
from headstart.core.hashing import parts_sha256
from headstart.core.records import Predictions, Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tally import named
from headstart.distillation import objectives
from headstart.nn.encoder import Stack
from headstart.nn.groups import Group
from headstart.nn.heads import Model, count, mean_loss
from headstart.nn.packed import StoredStates, pack, to_device
from headstart.strategies.full import Full
from headstart.training import collapse
from headstart.training.batches import by_length
from headstart.training.loop import Settings, train

BATCH_ROWS = 32
LEAST_STEPS = 1500  # of each phase, as far as the loop's maximum of epochs allows
MOST_SCORES = 2**25  # of attention, in one layer and step
NEVER = 1_000_000  # evaluations without improvement before matching stops: every step is useful


class Options(Protocol):
    """The options of the contender that trains; see `contenders.distilled`."""

    @property
    def epochs(self) -> int: ...

    @property
    def label_weight(self) -> float: ...

    @property
    def learning_rate(self) -> float: ...

    @property
    def matching_epochs(self) -> int: ...

    @property
    def temperature(self) -> float: ...


@dataclass(frozen=True)
class Lesson:
    """What both phases train and how they evaluate it; `texts` texts are for training, the rest for validation.

    contender: the contender with its options.
    teacher: identifies what the teacher computes, '' without one.
    """

    contender: Options
    model: Model
    task: Task
    train: Rows
    validation: Rows
    run: Run
    texts: int
    teacher: str = ""

    def groups(self) -> list[Group]:
        """Return all of the student's weights, trained at one rate."""
        return Full(self.contender.learning_rate, layer_decay=1.0).prepare(self.model)

    def held_out(self, lengths: np.ndarray) -> Iterator[np.ndarray]:
        """Yield batches of the numbers of validation texts."""
        for rows in by_length(lengths[self.texts :], forward.STATE_BUDGET[self.run.device] // self.model.encoder.width):
            yield rows + self.texts

    def fingerprint(self, phase: str) -> str:
        """Hash everything a phase depends on."""
        parts = (self.contender, phase, self.teacher, self.train, self.validation, self.run.unlabelled, self.run.seed)
        return parts_sha256(*parts)


def match(
    lesson: Lesson,
    matching: objectives.TinyBert | objectives.MiniLm,
    teacher: Stack,
    encoded: Encoded,
    student: Encoded,
    stored: StoredStates | None,
) -> float:
    """Train the student's states to match the teacher's; return the seconds that took.

    Args:
        lesson: what is trained.
        matching: the loss.
        teacher: the teacher's model.
        encoded: the texts in the teacher's tokens.
        student: the same texts in the student's tokens.
        stored: states of the teacher; None to compute them in every step.
    """
    run, encoder = lesson.run, lesson.model.encoder
    # Windows of a row are matched one by one.
    lesson = replace(lesson, texts=len(encoded.until(lesson.texts).sequence_lengths))
    encoded, student = replace(encoded, rows=None), replace(student, rows=None)

    def loss(rows: np.ndarray) -> Tensor:
        batch = pack(student.tokens, student.boundaries, rows, stored, student.segments).to(run.device)
        with forward.precision(run.device):
            states = batch.hidden
            if states is None:
                given = pack(encoded.tokens, encoded.boundaries, rows, segments=encoded.segments).to(run.device)
                states = objectives.outputs(teacher, given, matching.stages)
            theirs = dict(zip(matching.stages, states.split(teacher.width, dim=1), strict=True))
            difference: Tensor = matching(objectives.trace(encoder, batch), theirs, batch.groups)
        return difference.float()

    def evaluate() -> tuple[float, float]:
        with torch.inference_mode():
            parts = [(float(loss(rows)), len(rows)) for rows in lesson.held_out(encoded.lengths)]
        mean = sum(value * count for value, count in parts) / sum(count for _, count in parts)
        return -mean, mean

    # The scores of all heads are in memory at once, so long texts are processed in parts.
    scores = BATCH_ROWS * matching.heads * int(encoded.lengths.max()) ** 2
    settings = Settings(
        epochs=lesson.contender.matching_epochs,
        least_steps=LEAST_STEPS,
        batch_rows=BATCH_ROWS,
        accumulate=min(BATCH_ROWS, -(-scores // MOST_SCORES)),
        patience=NEVER,
    )
    groups = lesson.groups()
    groups.append(Group({f"matching.{name}": weight for name, weight in matching.named_parameters()}, 1e-3))
    place = replace(
        run,
        folder=run.folder / "matching",
        minutes=run.minutes and run.minutes / 2,
        progress=lambda news: run.progress(replace(news, stage="matching the teacher")),
    )
    fingerprint = lesson.fingerprint("matching")
    seconds = 0.0

    def attempt(run: Run, groups: Sequence[Group]) -> None:
        nonlocal seconds
        history = train(
            rows=lesson.texts,
            groups=groups,
            loss=loss,
            evaluate=evaluate,
            held_out=len(lesson.validation),
            lengths=encoded.lengths,
            mode=lesson.model,
            settings=settings,
            run=run,
            fingerprint=fingerprint,
        )
        seconds += history.seconds

    collapse.train(attempt, lambda: "", groups, place, fingerprint)
    return seconds


def answer(
    lesson: Lesson,
    student: Encoded,
    soft: Ragged | None,
    minutes: float | None,
) -> Task:
    """Train the student to predict as the teacher does, and as the labels say; return the task, settled.

    Args:
        lesson: what is trained.
        student: the texts in the student's tokens.
        soft: the teacher's outputs for each text, or for each token of each sequence, see `objectives.soft_loss`; None
            without a teacher.
        minutes: time that is left.
    """
    run, model, contender, rows_labelled = lesson.run, lesson.model, lesson.contender, len(lesson.train)
    validation, labelled = student.since(lesson.texts), student.until(rows_labelled)
    true_targets = lesson.task.targets(lesson.train, labelled)
    held_out = lesson.task.targets(lesson.validation, validation)
    share = 1.0 if soft is None else contender.label_weight

    def loss(rows: np.ndarray) -> Sequence[tuple[Tensor, int]]:
        batch, order = forward.pack_units(model, student, student.sequences(rows))
        numbers = student.sequences(rows)[order]  # of the sequences, in the order of the logits
        known = np.flatnonzero(numbers < len(true_targets))
        right = true_targets.take(numbers[known]).values
        expected = to_device(torch.from_numpy(right), run.device)
        batch = batch.to(run.device)
        with forward.precision(run.device):
            logits = model(batch).float()
        # Texts without a label are only read for tasks with one text in a row, whose heads score whole texts.
        some = logits if len(known) == len(numbers) else logits[to_device(torch.from_numpy(known), run.device)]
        items = count(right) if model.head.reads_all else len(rows)
        true = model.head.loss(some, expected, batch.boundaries), items
        if soft is None:
            return [true]
        wanted = to_device(torch.from_numpy(soft.take(numbers).values), run.device)
        taught = objectives.head_loss(model.head, logits, wanted, expected, batch.boundaries, contender.temperature)
        return [(share * true[0], items), ((1 - share) * items * taught, items)]

    def on_validation() -> tuple[Task, Predictions, Ragged]:
        outputs = forward.outputs(model, validation, run.device)

        def decode(task: Task) -> Predictions:
            return task.decode(outputs, validation, lesson.validation.inputs)

        return *settled(lesson.task, decode, lesson.validation.targets), outputs

    def evaluate() -> tuple[float, float]:
        task, predictions, outputs = on_validation()
        score = metric_values(task, predictions, lesson.validation)[run.metric]
        return named(task.metrics, run.metric).sign * score, mean_loss(model.head, outputs, held_out)

    fingerprint = lesson.fingerprint("answers")

    def attempt(run: Run, groups: Sequence[Group]) -> None:
        train(
            rows=lesson.texts,
            groups=groups,
            loss=loss,
            evaluate=evaluate,
            held_out=len(lesson.validation),
            lengths=student.lengths,
            mode=model,
            settings=Settings(epochs=contender.epochs, least_steps=LEAST_STEPS, batch_rows=BATCH_ROWS),
            run=run,
            fingerprint=fingerprint,
        )

    def judge() -> str:
        def outputs_of(units: np.ndarray) -> Ragged:
            return forward.outputs(model, labelled, run.device, units=units)

        return collapse.judged(outputs_of, model.head, true_targets)

    place = replace(run, folder=run.folder / "answers", minutes=minutes)
    collapse.train(attempt, judge, lesson.groups(), place, fingerprint)
    return on_validation()[0] if lesson.task.settles else lesson.task
