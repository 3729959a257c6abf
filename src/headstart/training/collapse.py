"""A collapsed training is detected and repeated once from the same initial weights at a third of the learning rate.

It collapsed if a gradient was not finite, or if the model has learnt no more about its own training rows than their
class shares: predicting these, whatever the text, has the lowest loss of all predictions independent of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from headstart.core import sealed
from headstart.core.errors import DivergedError
from headstart.core.files import make_folder
from headstart.core.records import Attempt, Run
from headstart.core.sequences import IGNORED, Ragged
from headstart.nn.groups import Group
from headstart.nn.heads import Head
from headstart.training import resume

FACTOR = 1 / 3
FILE = "collapsed.json"
# Training rows that are evaluated: a few first, then more unless the loss is clearly below that of the class shares.
FEW_ROWS, MOST_ROWS = 100, 1000
CLEARLY = 0.9
# A loss of at least this share of the class shares' loss means that nothing was learnt.
NOTHING = 0.99
# Predicting one class for all texts is stronger evidence if no class holds most rows: such a loss may be a little
# lower.
ONE_ANSWER, MOST_SHARE = 0.95, 0.7
# A head on frozen states has one minimum, at or below the class shares' loss: only one that overshot is above.
OVERSHOT = 1.05


def train(
    attempt: Callable[[Run, Sequence[Group]], None],
    judge: Callable[[], str],
    groups: Sequence[Group],
    run: Run,
    fingerprint: str,
) -> None:
    """Train, and repeat once after a collapse; `run.attempted` is called with both trainings.

    Killed in the second training, the same call resumes there.

    Args:
        attempt: trains the weights of groups in place; in the second training their rates are a third of the first.
        judge: returns why the finished training collapsed, '' if it did not.
        groups: the weights and their learning rates.
        run: the context of the training.
        fingerprint: hash of settings, data and initial weights.

    Raises:
        DivergedError: a gradient was not finite in both.
    """
    note = run.folder / FILE
    known = sealed.take_note(note) or {}
    reason = str(known["reason"]) if known.get("fingerprint") == fingerprint else ""
    if not reason:
        start = [(weight, weight.detach().clone()) for group in groups for weight in group.weights.values()]
        try:
            attempt(run, groups)
            reason = judge()
        except DivergedError as error:
            reason = str(error)
        if not reason:
            run.attempted(Attempt())
            return
        with torch.no_grad():
            for weight, value in start:
                weight.copy_(value)
                weight.grad = None
        del start
        make_folder(note.parent)
        sealed.write_note(note, {"fingerprint": fingerprint, "reason": reason})
    else:
        run.resumed(resume.seconds(run.folder))
    run.attempted(Attempt(1.0, reason))
    slower = [replace(group, learning_rate=group.learning_rate * FACTOR) for group in groups]
    try:
        attempt(replace(run, folder=run.folder / "retry"), slower)
    except DivergedError as error:
        raise DivergedError(f"trained twice, the second time at a third of the learning rate: {error}") from error
    run.attempted(Attempt(FACTOR, judge()))


def judged(
    outputs_of: Callable[[np.ndarray], Ragged],
    head: Head,
    targets: Ragged,
    weights: Tensor | None = None,
    *,
    head_only: bool = False,
) -> str:
    """Return why a trained model's outputs for some of its training sequences show a collapse; '' if they do not.

    Args:
        outputs_of: returns the outputs for training sequences, by their numbers int64 ``(sequences,)``.
        head: the model's.
        targets: of all training sequences.
        weights: see `reason`.
        head_only: see `reason`.
    """
    for count in (FEW_ROWS, MOST_ROWS):
        some = np.unique(np.linspace(0, len(targets) - 1, count).astype(np.int64))
        outputs = outputs_of(some)
        logits, ends, right = map(torch.from_numpy, (outputs.values, outputs.boundaries, targets.take(some).values))
        if count == FEW_ROWS and torch.isfinite(logits).all():
            loss, least = _losses(head, logits, right, ends, weights)
            if loss < CLEARLY * least:
                return ""
    return reason(head, logits, right, ends, weights, head_only=head_only)


def reason(
    head: Head,
    logits: Tensor,
    targets: Tensor,
    boundaries: Tensor,
    weights: Tensor | None = None,
    *,
    head_only: bool = False,
) -> str:
    """Return why a model's outputs for its training sequences show a collapse; '' if they do not.

    Args:
        head: the model's.
        logits: float32 ``(items, outputs)``.
        targets: see `nn.heads`.
        boundaries: of the logits' sequences, int64 ``(sequences + 1,)``.
        weights: of the classes in the loss ``(outputs,)``; None for ones.
        head_only: whether only the head was trained.

    >>> from headstart.nn.heads import ClassificationHead
    >>> head, right, ends = ClassificationHead(8, 2), torch.tensor([0, 1, 0, 1]), torch.arange(5)
    >>> reason(head, torch.zeros(4, 2), right, ends)
    'one class for all texts'
    >>> reason(head, 2.0 * torch.eye(2)[right], right, ends)
    ''
    """
    if not torch.isfinite(logits).all():
        return "answers that are not finite numbers"
    loss, least = _losses(head, logits, targets, boundaries, weights)
    if least <= 0:  # all targets are the same: nothing to learn
        return ""
    constant = "that of the class shares" if head.classifies else "that of the best constant answer"
    if head_only:
        return f"a loss above {constant}" if loss > OVERSHOT * least else ""
    alike = certain = False
    if head.classifies:
        counts = torch.bincount(targets[targets != IGNORED])  # (classes,)
        alike = int(logits.argmax(-1).unique().numel()) == 1
        certain = alike and float(counts.max() / counts.sum()) <= MOST_SHARE
    if loss < (ONE_ANSWER if certain else NOTHING) * least:
        return ""
    return "one class for all texts" if alike else f"a loss that never fell below {constant}"


def _losses(
    head: Head, logits: Tensor, targets: Tensor, boundaries: Tensor, weights: Tensor | None
) -> tuple[float, float]:
    """Return the loss of the logits, and the lowest loss of all predictions independent of the text."""
    factors = None if weights is None else weights.cpu()
    loss = head.loss(logits, targets, boundaries, factors)
    return float(loss.detach()), head.constant_loss(targets, boundaries, factors)
