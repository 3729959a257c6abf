"""How much the tokens of a text attend to each other, read out of any encoder by a slow path.

The fused kernels never store these weights. But attention is linear in its values: where the values are columns of the
identity matrix, the result is the weights themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.core.sequences import Encoded
from headstart.nn.attention import SelfAttention
from headstart.nn.heads import Model
from headstart.nn.packed import Batch, pack
from headstart.nn.rotary import RotaryAttention


def weights(model: Model, encoded: Encoded, sequence: int, most: int, device: str) -> np.ndarray:
    """Return how much the tokens of a sequence attend to its first tokens, by layer and head.

    Args:
        model: the model.
        encoded: the texts.
        sequence: number of a sequence.
        most: largest number of tokens that are attended to.
        device: 'cpu' or 'cuda'.

    Returns:
        float32 ``(layers, heads, tokens, up to most)``.
    """
    if model.training:
        model.eval()
    encoder = model.encoder
    only = np.array([sequence])
    batch = pack(encoded.tokens, encoded.boundaries, only, segments=encoded.segments, marks=encoded.marks).to(device)
    with torch.no_grad():
        shared = encoder.shared(batch)
        layers = [
            _read(block, hidden, batch, shared, most)
            for block, hidden in zip(encoder.layers, encoder.states(batch), strict=False)
        ]
    found: np.ndarray = torch.stack(layers).cpu().numpy()
    return found


def _read(block: nn.Module, hidden: Tensor, batch: Batch, shared: Tensor | None, most: int) -> Tensor:
    """Return the weights of a block ``(heads, tokens, up to most)``, as many columns at once as a head is wide."""
    attention = block.attention
    assert isinstance(attention, SelfAttention | RotaryAttention)
    count, width = hidden.shape
    size = width // attention.heads
    identity = torch.eye(count, device=hidden.device)[:, :most]  # (tokens, up to most)
    parts = []
    for columns in identity.split(size, dim=1):
        values = F.pad(columns, (0, size - columns.shape[1])).repeat(1, attention.heads)  # (tokens, width)
        seen: list[Tensor] = []

        def replace(module: nn.Module, given: Any, out: Tensor, values: Tensor = values) -> Tensor | None:
            # DeBERTa also gives the vectors of distances to this matrix, and ignores their values.
            return torch.cat([out[:, : 2 * width], values], dim=1) if len(out) == count else None

        def note(module: nn.Module, given: tuple[Tensor], seen: list[Tensor] = seen) -> None:
            seen.append(given[0])

        with attention.qkv.register_forward_hook(replace), attention.output.register_forward_pre_hook(note):
            block(hidden, batch, shared=shared)
        parts.append(seen[0].unflatten(1, (attention.heads, size))[:, :, : columns.shape[1]])  # (tokens, heads, size)
    return torch.cat(parts, dim=2).transpose(0, 1)
