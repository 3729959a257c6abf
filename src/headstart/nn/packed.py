"""The batch without padding: texts lie end to end, sorted by length so that equal lengths are neighbours.

Shapes: tokens = all tokens of the batch, sequences = its texts, width = the model's hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from headstart.nn import chance


@dataclass(frozen=True)
class Batch:
    """Texts end to end, longest last.

    ids: int64 ``(tokens,)``.
    positions: int64 ``(tokens,)``, counted from 0 in each text.
    boundaries: int32 ``(sequences + 1,)``, where each text begins and the last one ends.
    groups: (texts, tokens of each) for every run of texts of one length, in order; plain numbers, so that no step
        waits for the device to learn a shape.
    order: int64 ``(sequences,)``, the position each text had in the request.
    hidden: states that frozen stages of the model gave for these tokens, ``(tokens, width)``; or ``(sequences,
        width)`` where every stage is frozen and only first tokens are read. None where nothing was kept.
    stages: how many of the model's stages gave them.
    segments: int64 ``(tokens,)``, 0 or 1 where a text is a pair of passages; None where every token is of the first.
    """

    ids: Tensor
    positions: Tensor
    boundaries: Tensor
    groups: tuple[tuple[int, int], ...]
    order: Tensor
    hidden: Tensor | None = None
    stages: int = 0
    segments: Tensor | None = None

    def __len__(self) -> int:
        return len(self.order)

    @property
    def starts(self) -> Tensor:
        """Where each text's first token stands, int32 ``(sequences,)``."""
        return self.boundaries[:-1]

    def asked(self, states: Tensor, first_only: bool, places: Tensor | None) -> Tensor:
        """Take the states ``(tokens, width)`` that a layer answers for: of first tokens, of some `places`, or all."""
        if first_only:
            return states[self.starts]
        return states if places is None else states[places]

    def to(self, device: str) -> Batch:
        """Copy the batch to a device; a GPU copies from pinned memory while it computes what came before."""

        def move(tensor: Tensor) -> Tensor:
            tensor = tensor.pin_memory() if device == "cuda" else tensor
            return tensor.to(device, non_blocking=True)

        return Batch(
            ids=move(self.ids),
            positions=move(self.positions),
            boundaries=move(self.boundaries),
            groups=self.groups,
            order=move(self.order),
            hidden=None if self.hidden is None else move(self.hidden),
            stages=self.stages,
            segments=None if self.segments is None else move(self.segments),
        )


@dataclass(frozen=True)
class Kept:
    """What frozen stages of a model gave for some texts, so that they need not run again.

    stages: how many of the model's stages.
    states: ``(kept rows, width)``, of any precision and perhaps of other texts too.
    starts: int64 ``(texts,)``, the first row of each text.
    by_token: whether a text has a row a token, or one in all (every stage is frozen, only first tokens are read).
    """

    stages: int
    states: Tensor
    starts: np.ndarray
    by_token: bool = True


def pack(
    tokens: np.ndarray,
    boundaries: np.ndarray,
    rows: np.ndarray,
    kept: Kept | None = None,
    segments: np.ndarray | None = None,
) -> Batch:
    """Pack some texts of a flat token array into a batch.

    Args:
        tokens: int ``(all tokens,)``, every text's tokens end to end.
        boundaries: int ``(all texts + 1,)``, where each text begins and ends.
        rows: int ``(sequences,)``, which texts.
        kept: what the model's frozen stages gave for all texts, where they need not run again.
        segments: int ``(all tokens,)``, the segment of each; None where all are of the first.

    >>> batch = pack(np.array([1, 2, 3, 4, 5]), np.array([0, 3, 4, 5]), np.array([0, 1, 2]))
    >>> batch.groups, batch.order.tolist()  # two texts of one token, then one of three
    (((2, 1), (1, 3)), [1, 2, 0])
    """
    lengths = boundaries[rows + 1] - boundaries[rows]
    order = np.argsort(lengths, kind="stable")
    rows, lengths = rows[order], lengths[order]
    starts = np.cumsum(lengths) - lengths
    positions = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    places = np.repeat(boundaries[rows], lengths) + positions
    sizes, counts = np.unique(lengths, return_counts=True)
    hidden = None
    if kept is not None:
        first = kept.starts[rows]
        own = np.repeat(first, lengths) + positions if kept.by_token else first
        hidden = kept.states[torch.from_numpy(own)].float()
    return Batch(
        ids=torch.from_numpy(tokens[places].astype(np.int64)),
        positions=torch.from_numpy(positions),
        boundaries=torch.from_numpy(np.append(starts, lengths.sum()).astype(np.int32)),
        groups=tuple(zip(counts.tolist(), sizes.tolist(), strict=True)),
        order=torch.from_numpy(order),
        hidden=hidden,
        stages=kept.stages if kept is not None else 0,
        segments=None if segments is None else torch.from_numpy(segments[places].astype(np.int64)),
    )


def means(states: Tensor, batch: Batch) -> Tensor:
    """Average the states of each text's tokens, special ones included: ``(tokens, width)`` to ``(sequences, width)``.

    >>> batch = pack(np.array([1, 2, 3]), np.array([0, 1, 3]), np.array([0, 1]))
    >>> means(torch.tensor([[1.0], [2.0], [6.0]]), batch).tolist()
    [[1.0], [4.0]]
    """
    lengths = batch.boundaries.diff().long()  # (sequences,)
    numbers = torch.arange(len(lengths), device=states.device)
    owners = torch.repeat_interleave(numbers, lengths, output_size=len(states))  # (tokens,)
    sums = states.new_zeros(len(lengths), states.shape[1], dtype=torch.float32).index_add(0, owners, states.float())
    return sums / lengths[:, None]


def drop_words(batch: Batch, rate: float, unknown: int, spared: Sequence[int]) -> Batch:
    """Replace a random share of the tokens by the unknown one, so that no single word is relied on.

    Word dropout (Iyyer et al. 2015, "Deep Unordered Composition", section 3.3). Drawn as `nn.chance` says.

    Args:
        rate: share of tokens, 0 to 1. spared: ids of special tokens, which stay.
    """
    dropped = torch.rand(batch.ids.shape, device=batch.ids.device, generator=chance.generator()) < rate
    special = torch.isin(batch.ids, torch.tensor(spared, device=batch.ids.device))
    return replace(batch, ids=batch.ids.masked_fill(dropped & ~special, unknown))
