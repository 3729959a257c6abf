"""What a fitted teacher gives to its student: states of its layers, and the outputs that the student should have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from headstart.activations import forward
from headstart.contenders import _neural
from headstart.core.contracts import Fitted, Task
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.distillation import objectives
from headstart.nn.heads import Model
from headstart.nn.packed import Batch, StoredStates

LEAST = 1e-12  # lower limit of the teacher's probabilities


def keep(model: Model, stages: Sequence[int], encoded: Encoded, run: Run) -> tuple[StoredStates | None, float]:
    """Run a teacher over all texts whose states are not stored yet, and store the outputs of some stages.

    Returns:
        states of all these stages side by side, None if they would be too large; and the seconds saved.
    """
    key = f"{forward.weights_key(model.encoder.stages, run.device)}-{'-'.join(map(str, stages))}"

    def compute(batch: Batch) -> Tensor:
        return objectives.outputs(model.encoder, batch, stages)

    count = len(stages)
    return forward.keep_states(model, encoded, run, "running the teacher", key, compute, count, side_by_side=count)


def token_outputs(teacher: _neural.Neural | None, name: str, encoded: Encoded, device: str) -> Ragged:
    """Return what the student's logits of each token should be: the teacher's, float32 ``(tokens, outputs)``.

    A teacher with a conditional random field teaches its scores of single tokens, not those of pairs.

    Args:
        teacher: a Transformer that reads the same tokens; None for one that does not.
        name: of the teacher, for messages.
        encoded: the texts in these tokens.
        device: 'cpu' or 'cuda'.

    Raises:
        UsageError: there is no such teacher.
    """
    if teacher is None:
        raise UsageError(
            f"a student that scores tokens learns from its teacher's scores of the same tokens, which '{name}' does "
            "not give; teach with a Transformer, such as finetuned:full, without a vocabulary of the student's own."
        )
    return forward.outputs(teacher.model, encoded, device)


def text_outputs(
    teacher: Fitted, texts: Sequence[str], task: Task, stored: StoredStates | None, encoded: Encoded, device: str
) -> Ragged:
    """Return what the student's logits of each text should be, float32 ``(texts, outputs)``.

    Log probabilities of one label are computed from the teacher's stored states if there are any.

    Args:
        teacher: the fitted teacher.
        texts: the texts.
        task: the task, fitted.
        stored: its states; None if there are none.
        encoded: the texts in the tokens of these states.
        device: 'cpu' or 'cuda'.
    """
    if task.kind == "number":
        numbers = Rows(tuple(map(str, range(len(texts)))), tuple(texts), teacher.predict(texts).values)
        return task.targets(numbers, Encoded.without_tokens(len(texts)))
    order = [teacher.task.classes.index(label) for label in task.classes]
    if task.kind == "labels" or stored is None or not isinstance(teacher, _neural.Neural):
        probabilities = torch.from_numpy(np.asarray(teacher.predict(texts).probabilities))[:, order]
        if task.kind == "labels":
            return Ragged.single(probabilities.double().clamp(LEAST, 1 - LEAST).logit().float().numpy())
        return Ragged.single(probabilities.clamp(min=LEAST).log().numpy())
    width = teacher.model.encoder.width
    starts = stored.starts[: len(texts)]
    if teacher.model.head.first_only:
        pooled = stored.states[torch.from_numpy(starts), -width:].float()
    elif encoded.marks is not None:
        places = torch.from_numpy(starts[:, None] + encoded.marks)  # (texts, marks)
        pooled = stored.states[places, -width:].float().flatten(1)  # (texts, marks * width)
    else:
        spans = zip(starts.tolist(), (starts + encoded.lengths).tolist(), strict=True)
        pooled = torch.stack([stored.states[start:end, -width:].float().mean(dim=0) for start, end in spans])
    with torch.inference_mode():
        logits = teacher.model.head(pooled.to(device))
    return Ragged.single(logits.float().log_softmax(-1)[:, order].cpu().numpy())
