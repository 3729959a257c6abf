"""Which rows make a batch: random for training, by length and token budget for everything else."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from headstart.core import seed


@lru_cache(maxsize=2)
def epoch_order(rows: int, run_seed: int, epoch: int) -> np.ndarray:
    """Return the order of the rows in one epoch, int64 ``(rows,)``; the array is cached, so do not write to it.

    A pure function of its arguments: a resumed training has no sampler state to restore.

    >>> sorted(epoch_order(4, 0, 1).tolist())
    [0, 1, 2, 3]
    """
    return seed.generator(run_seed, "order", epoch).permutation(rows)


def step_rows(rows: int, batch_rows: int, run_seed: int, step: int) -> np.ndarray:
    """Return the rows of one step, int64 ``(up to batch_rows,)``; the last batch of an epoch may be shorter.

    Args:
        rows: number of training rows.
        batch_rows: rows per step.
        run_seed: seed of the training.
        step: counted from 0 over the whole training; every epoch has ``ceil(rows / batch_rows)`` of them.
    """
    per_epoch = -(-rows // batch_rows)
    epoch, place = divmod(step, per_epoch)
    return epoch_order(rows, run_seed, epoch)[place * batch_rows : (place + 1) * batch_rows]


def halves(rows: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into two halves with about the same number of tokens: longest first, each to the half with fewer.

    >>> [half.tolist() for half in halves(np.array([4, 0, 2]), lengths=np.array([3, 9, 2, 9, 4]))]
    [[4], [0, 2]]
    """
    split: tuple[list[int], list[int]] = [], []
    tokens = [0, 0]
    for row in rows[np.argsort(-lengths[rows], kind="stable")].tolist():
        lighter = int(tokens[1] < tokens[0])
        split[lighter].append(row)
        tokens[lighter] += int(lengths[row])
    one, other = (np.array(half, dtype=rows.dtype) for half in split)
    return one, other


def by_length(lengths: np.ndarray, token_budget: int) -> Iterator[np.ndarray]:
    """Yield batches of rows of similar length within a token budget (a single row may exceed it).

    >>> [batch.tolist() for batch in by_length(np.array([5, 1, 1, 4]), token_budget=6)]
    [[1, 2, 3], [0]]
    """
    order = np.argsort(lengths, kind="stable")
    start = 0
    total = 0
    for place, row in enumerate(order):
        if place > start and total + lengths[row] > token_budget:
            yield order[start:place]
            start, total = place, 0
        total += int(lengths[row])
    if start < len(order):
        yield order[start:]
