"""The training loop. It knows only weights, a loss of some rows, and an evaluation; nothing about tasks or models.

All random numbers are a function of (seed, step), so a training that is killed and resumed takes the same steps.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from headstart import trackers
from headstart.core import memory, seed
from headstart.core.alone import alone
from headstart.core.errors import DivergedError
from headstart.core.records import Progress, Run
from headstart.core.tensors import remove_unfinished
from headstart.nn.groups import Group
from headstart.training import gradients, resume, schedule
from headstart.training.batches import step_rows
from headstart.training.optimizer import adamw, clipped_step

CHECKPOINT_SECONDS = 60.0
IN_ANOTHER = "for the Run"  # names the folder of a training that another one uses, see `core.alone`
APART = 2  # rows trained between two evaluations per row that an evaluation reads: it then takes a seventh of the time


@dataclass(frozen=True)
class Settings:
    """The settings of a training.

    epochs: passes over the rows.
    least_steps: with few rows, more passes until so many steps are done, but at most `most_epochs` passes.
    most_epochs: see `least_steps`.
    most_steps: end the training, and its schedule, after so many steps; 0 for no limit.
    batch_rows: rows per step.
    accumulate: number of parts of a step, to limit memory.
    warmup: see `schedule`.
    decay: see `schedule`.
    weight_decay: on matrices.
    clip: maximum norm of the gradient.
    patience: evaluations without improvement before stopping.
    evaluations: maximum number of evaluations in a training.
    average: so many of the last evaluations whose weights are averaged at the end (Vaswani et al. 2017, section 6.1);
        the average is used if its validation score is at least the best one. 0 for no average.
    """

    epochs: int = 3
    least_steps: int = 0
    most_epochs: int = 20
    most_steps: int = 0
    batch_rows: int = 32
    accumulate: int = 1
    warmup: float = 0.1
    decay: str = "linear"
    weight_decay: float = 0.01
    clip: float = 1.0
    patience: int = 4
    evaluations: int = 12
    average: int = 0

    def steps(self, rows: int) -> int:
        """Return the number of optimiser steps of a training on so many rows."""
        per_epoch = -(-rows // self.batch_rows)
        epochs = max(self.epochs, min(self.most_epochs, -(-self.least_steps // per_epoch)))
        return min(epochs * per_epoch, self.most_steps or epochs * per_epoch)


@dataclass(frozen=True)
class History:
    """What a training did: steps taken, seconds, and each evaluation's step, score and loss.

    The last evaluation may be of an average, and then also has the number of evaluations that are 'averaged'.
    """

    steps: int
    seconds: float
    evaluations: tuple[dict[str, float], ...]


def train(
    *,
    rows: int,
    groups: Sequence[Group],
    loss: gradients.Loss,
    evaluate: Callable[[], tuple[float, float]],
    held_out: int = 0,
    lengths: np.ndarray | None = None,
    mode: nn.Module,
    settings: Settings,
    run: Run,
    fingerprint: str,
    before_step: Callable[[int, int], None] = lambda step, total: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> History:
    """Train the weights of `groups` in place and leave them at their best evaluation.

    Args:
        rows: number of training rows; batches are drawn from ``range(rows)``.
        groups: the weights to train and their learning rates.
        loss: loss of the given rows, see `gradients.Loss`.
        evaluate: returns validation score (higher is better) and loss.
        held_out: number of rows that an evaluation reads; with few training rows there are fewer evaluations.
        lengths: see `gradients.backward`.
        mode: the module that is switched between training and evaluation mode.
        settings: the settings.
        run: seed, folder for checkpoints, time limit and progress.
        fingerprint: hash of settings, data and initial weights; a checkpoint with another one is refused.
        before_step: called before each step with its number, from 0, and the number of steps; what it changes must
            depend only on these two numbers, or a resumed training would differ.
        checkpoint_seconds: minimum time between two checkpoints.

    Raises:
        DivergedError: a gradient is not a finite number.
        TrainingError: the checkpoint belongs to another training, and the run does not replace others.
        UsageError: another process, or another thread, trains in the folder.
    """
    with alone(run.folder, IN_ANOTHER):
        remove_unfinished(run.folder)
        weights = {name: weight for group in groups for name, weight in group.weights.items()}
        optimizer = adamw(groups, settings.weight_decay)
        state, best_weights, recent = resume.restore(
            run.folder, fingerprint, weights, optimizer, replace_others=run.replace_others
        )
        if state.step:
            run.resumed(state.seconds)
        tracker = trackers.start(run, state.step)
        waiting: deque[_Reading] = deque()
        total = settings.steps(rows)
        every = max(
            -(-rows // settings.batch_rows),
            -(-total // settings.evaluations),
            -(-APART * held_out // settings.batch_rows),
        )
        began = time.monotonic() - state.seconds
        saved = time.monotonic()
        give_back_now_and_then = memory.giving_back()
        mode.train()
        with trackers.finishing(tracker), gradients.backward(lengths, run.device) as backward:
            while not state.finished:
                before_step(state.step, total)
                rate = schedule.factor(state.step, total, warmup=settings.warmup, decay=settings.decay)
                for part in optimizer.param_groups:
                    part["lr"] = part["peak"] * rate
                number = seed.derive(run.seed, "step", state.step)
                _seed(number, run.device)
                chosen = step_rows(rows, settings.batch_rows, run.seed, state.step)
                value = backward(loss, chosen, weights.values(), settings.accumulate, number)
                norm = clipped_step(optimizer, weights.values(), settings.clip)
                step = state.step + 1
                seconds = time.monotonic() - began
                out_of_time = run.minutes is not None and seconds > 60 * run.minutes
                state = replace(state, step=step, seconds=seconds)
                waiting.append(_Reading(step, *_fetch(torch.stack((value, norm))), {"rate": rate}, seconds))
                if step % every == 0 or step == total or out_of_time:
                    _settle(waiting, everything=True)
                    mode.eval()
                    score, validation_loss = evaluate()
                    mode.train()
                    best = state.best.after(score, validation_loss, step)
                    if best.step == step:
                        best_weights = _copied(weights)
                    if settings.average:
                        recent = [*recent, _copied(weights)][-settings.average :]
                    waiting[-1].values |= {"validation_score": score, "validation_loss": validation_loss}
                    state = replace(
                        state,
                        best=best,
                        finished=step == total or out_of_time or best.since >= settings.patience,
                        evaluations=[*state.evaluations, {"step": step, "score": score, "loss": validation_loss}],
                    )
                    if state.finished and len(recent) > 1:
                        mode.eval()
                        mean, score, validation_loss = _averaged(weights, recent, evaluate)
                        last = {"step": step, "score": score, "loss": validation_loss, "averaged": len(recent)}
                        state = replace(state, evaluations=[*state.evaluations, last])
                        if score >= best.score:
                            best_weights = mean
                            state = replace(state, best=replace(best, score=score, loss=validation_loss))
                keeping = state.finished or time.monotonic() - saved >= checkpoint_seconds
                _settle(waiting, everything=keeping)
                while waiting and waiting[0].settled:
                    seen = waiting.popleft()
                    tracker.log(seen.step, {**seen.values, "seconds": round(seen.seconds, 3)})
                    left = seen.seconds / seen.step * (total - seen.step)
                    run.progress(Progress("training", seen.step / total, left, seen.values))
                if keeping:
                    tracker.flush()
                    resume.save(run.folder, state, fingerprint, weights, optimizer, best_weights, recent)
                    saved = time.monotonic()
                give_back_now_and_then()
        _set(weights, best_weights)
        mode.eval()
        return History(state.step, state.seconds, tuple(state.evaluations))


def _copied(weights: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    return {name: weight.detach().clone() for name, weight in weights.items()}


@torch.no_grad()
def _set(weights: Mapping[str, nn.Parameter], values: Mapping[str, Tensor]) -> None:
    """Copy values into weights."""
    for name, value in values.items():
        weights[name].copy_(value)


def _averaged(
    weights: Mapping[str, nn.Parameter],
    recent: Sequence[Mapping[str, Tensor]],
    evaluate: Callable[[], tuple[float, float]],
) -> tuple[dict[str, Tensor], float, float]:
    """Set weights to the mean of those of several evaluations; return it with its score and its loss."""
    mean = {name: torch.stack([those[name] for those in recent]).mean(0) for name in weights}
    _set(weights, mean)
    return mean, *evaluate()


def _seed(number: int, device: str) -> None:
    """Seed a step's generator; `torch.manual_seed` also seeds every other device type, which takes a fifth of a ms."""
    torch.default_generator.manual_seed(number)
    if device == "cuda":
        torch.cuda.manual_seed(number)


@dataclass
class _Reading:
    """Loss and norm of a step, copied asynchronously from the device so that the host does not wait for it.

    numbers: ``(2,)``.
    arrived: event of the copy; None if the numbers are on the host already.
    values: filled when the copy is complete.
    """

    step: int
    numbers: Tensor
    arrived: torch.cuda.Event | None
    values: dict[str, float]
    seconds: float
    settled: bool = False


def _fetch(numbers: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """Start to copy numbers to the host."""
    if numbers.device.type == "cpu":
        return numbers, None
    here = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
    here.copy_(numbers, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return here, arrived


def _settle(waiting: Iterable[_Reading], everything: bool) -> None:
    """Read the numbers that have arrived, or wait for all of them before weights are evaluated or saved.

    Raises:
        DivergedError: a gradient is not a finite number.
    """
    for reading in waiting:
        if everything and reading.arrived is not None:
            reading.arrived.synchronize()
        if reading.settled or not (reading.arrived is None or reading.arrived.query()):
            continue
        value, norm = reading.numbers.tolist()
        if not math.isfinite(norm):
            raise DivergedError(
                f"the gradient of step {reading.step} is not a finite number (loss {value}); try a lower learning rate."
            )
        reading.values |= {"loss": value, "norm": norm}
        reading.settled = True
