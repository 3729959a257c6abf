"""A collapsed training is detected and repeated once from the same initial weights at a third of the learning rate.

It collapsed if a gradient was not finite, or if the model has learnt no more about its own training rows than their
class
shares: predicting these shares, whatever the text, has the lowest loss of all predictions independent of the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from headstart.core import sealed
from headstart.core.errors import DivergedError
from headstart.core.files import make_folder
from headstart.core.records import Attempt, Run
from headstart.nn.groups import Group

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
    run.attempted(Attempt(1.0, reason))
    slower = [replace(group, learning_rate=group.learning_rate * FACTOR) for group in groups]
    try:
        attempt(replace(run, folder=run.folder / "retry"), slower)
    except DivergedError as error:
        raise DivergedError(f"trained twice, the second time at a third of the learning rate: {error}") from error
    run.attempted(Attempt(FACTOR, judge()))


def judged(
    logits_of: Callable[[np.ndarray], Tensor],
    targets: Tensor,
    weights: Tensor | None = None,
    *,
    head_only: bool = False,
) -> str:
    """Return why a trained model's predictions for some of its training rows show a collapse; '' if they do not.

    Args:
        logits_of: returns the logits ``(rows, classes)`` of training rows, by their numbers int64 ``(rows,)``.
        targets: class numbers of all training rows, int64 ``(training rows,)``.
        weights: see `reason`.
        head_only: see `reason`.
    """
    for count in (FEW_ROWS, MOST_ROWS):
        rows = np.unique(np.linspace(0, len(targets) - 1, count).astype(np.int64))
        logits, some = logits_of(rows), targets[torch.from_numpy(rows)]
        if count == FEW_ROWS and torch.isfinite(logits).all():
            loss, least = _losses(logits, some, weights)
            if loss < CLEARLY * least:
                return ""
    return reason(logits, some, weights, head_only=head_only)


def reason(logits: Tensor, targets: Tensor, weights: Tensor | None = None, *, head_only: bool = False) -> str:
    """Return why a model's predictions for its training rows show a collapse; '' if they do not.

    Args:
        logits: float32 ``(rows, classes)``.
        targets: class numbers int64 ``(rows,)``.
        weights: of the classes in the loss ``(classes,)``; None for ones.
        head_only: whether only the head was trained.

    >>> reason(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))
    'one class for all texts'
    >>> reason(torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 1]))
    ''
    """
    if not torch.isfinite(logits).all():
        return "answers that are not finite numbers"
    counts = torch.bincount(targets, minlength=logits.shape[1])
    if int((counts > 0).sum()) < 2:
        return ""
    loss, least = _losses(logits, targets, weights)
    if head_only:
        return "a loss above that of the class shares" if loss > OVERSHOT * least else ""
    alike = int(logits.argmax(-1).unique().numel()) == 1
    certain = alike and float(counts.max() / counts.sum()) <= MOST_SHARE
    if loss < (ONE_ANSWER if certain else NOTHING) * least:
        return ""
    return "one class for all texts" if alike else "a loss that never fell below that of the class shares"


def _losses(logits: Tensor, targets: Tensor, weights: Tensor | None) -> tuple[float, float]:
    """Return the loss of the logits, and the lowest loss of all predictions independent of the text."""
    counts = torch.bincount(targets, minlength=logits.shape[1]).double()
    factors = torch.ones_like(counts) if weights is None else weights.double().cpu()
    share = counts * factors
    least = -(share * (share / share.sum()).clamp(min=1e-12).log()).sum()
    return float(F.cross_entropy(logits.double(), targets, factors, reduction="sum")), float(least)
