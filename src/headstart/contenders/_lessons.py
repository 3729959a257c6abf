"""Sources and targets as tokens, for models that write: in two sequences, or in one for a decoder alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from headstart.checkpoints.generating import GeneratorCheckpoint
from headstart.core.contracts import Value
from headstart.core.records import Rows
from headstart.core.sequences import Encoded, spans
from headstart.core.text_tasks import TextTask
from headstart.nn.decoder import Generator
from headstart.nn.packed import PairBatch, pack, pack_pairs, to_device


class Lessons(Protocol):
    """Rows of sources and targets.

    lengths: tokens of each row, int64 ``(rows,)``.
    targets: tokens of each row's target with the one that ends it, int64 ``(rows,)``.
    characters: of each row's target as far as it is read, and one for its end, int64 ``(rows,)``.
    arrays: all of their content.
    """

    @property
    def lengths(self) -> np.ndarray: ...

    @property
    def targets(self) -> np.ndarray: ...

    @property
    def characters(self) -> np.ndarray: ...

    @property
    def arrays(self) -> list[np.ndarray]: ...

    def states(self, model: Generator, rows: np.ndarray, device: str) -> tuple[Tensor, Tensor, Tensor]:
        """Return the states ``(target tokens, width)`` of some rows that predict their labels, these, and their rows.

        Labels and places are int64 ``(target tokens,)``; places are those in `rows`.
        """


@dataclass(frozen=True)
class Pairs:
    """Sources and targets as tokens, for an encoder and a decoder.

    source: the sources.
    inputs: the targets, each after the start token and without its last token.
    labels: int64 ``(tokens of inputs,)``, the token after each.
    characters: see :class:`Lessons`.
    """

    source: Encoded
    inputs: Encoded
    labels: np.ndarray
    characters: np.ndarray

    def pack(self, rows: np.ndarray) -> tuple[PairBatch, Tensor]:
        """Return some pairs as a batch, and the labels of its target tokens."""
        batch = pack_pairs(
            (self.source.tokens, self.source.boundaries), (self.inputs.tokens, self.inputs.boundaries), rows
        )
        places, _ = spans(self.inputs.boundaries, rows[batch.target.order.numpy()])
        return batch, torch.from_numpy(self.labels[places])

    def states(self, model: Generator, rows: np.ndarray, device: str) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Lessons`."""
        batch, labels = self.pack(rows)
        owners = torch.repeat_interleave(batch.target.order, batch.target.boundaries.diff().long())
        return model.states(batch.to(device)), to_device(labels, device), to_device(owners, device)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each pair, int64 ``(pairs,)``."""
        lengths: np.ndarray = self.source.lengths + self.inputs.lengths
        return lengths

    @property
    def targets(self) -> np.ndarray:
        """See :class:`Lessons`."""
        return self.inputs.lengths

    @property
    def arrays(self) -> list[np.ndarray]:
        """See :class:`Lessons`."""
        return [self.source.tokens, self.inputs.tokens]


@dataclass(frozen=True)
class Continued:
    """Sources and targets as tokens, one after the other, for a decoder alone; only targets are learnt.

    whole: each source with its target, without the target's last token.
    targets: see :class:`Lessons`.
    labels: int64 ``(tokens of targets,)``, target after target, each with the token that ends it.
    characters: see :class:`Lessons`.
    """

    whole: Encoded
    targets: np.ndarray
    labels: np.ndarray
    characters: np.ndarray

    def states(self, model: Generator, rows: np.ndarray, device: str) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Lessons`; those of sources are left out."""
        batch = pack(self.whole.tokens, self.whole.boundaries, rows)
        order = batch.order.numpy()
        counts = self.targets[rows[order]]
        last = batch.boundaries[1:].numpy()
        # The last source token and all target tokens but the end predict the target: the last `count` places of a row.
        first = np.cumsum(counts) - counts
        places = np.repeat(last - counts - first, counts) + np.arange(counts.sum())
        ends = np.concatenate([[0], np.cumsum(self.targets)])
        own, _ = spans(ends, rows[order])
        states = model.decoder(batch.to(device))  # (tokens, width)
        parts = (torch.from_numpy(part) for part in (places, self.labels[own], np.repeat(order, counts)))
        chosen, labels, owners = (to_device(part, device) for part in parts)
        return states[chosen], labels, owners

    @property
    def lengths(self) -> np.ndarray:
        """See :class:`Lessons`."""
        return self.whole.lengths

    @property
    def arrays(self) -> list[np.ndarray]:
        """See :class:`Lessons`."""
        return [self.whole.tokens, self.labels]


def sources(task: TextTask, inputs: Sequence[Value], checkpoint: GeneratorCheckpoint) -> Encoded:
    """Turn inputs into the token ids that a model reads before it writes.

    A decoder alone reads conversations; where the task has none, an input is a turn of the user.
    """
    if checkpoint.model.encoder is not None or task.by_likelihood:
        return task.encode(inputs, checkpoint.tokenizer)
    return checkpoint.tokenizer.encode_turns([[("user", " ".join(task.texts(value)))] for value in inputs])


def lessons(task: TextTask, rows: Rows, checkpoint: GeneratorCheckpoint) -> Lessons:
    """Turn rows into tokens; of several right targets the first is learnt.

    Args:
        task: the task.
        rows: with targets.
        checkpoint: with the tokenizers of both sides, and the token before each target and the one after it.
    """
    if checkpoint.model.encoder is not None:
        return pairs(task, rows, checkpoint)
    source = sources(task, rows.inputs, checkpoint)
    bodies, characters = _bodies(task, rows, checkpoint)
    wholes, labels = [], []
    for first, last, body in zip(source.boundaries[:-1], source.boundaries[1:], bodies, strict=True):
        wholes.append(np.concatenate([source.tokens[first:last], body]))
        labels.append(np.concatenate([body, checkpoint.search.end[:1]]))
    return Continued(
        _joined(wholes), np.array([*map(len, labels)]), np.concatenate(labels).astype(np.int64), characters
    )


def pairs(task: TextTask, rows: Rows, checkpoint: GeneratorCheckpoint) -> Pairs:
    """Turn rows into tokens for an encoder and a decoder. Args: as for :func:`lessons`."""
    search = checkpoint.search
    bodies, characters = _bodies(task, rows, checkpoint)
    inputs, labels = [], []
    for body in bodies:
        inputs.append(np.concatenate([[search.start], body]))
        labels.append(np.concatenate([body, [search.end[0]]]))
    source = sources(task, rows.inputs, checkpoint)
    return Pairs(source, _joined(inputs), np.concatenate(labels).astype(np.int64), characters)


def _bodies(task: TextTask, rows: Rows, checkpoint: GeneratorCheckpoint) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the tokens of each target, as many as fit in the window, and the number of characters that they are."""
    tokenizer = checkpoint.writing
    texts = [task.accepted(target)[0] for target in rows.targets]
    encoded = tokenizer.encode_whole(texts)
    most = tokenizer.window - 1
    bodies, characters = [], []
    for text, first, last in zip(texts, encoded.boundaries[:-1], encoded.boundaries[1:], strict=True):
        bodies.append(encoded.tokens[first : min(last, first + most)])
        length = len(text) if last - first <= most else len(tokenizer.backend.decode(bodies[-1].tolist()))
        characters.append(length + 1)
    return bodies, np.array(characters, dtype=np.int64)


def _joined(parts: Sequence[np.ndarray]) -> Encoded:
    return Encoded(np.concatenate(parts).astype(np.int32), np.cumsum([0, *map(len, parts)]))
