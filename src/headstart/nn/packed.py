"""The batch without padding: texts are packed end to end, sorted by length so that texts of equal length are adjacent.

Shapes: tokens = all tokens of the batch, sequences = its texts, width = the model's hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from headstart.core.long_texts import Windows
from headstart.core.sequences import spans
from headstart.nn import chance


@dataclass(frozen=True)
class Batch:
    """Texts packed end to end, longest last.

    ids: int64 ``(tokens,)``.
    positions: int64 ``(tokens,)``, counted from 0 in each text.
    boundaries: int32 ``(sequences + 1,)``, the start of each text and the end of the last one.
    groups: (texts, tokens per text) for every run of texts of equal length, in order; Python numbers, so that no step
        waits for the device to read a shape.
    order: int64 ``(sequences,)``, the place of each text in the request.
    hidden: output of the model's frozen stages for these tokens, ``(tokens, width)``, or ``(sequences, width)`` if
        every stage is frozen; None if it has to be computed.
    stages: number of stages whose output `hidden` is.
    segments: int64 ``(tokens,)``, 0 or 1 if a text is a pair of passages; None if every token is in the first.
    owners: int64 ``(sequences,)``, the row of the request that each text is a window of, if the states of windows are
        pooled into one per row; None if every text is scored by itself.
    rows: number of these rows.
    features: float32 ``(sequences, features)``, or of each of these rows; what the head reads beside the text, in the
        order of its logits. None for nothing.
    marks: int64 ``(sequences, marks)``, the tokens of each text that the head reads, counted over the batch; None if
        they are the same in every text.
    """

    ids: Tensor
    positions: Tensor
    boundaries: Tensor
    groups: tuple[tuple[int, int], ...]
    order: Tensor
    hidden: Tensor | None = None
    stages: int = 0
    segments: Tensor | None = None
    owners: Tensor | None = None
    rows: int = 0
    features: Tensor | None = None
    marks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.order)

    @property
    def starts(self) -> Tensor:
        """The index of each text's first token, int32 ``(sequences,)``."""
        return self.boundaries[:-1]

    def select(self, states: Tensor, first_only: bool, places: Tensor | None) -> Tensor:
        """Select from states ``(tokens, width)`` those that are wanted: of first tokens, of some `places`, or all."""
        if first_only:
            return states[self.starts]  # (sequences, width)
        return states if places is None else states[places]

    def to(self, device: str) -> Batch:
        """Copy the batch to a device, see :func:`to_device`."""
        return Batch(
            ids=to_device(self.ids, device),
            positions=to_device(self.positions, device),
            boundaries=to_device(self.boundaries, device),
            groups=self.groups,
            order=to_device(self.order, device),
            hidden=None if self.hidden is None else to_device(self.hidden, device),
            stages=self.stages,
            segments=None if self.segments is None else to_device(self.segments, device),
            owners=None if self.owners is None else to_device(self.owners, device),
            rows=self.rows,
            features=None if self.features is None else to_device(self.features, device),
            marks=None if self.marks is None else to_device(self.marks, device),
        )


def to_device(tensor: Tensor, device: str) -> Tensor:
    """Copy a tensor of the CPU to a device; to a GPU from pinned memory, so that the host waits for no earlier work."""
    return (tensor.pin_memory() if device == "cuda" else tensor).to(device, non_blocking=True)


@dataclass(frozen=True)
class StoredStates:
    """Stored output of a model's frozen stages for some texts, so that they need not run again.

    stages: number of frozen stages.
    states: ``(stored rows, width)``, of any precision, possibly with rows of other texts.
    starts: int64 ``(texts,)``, the first row of each text.
    by_token: whether there is one row per token; otherwise one per text (if every stage is frozen).
    """

    stages: int
    states: Tensor
    starts: np.ndarray
    by_token: bool = True


def pack(
    tokens: np.ndarray,
    boundaries: np.ndarray,
    rows: np.ndarray,
    stored: StoredStates | None = None,
    segments: np.ndarray | None = None,
    owners: np.ndarray | None = None,
    marks: np.ndarray | None = None,
) -> Batch:
    """Pack some texts of a flat token array into a batch.

    Args:
        tokens: int ``(all tokens,)``, the tokens of all texts end to end.
        boundaries: int ``(all texts + 1,)``, the start of each text and the end of the last one.
        rows: int ``(sequences,)``, which texts.
        stored: output of the model's frozen stages for all texts; None if there is none.
        segments: int ``(all tokens,)``, the segment of each token; None if all are in the first.
        owners: int64 ``(sequences,)``, from 0 up, the row that each text is a window of; None if there are no windows.
        marks: int64 ``(all texts, marks)``, see `core.sequences.Encoded`; None for none.

    >>> batch = pack(np.array([1, 2, 3, 4, 5]), np.array([0, 3, 4, 5]), np.array([0, 1, 2]))
    >>> batch.groups, batch.order.tolist()  # two texts of one token, then one of three
    (((2, 1), (1, 3)), [1, 2, 0])
    """
    lengths = boundaries[rows + 1] - boundaries[rows]  # (sequences,)
    order = np.argsort(lengths, kind="stable")
    rows, lengths = rows[order], lengths[order]
    starts = np.cumsum(lengths) - lengths
    positions = np.arange(lengths.sum()) - np.repeat(starts, lengths)  # (tokens,)
    places = np.repeat(boundaries[rows], lengths) + positions  # (tokens,)
    sizes, counts = np.unique(lengths, return_counts=True)  # each (groups,)
    hidden = None
    if stored is not None:
        first = stored.starts[rows]  # (sequences,)
        own = np.repeat(first, lengths) + positions if stored.by_token else first  # (tokens,) or (sequences,)
        hidden = stored.states[torch.from_numpy(own)].float()  # (tokens or sequences, width)
    return Batch(
        ids=torch.from_numpy(tokens[places].astype(np.int64)),
        positions=torch.from_numpy(positions),
        boundaries=torch.from_numpy(np.append(starts, lengths.sum()).astype(np.int32)),
        groups=tuple(zip(counts.tolist(), sizes.tolist(), strict=True)),
        order=torch.from_numpy(order),
        hidden=hidden,
        stages=stored.stages if stored is not None else 0,
        segments=None if segments is None else torch.from_numpy(segments[places].astype(np.int64)),
        owners=None if owners is None else torch.from_numpy(owners[order]),
        rows=0 if owners is None else int(owners.max(initial=-1)) + 1,
        marks=None if marks is None else torch.from_numpy(starts[:, None] + marks[rows]),
    )


@dataclass(frozen=True)
class PairBatch:
    """Pairs of a source and a target text, both packed end to end in the same order, without padding on either side.

    source: the sources.
    target: the targets; a group is a run of pairs of equal source and target length.
    runs: the sources with the groups of the targets, for attention from one to the other.
    """

    source: Batch
    target: Batch
    runs: Batch

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: str) -> PairBatch:
        """Copy the batch to a device, see :func:`to_device`."""
        source = self.source.to(device)
        return PairBatch(source, self.target.to(device), replace(source, groups=self.runs.groups))


def pack_pairs(
    source: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray], rows: np.ndarray
) -> PairBatch:
    """Pack some pairs of texts, sorted by the length of the source and then of the target.

    Args:
        source: int ``(all tokens,)``, the tokens of all sources end to end, and int ``(all pairs + 1,)``, the start of
            each source and the end of the last one.
        target: the same of the targets.
        rows: int ``(pairs,)``, which pairs.

    >>> texts = np.arange(9), np.array([0, 3, 6, 9])  # three texts of three tokens
    >>> batch = pack_pairs(texts, (np.arange(5), np.array([0, 2, 3, 5])), np.arange(3))
    >>> batch.source.groups, batch.runs.groups, batch.target.groups
    (((3, 3),), ((1, 3), (2, 3)), ((1, 1), (2, 2)))
    """
    lengths = np.stack([np.diff(ends)[rows] for _, ends in (target, source)])  # (2, pairs)
    order = np.lexsort(lengths)
    runs, counts = np.unique(lengths[::-1, order].T, axis=0, return_counts=True)  # (runs, 2), sorted like the pairs
    sources, targets = (_in_order(*texts, rows[order]) for texts in (source, target))
    by_source, by_target = (tuple(zip(counts.tolist(), runs[:, side].tolist(), strict=True)) for side in (0, 1))
    sizes, numbers = np.unique(lengths[1], return_counts=True)
    places = torch.from_numpy(order)
    return PairBatch(
        replace(sources, order=places, groups=tuple(zip(numbers.tolist(), sizes.tolist(), strict=True))),
        replace(targets, order=places, groups=by_target),
        replace(sources, order=places, groups=by_source),
    )


def _in_order(tokens: np.ndarray, boundaries: np.ndarray, rows: np.ndarray) -> Batch:
    """Pack texts in the given order, without groups."""
    places, ends = spans(boundaries, rows)
    positions = np.arange(len(places)) - np.repeat(ends[:-1], np.diff(ends))
    return Batch(
        torch.from_numpy(tokens[places].astype(np.int64)),
        torch.from_numpy(positions),
        torch.from_numpy(ends.astype(np.int32)),
        (),
        torch.arange(len(rows)),
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


def pool_windows(states: Tensor, owners: Tensor, rows: int, way: Windows) -> Tensor:
    """Pool the states of each row's windows: ``(sequences, width)`` to ``(rows, width)``.

    Args:
        states: pooled state of each window.
        owners: int64 ``(sequences,)``, the row of each window; every row has one.
        rows: number of rows.
        way: 'mean', or 'max' for the largest of each value.

    >>> pool_windows(torch.tensor([[1.0, 5.0], [2.0, 2.0], [6.0, 0.0]]), torch.tensor([1, 0, 0]), 2, "mean").tolist()
    [[4.0, 1.0], [1.0, 5.0]]
    """
    if way == "max":
        least = states.new_full((rows, states.shape[1]), -torch.inf)
        return least.scatter_reduce(0, owners[:, None].expand_as(states), states, "amax")  # (rows, width)
    sums = states.new_zeros(rows, states.shape[1], dtype=torch.float32).index_add(0, owners, states.float())
    counts = sums.new_zeros(rows).index_add(0, owners, sums.new_ones(len(owners)))  # (rows,)
    return sums / counts[:, None]


def drop_words(batch: Batch, rate: float, unknown: int, spared: Sequence[int]) -> Batch:
    """Replace a random share of the tokens by the unknown token, so that the model does not rely on single words.

    Word dropout (Iyyer et al. 2015, "Deep Unordered Composition", section 3.3), with the generator of `nn.chance`.

    Args:
        batch: the texts.
        rate: share of tokens, 0 to 1.
        unknown: id of the unknown token.
        spared: ids of special tokens, which are never replaced.
    """
    dropped = torch.rand(batch.ids.shape, device=batch.ids.device, generator=chance.generator()) < rate
    special = torch.isin(batch.ids, to_device(torch.tensor(spared), batch.ids.device.type))
    return replace(batch, ids=batch.ids.masked_fill(dropped & ~special, unknown))
