"""The head of a Transformer: weights of columns beside the text, and the optimum of a head on frozen states."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from headstart.checkpoints import arrays, manifest
from headstart.core.contracts import Task
from headstart.core.errors import shown
from headstart.core.files import write_text
from headstart.core.records import Progress, Run
from headstart.core.tensors import save_tensors
from headstart.nn.heads import ClassificationHead, Head
from headstart.training import convex

FILE, WEIGHT = "columns.safetensors", "head.columns.weight"
MARKED = (
    "# Marked entities\n\nThe classifier of this model reads the states of the two tokens that open the marked "
    "entities, side by side, which no class of transformers does. `AutoModel` opens the encoder; "
    "`AutoModelForSequenceClassification` refuses the folder, since the classifier is twice as wide as a state. Use "
    "`headstart predict` or `headstart.open_model`.\n"
)


def attach(head: Head, features: np.ndarray, targets: np.ndarray, *, balanced: bool = False) -> None:
    """Let a head read columns beside the text, in place, with the weights that are best without the text.

    At the rates at which a Transformer learns, weights that start from zero would hardly move.

    Args:
        head: the head, which scores whole texts.
        features: of the training rows, float32 ``(rows, features)``.
        targets: of the same rows, see `nn.heads.ClassificationHead`.
        balanced: see `training.convex.solutions`.
    """
    assert isinstance(head, ClassificationHead)  # as for every kind of task with columns
    start = convex.on_columns(features, targets, head.problem, balanced=balanced)
    columns = nn.Linear(features.shape[1], head.output.out_features, bias=False)
    with torch.no_grad():
        columns.weight.copy_(torch.from_numpy(start.weight))
        head.output.bias.copy_(torch.from_numpy(start.bias))
    head.columns = columns


@torch.no_grad()
def divided(head: Head, divisor: float) -> Head:
    """Return a copy of a head whose logits are divided by a number above 0."""
    own = copy.deepcopy(head)
    for layer in filter(None, (own.output, own.columns)):
        for weight in layer.parameters():
            weight.div_(divisor)
    return own


@torch.no_grad()
def solve(
    head: Head,
    states: np.ndarray,
    targets: np.ndarray,
    evaluate: Callable[[], tuple[float, float]],
    run: Run,
    *,
    balanced: bool,
) -> None:
    """Set the optimal weights of a linear head on frozen states, in place.

    Args:
        head: the head.
        states: pooled states of the training texts, and what is read beside them, float32 ``(texts, width)``.
        targets: int64 ``(texts,)``.
        evaluate: validation score (higher is better) and loss, by which the regularisation strength is chosen.
        run: the context of the training.
        balanced: see `training.convex.solutions`.
    """
    output, columns = head.output, head.columns
    layers = [output.weight, *([] if columns is None else [columns.weight]), output.bias]
    best: tuple[float, float] | None = None
    for number, solution in enumerate(convex.solutions(states, targets, balanced=balanced), start=1):
        before = [layer.clone() for layer in layers]
        parts = np.split(solution.weight, [output.in_features], axis=1)[: len(layers) - 1]
        for layer, solved in zip(layers, [*parts, solution.bias], strict=True):
            layer.copy_(torch.from_numpy(solved))
        score, loss = evaluate()
        seen = {"validation_score": score, "validation_loss": loss}
        run.progress(Progress("solving the head", number / len(convex.STRENGTHS), values=seen))
        if best is None or (score, -loss) > best:
            best = score, -loss
        else:
            for layer, value in zip(layers, before, strict=True):
                layer.copy_(value)


def save(folder: Path, head: Head, task: Task) -> None:
    """Write the weights of columns beside the text, and a note if transformers computes something else."""
    if head.marks:
        write_text(folder / manifest.CARD, MARKED)
    if not task.tabular.names or task.tabular.way == "none":
        return
    words = "".join(f"{name}: VALUE; " for name in task.tabular.names)
    names = ", ".join(map(shown, task.tabular.names))
    if head.columns is not None:
        save_tensors({WEIGHT: head.columns.weight.detach().cpu()}, folder / FILE)
        note = (
            f"This model reads columns beside the text: {names}. Their weights are in {FILE}, and how their cells are "
            "read in headstart.json; transformers reads neither. Its classes open this folder, but what they predict "
            "lacks the columns. Use `headstart predict` or `headstart.open_model`."
        )
    else:
        note = (
            "This model reads columns as words before the text. For equal outputs in transformers, begin each text "
            f"with `{words}`, numbers to four figures and without columns that have no value."
        )
    before = f"{MARKED}\n" if head.marks else ""
    write_text(folder / manifest.CARD, f"{before}# Columns beside the text\n\n{note}\n")


def load(folder: Path, head: Head, task: Task) -> None:
    """Read what :func:`save` wrote into a head, in place; nothing for a task that reads no columns beside the text.

    Raises:
        CheckpointError: the weights are missing, damaged, or of other columns.
    """
    if not task.tabular.width:
        return
    shape = (head.output.out_features, task.tabular.width)
    weight = arrays.read(folder / FILE, {WEIGHT: shape}, np.float32, {})[WEIGHT]
    head.columns = nn.Linear(shape[1], shape[0], bias=False)
    with torch.no_grad():
        head.columns.weight.copy_(torch.from_numpy(weight))
