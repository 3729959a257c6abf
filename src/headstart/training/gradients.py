"""The gradient of a step's loss: part by part where memory is short, and by halves side by side on a CPU.

Threads that share a product wait for the slowest of them at its end, hundreds of times a step; two halves of a step,
each worked on by one thread, wait for each other once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from headstart.core import seed
from headstart.nn import chance, parallel
from headstart.training.batches import halves

# Loss of rows int64 ``(rows,)``, a scalar with a graph.
Loss = Callable[[np.ndarray], Tensor]
# Adds the gradient of a loss over rows to the weights, cut into so many parts; the last argument seeds what is drawn.
Backward = Callable[[Loss, np.ndarray, Sequence[nn.Parameter], int, int], Tensor]


@contextmanager
def backward(lengths: np.ndarray | None, device: str) -> Iterator[Backward]:
    """Give the function that works out gradients; it returns the loss, on its device.

    A part counts by its share of the rows, so that nothing changes where the loss is a mean over rows.

    Args:
        lengths: tokens of each row, int64 ``(rows,)``: halves get about as many. None where a step is not halved.
    """
    if lengths is None or device != "cpu" or torch.get_num_threads() == 1:
        yield _one_after_the_other
    else:
        with parallel.pool(2) as pool:
            yield partial(_side_by_side, pool, lengths)


def _one_after_the_other(
    loss: Loss, rows: np.ndarray, weights: Sequence[nn.Parameter], parts: int, number: int
) -> Tensor:
    values = []
    for part in np.array_split(rows, min(parts, len(rows))):
        value = loss(part) * (len(part) / len(rows))
        value.backward()
        values.append(value.detach())
    return torch.stack(values).sum()


def _side_by_side(
    pool: ThreadPoolExecutor,
    lengths: np.ndarray,
    loss: Loss,
    rows: np.ndarray,
    weights: Sequence[nn.Parameter],
    parts: int,
    number: int,
) -> Tensor:
    learning = [weight for weight in weights if weight.requires_grad]

    def work(part: np.ndarray, own: int) -> tuple[Tensor, tuple[Tensor | None, ...]]:
        with chance.drawn_from(own):
            value = loss(part) * (len(part) / len(rows))
        return value.detach(), torch.autograd.grad(value, learning, allow_unused=True)

    values = []
    for place, part in enumerate(np.array_split(rows, min(parts, len(rows)))):
        both = [half for half in halves(part, lengths) if len(half)]
        own = [seed.derive(number, place, half) for half in range(len(both))]
        for value, gradients in pool.map(work, both, own):
            values.append(value)
            _add(learning, gradients)
    return torch.stack(values).sum()


def _add(weights: Sequence[nn.Parameter], gradients: Sequence[Tensor | None]) -> None:
    old, new = [], []
    for weight, gradient in zip(weights, gradients, strict=True):
        if weight.grad is None:
            weight.grad = gradient
        elif gradient is not None:
            old.append(weight.grad)
            new.append(gradient)
    if old:
        torch._foreach_add_(old, new)
