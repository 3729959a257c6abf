"""An embedding reduced, during a training, to the rows that its texts use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

NONE = np.empty(0, dtype=np.int64)


@contextmanager
def narrowed(
    embedding: nn.Embedding, learnt: np.ndarray, evaluated: np.ndarray = NONE
) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """Keep only some rows of an embedding, in place, until the block ends; then restore all rows.

    A vocabulary of 30,000 word pieces is most of a small model's weights, and few of them occur in a training's texts.
    The others get no gradient, so gradients, their norm, the optimiser and checkpoints leave them out. They are
    restored unchanged (weight decay would have shrunk them a little). The same is true of rows that only evaluation
    looks up: in evaluation mode they have their initial values, so that validation texts do not change weights.

    Args:
        embedding: the embedding to change.
        learnt: int ``(any,)``, ids that training looks up, in any order, with repetitions.
        evaluated: int ``(any,)``, ids that are looked up in evaluation mode; may include ids of training.

    Yields:
        a function that maps such ids to their new numbers, int32, of the same shape.

    >>> embedding = nn.Embedding(100, 2)
    >>> with narrowed(embedding, np.array([7, 50, 7])) as renumber:
    ...     len(embedding.weight), renumber(np.array([50, 7])).tolist()
    (2, [1, 0])
    >>> len(embedding.weight)
    100
    """
    rows = np.union1d(learnt, evaluated)  # (rows,)
    whole = embedding.weight
    places = torch.from_numpy(rows).to(whole.device)
    fixed = torch.from_numpy(np.flatnonzero(~np.isin(rows, learnt))).to(whole.device)
    embedding.weight = nn.Parameter(whole.detach()[places], requires_grad=whole.requires_grad)  # (rows, width)

    @torch.no_grad()
    def restore(module: nn.Module, inputs: object) -> None:
        if not module.training:
            embedding.weight[fixed] = whole[places[fixed]]

    hook = embedding.register_forward_pre_hook(restore) if len(fixed) else None
    try:
        yield lambda ids: np.searchsorted(rows, ids).astype(np.int32)
    finally:
        if hook is not None:
            hook.remove()
        with torch.no_grad():
            embedding.weight[fixed] = whole[places[fixed]]
            whole[places] = embedding.weight
        embedding.weight = whole.requires_grad_(embedding.weight.requires_grad)
