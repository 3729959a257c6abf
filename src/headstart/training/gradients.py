"""The gradient of a step's loss: in parts to save memory, and in two halves in parallel on a CPU.

Threads that share a matrix product wait for the slowest of them at its end, hundreds of times per step; two halves of a
step, each computed by one thread, wait for each other once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from headstart.core import seed
from headstart.nn import chance, parallel
from headstart.training.batches import halves

# The mean over rows as a scalar; or a list of (sum, count) pairs whose means are added.
LossValue = Tensor | Sequence[tuple[Tensor, int]]
# Computes the loss of rows int64 ``(rows,)``, with a graph.
Loss = Callable[[np.ndarray], LossValue]
# Adds the gradient of the loss of rows to the weights, in so many parts; the last argument is the random seed.
Backward = Callable[[Loss, np.ndarray, Iterable[nn.Parameter], int, int], Tensor]


@contextmanager
def backward(lengths: np.ndarray | None, device: str) -> Iterator[Backward]:
    """Return the function that computes gradients; it returns the loss, on its device.

    Halves change only rounding and random numbers. A part is weighted by its share of the rows, which changes nothing
    if the loss is a mean over rows.

    Args:
        lengths: tokens of each row, int64 ``(rows,)``, by which halves are balanced; None if steps are not to be
            halved.
        device: 'cpu' or 'cuda'.
    """
    if lengths is None or device != "cpu" or torch.get_num_threads() == 1:
        yield _one_after_the_other
    else:
        with parallel.pool(2) as pool:
            yield partial(_side_by_side, pool, lengths)


def mean(value: LossValue) -> Tensor:
    """Return a loss as a scalar."""
    return value if isinstance(value, Tensor) else _over([count for _, count in value], value)


def _one_after_the_other(
    loss: Loss, rows: np.ndarray, weights: Iterable[nn.Parameter], parts: int, number: int
) -> Tensor:
    values = []
    for part in np.array_split(rows, min(parts, len(rows))):
        value = mean(loss(part)) * (len(part) / len(rows))
        value.backward()
        values.append(value.detach())
    return torch.stack(values).sum()


def _side_by_side(
    pool: ThreadPoolExecutor,
    lengths: np.ndarray,
    loss: Loss,
    rows: np.ndarray,
    weights: Iterable[nn.Parameter],
    parts: int,
    number: int,
) -> Tensor:
    learning = [weight for weight in weights if weight.requires_grad]

    def forward(half: np.ndarray, own: int) -> Sequence[tuple[Tensor, int]]:
        with chance.drawn_from(own):
            value = loss(half)
        return [(value * len(half), len(half))] if isinstance(value, Tensor) else value

    def back(value: Tensor) -> Sequence[Tensor | None]:
        return torch.autograd.grad(value, learning, allow_unused=True)

    values = []
    for place, part in enumerate(np.array_split(rows, min(parts, len(rows)))):
        both = [half for half in halves(part, lengths) if len(half)]
        losses = list(pool.map(forward, both, [seed.derive(number, place, half) for half in range(len(both))]))
        totals = [sum(counts) for counts in zip(*([count for _, count in half] for half in losses), strict=True)]
        shares = [_over(totals, half) * (len(part) / len(rows)) for half in losses]
        for gradients in pool.map(back, shares):
            _add(learning, gradients)
        values += [value.detach() for value in shares]
    return torch.stack(values).sum()


def _over(totals: Sequence[int], counted: Sequence[tuple[Tensor, int]]) -> Tensor:
    """Divide sums by counts, which may include those of another half, and add the quotients."""
    return torch.stack([value / max(1, total) for total, (value, _) in zip(totals, counted, strict=True)]).sum()


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
