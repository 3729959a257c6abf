"""A training step of heads on tokens and spans, as several benchmarks time it beside Hugging Face's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def packed_step(model: Any, encoded: Any, targets: Any) -> Callable[[np.ndarray], float]:
    """Build our step as in a training: packed sequences, the embedding narrowed to their words; it returns the loss.

    Args:
        model: of ours, changed in place.
        encoded: one sequence per row.
        targets: `core.sequences.Ragged`, of the same sequences.
    """
    import torch

    from headstart.core import rooms
    from headstart.nn.heads import count
    from headstart.nn.narrow import narrowed
    from headstart.nn.packed import pack
    from headstart.training import gradients
    from headstart.training.optimizer import adamw, clipped_step

    model.narrow = narrowed(model.encoder.embeddings.word, encoded.tokens)
    tokens = model.narrow.__enter__()(encoded.tokens)
    groups = rooms.load("strategies", "full", {"learning_rate": 5e-5, "layer_decay": 1.0}).prepare(model)
    optimizer = adamw(groups, 0.01)
    weights = [weight for group in groups for weight in group.weights.values()]
    model.train()

    def loss(rows: np.ndarray) -> Any:
        batch = pack(tokens, encoded.boundaries, rows, segments=encoded.segments)
        right = targets.take(rows[batch.order.numpy()]).values
        return [(model.head.loss(model(batch), torch.from_numpy(right), batch.boundaries), count(right))]

    halves = gradients.backward(encoded.sequence_lengths, "cpu")
    backward = halves.__enter__()

    def step(rows: np.ndarray, opened: Any = halves) -> float:  # closed when the step is garbage-collected
        value = backward(loss, rows, weights, 1, 0)
        clipped_step(optimizer, weights, 1.0)
        return float(value)

    return step
