"""The heads on top of the encoder: they turn states into logits, and logits and targets into a loss.

Shapes: tokens and sequences as in `nn.packed`, outputs = number of logits per item.
"""

from __future__ import annotations

from typing import ClassVar, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.core.contracts import Problem, Suffix
from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.core.long_texts import Windows
from headstart.core.sequences import IGNORED, Ragged
from headstart.nn.block import ACTIVATIONS
from headstart.nn.choices import Pooling
from headstart.nn.dropout import Dropout
from headstart.nn.encoder import Stack, initialise
from headstart.nn.packed import Batch, means, pool_windows

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


class Head(nn.Module):
    """A dense layer and an activation (in some families), dropout, and a linear layer with one output per logit.

    suffix: see `core.contracts.HeadPlan`.
    reads_all: whether there are logits for every token; otherwise for every sequence.
    marks: number of the marked tokens of each sequence (see `Batch.marks`) whose states the head reads side by side; 0
        for heads that read other tokens.
    dense: None without a dense layer.
    norm: after the activation; None without one.
    columns: linear layer without bias on what is read beside the text (see `Batch.features`), whose logits are added:
        the same as the last layer on both side by side. None without one.
    """

    suffix: ClassVar[Suffix]
    reads_all: ClassVar[bool] = True
    marks: ClassVar[int] = 0
    dense: nn.Linear | None
    norm: nn.LayerNorm | None
    columns: nn.Linear | None

    def __init__(
        self,
        width: int,
        outputs: int,
        dropout: float = 0.1,
        activation: str = "tanh",
        dropout_first: bool = False,
        norm_epsilon: float | None = None,
        dense: bool = False,
    ):
        """Build a head with random weights.

        Args:
            width: hidden size.
            outputs: number of logits per item.
            dropout: rate before the linear layer, 0 to 1.
            activation: name in `block.ACTIVATIONS`.
            dropout_first: also apply dropout before the dense layer.
            norm_epsilon: epsilon of a norm after the activation; None for no norm.
            dense: whether there is a dense layer.
        """
        super().__init__()
        self.dense = self.norm = self.columns = None
        if dense:
            self.dense = nn.Linear(width, width, bias=norm_epsilon is None)
            self.norm = None if norm_epsilon is None else nn.LayerNorm(width, eps=norm_epsilon, bias=False)
        self.output = nn.Linear(width, outputs)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.dropout_first = dropout_first
        initialise(self)

    @property
    def first_only(self) -> bool:
        """Whether the head reads only the first token of each sequence."""
        return False

    @property
    def convex(self) -> bool:
        """Whether `training.convex` finds the optimal weights on pooled states."""
        return False

    @property
    def needs_modules(self) -> bool:
        """Whether only the layout of sentence-transformers can represent the head, see `checkpoints._modules`."""
        return False

    @property
    def in_transformers(self) -> bool:
        """Whether a class of transformers computes the same logits from the saved weights."""
        return not self.needs_modules

    @property
    def transitions(self) -> np.ndarray | None:
        """Score of each output after another one in a sequence, see `core.sequences.Ragged`; None without such."""
        return None

    def make_linear(self) -> None:
        """Remove the dense layer, in place, if the head can be saved without it."""

    def places(self, batch: Batch) -> Tensor | None:
        """Return the tokens whose states :meth:`pool` reads, int64 ``(places,)``; None for all or for first tokens."""
        return None

    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        """Compute the head's input ``(items, width)`` from the encoder's last states.

        Args:
            states: of first tokens ``(sequences, width)`` if `first_only`, of :meth:`places` ``(places, width)`` if
                there are any, otherwise of all tokens ``(tokens, width)``.
            batch: how the tokens are divided into sequences.
        """
        return states

    def join(self, pooled: Tensor, batch: Batch) -> Tensor:
        """Pool the states ``(items, width)`` of windows of the same row, if the batch has such windows.

        Args:
            pooled: what :meth:`pool` computed.
            batch: its `owners` say which windows belong together.
        """
        return pooled

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled states ``(items, width)`` to logits ``(items, outputs)``."""
        if self.dense is not None:
            if self.dropout_first:
                pooled = self.dropout(pooled)
            pooled = self.activation(self.dense(pooled))
            if self.norm is not None:
                pooled = self.norm(pooled)
        logits: Tensor = self.output(self.dropout(pooled))
        return logits

    def beside(self, logits: Tensor, features: Tensor | None) -> Tensor:
        """Add to logits ``(items, outputs)`` those of what is read beside the text, float32 ``(items, features)``.

        Raises:
            ValueError: there is nothing beside the text for a head that reads it, or the other way round.
        """
        if (features is None) != (self.columns is None):
            raise ValueError("a head that reads columns beside the text needs them, and no other head may be given any")
        return logits if self.columns is None else logits + self.columns(features)

    def loss(self, logits: Tensor, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum the losses of all items; divided by :func:`count`, it is the mean that Hugging Face's class returns.

        Args:
            logits: float ``(items, outputs)``.
            targets: see the class.
            boundaries: int ``(sequences + 1,)``, of the logits' sequences.
            weights: ``(outputs,)``, factors of the classes; None for ones. They do not change the count, so that the
                weight of an item does not depend on the others in its batch.
        """
        raise NotImplementedError  # every head has its own

    def constant_loss(self, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> float:
        """Return the lowest sum of losses of predictions that do not depend on the text. Args: as for :meth:`loss`."""
        raise NotImplementedError  # every head has its own

    @property
    def classifies(self) -> bool:
        """Whether each item has one class, the output with the largest logit."""
        return False


class ClassificationHead(Head):
    """Score each sequence from one vector.

    The vector is the state of the first token, or the mean of all tokens' states (Reimers & Gurevych 2019, section 3).

    BERT calls the dense layer its pooler (tanh); RoBERTa (tanh), DistilBERT (ReLU) and ELECTRA (GELU) have the same two
    matrices under other names. RoBERTa and ELECTRA also apply dropout before the dense layer (`dropout_first`).
    ModernBERT (GELU) has a norm after the activation, with epsilon `norm_epsilon`, and no bias before it.

    A row of several windows (see `Batch.owners`) has one row of logits: the vectors of its windows are pooled first.
    Shapes below are those of rows with one window.

    windows: how the vectors of a row's windows are pooled, 'mean' or 'max'.

    Targets by problem: class numbers int64 ``(sequences,)``; float32 ``(sequences, outputs)`` of 0 and 1, for several
    labels; float32 ``(sequences, outputs)``, for regression.
    """

    suffix: ClassVar[Suffix] = "ForSequenceClassification"
    reads_all: ClassVar[bool] = False
    windows: Windows = "mean"

    def __init__(
        self,
        width: int,
        outputs: int,
        dropout: float = 0.1,
        activation: str = "tanh",
        dropout_first: bool = False,
        norm_epsilon: float | None = None,
        pooling: str = "first",
        problem: Problem = "single_label_classification",
    ):
        """Build a head with random weights.

        Args: as for :class:`Head`, and
            pooling: 'first' or 'mean'. The dense layer belongs to the first token; means are scored by the linear layer
                only (docs/lab.md), except in ModernBERT, whose dense layer supports both.
            problem: its loss, see `core.contracts.HeadPlan`.

        Raises:
            UsageError: no such pooling.
        """
        if pooling not in POOLINGS:
            raise UsageError(f"no pooling {shown(pooling)}; {did_you_mean(pooling, POOLINGS)}")
        dense = pooling == "first" or norm_epsilon is not None
        super().__init__(width, outputs, dropout, activation, dropout_first, norm_epsilon, dense)
        self.pooling = pooling
        self.problem = problem

    @property
    def first_only(self) -> bool:
        """Whether the head reads only the first token of each sequence."""
        return self.pooling == "first"

    @property
    def convex(self) -> bool:
        """Whether it is a logistic regression."""
        return self.dense is None and self.classifies

    @property
    def needs_modules(self) -> bool:
        """Whether there is no dense layer."""
        return self.dense is None

    @property
    def classifies(self) -> bool:
        """Whether each sequence has one class."""
        return self.problem == "single_label_classification"

    def make_linear(self) -> None:
        """Remove the dense layer, in place: the loss is then convex in the head's weights."""
        self.dense = self.norm = None

    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        """Compute the head's input ``(sequences, width)`` from the encoder's last states, see `Head.pool`."""
        return states if self.first_only else means(states, batch)

    def join(self, pooled: Tensor, batch: Batch) -> Tensor:
        """Pool vectors ``(sequences, width)`` to ``(rows, width)``, see `Head.join`."""
        return pooled if batch.owners is None else pool_windows(pooled, batch.owners, batch.rows, self.windows)

    def loss(self, logits: Tensor, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum cross-entropies, means over labels of binary cross-entropies, or squared errors; see `Head.loss`."""
        if self.problem == "single_label_classification":
            return F.cross_entropy(logits.float(), targets, weights, ignore_index=IGNORED, reduction="sum")
        if self.problem == "regression":
            return F.mse_loss(logits.float(), targets, reduction="sum") / logits.shape[1]
        return F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="sum") / logits.shape[1]

    def constant_loss(self, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> float:
        """Return the loss of the class shares, of the labels' shares, or of the mean; see `Head.constant_loss`."""
        if self.problem == "single_label_classification":
            return entropy(targets, weights)
        means = targets.double().mean(dim=0)  # (outputs,)
        if self.problem == "regression":
            return float((targets.double() - means).square().sum()) / len(means)
        return float(len(targets) * F.binary_cross_entropy(means, means, reduction="sum")) / len(means)


class TokenHead(Head):
    """Score each token, as for entities. Targets: class numbers int64 ``(tokens,)``, -100 where there is none."""

    suffix: ClassVar[Suffix] = "ForTokenClassification"

    @property
    def classifies(self) -> bool:
        """Whether each token has one class."""
        return True

    def loss(self, logits: Tensor, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum the cross-entropies of tokens with a target, see `Head.loss`."""
        return F.cross_entropy(logits.float(), targets, weights, ignore_index=IGNORED, reduction="sum")

    def constant_loss(self, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> float:
        """Return the loss of the class shares, see `Head.constant_loss`."""
        return entropy(targets, weights)


class SpanHead(Head):
    """Score each token as the first and as the last of an answer, as for questions about a passage.

    Targets: int64 ``(sequences, 2)``, the places of both tokens in their sequence; 0 twice where there is no answer.
    """

    suffix: ClassVar[Suffix] = "ForQuestionAnswering"

    def loss(self, logits: Tensor, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum the means of both cross-entropies over the tokens of each sequence, see `Head.loss`."""
        starts, lengths = boundaries[:-1].long(), boundaries.diff().long()  # (sequences,)
        numbers = torch.arange(len(lengths), device=logits.device)
        owners = torch.repeat_interleave(numbers, lengths, output_size=len(logits))  # (tokens,)
        owners, scores = owners[:, None].expand(-1, 2), logits.float()  # (tokens, 2)
        # The largest of each sequence is subtracted, so that no exponential overflows: (sequences, 2).
        largest = scores.new_full((len(lengths), 2), -torch.inf).scatter_reduce(0, owners, scores.detach(), "amax")
        sums = scores.new_zeros(len(lengths), 2).scatter_add(0, owners, (scores - largest.gather(0, owners)).exp())
        right = scores.gather(0, starts[:, None] + targets)  # (sequences, 2)
        return (sums.log() + largest - right).sum() / 2

    def constant_loss(self, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> float:
        """Return the loss of equal probabilities of all tokens, see `Head.constant_loss`."""
        return float(boundaries.diff().double().log().sum())


HEADS: dict[Suffix, type[TokenHead | SpanHead]] = {head.suffix: head for head in (TokenHead, SpanHead)}


def entropy(targets: Tensor, weights: Tensor | None = None) -> float:
    """Return the lowest sum of cross-entropies of class numbers ``(items,)`` that are all predicted alike."""
    counts = torch.bincount(targets[targets != IGNORED]).double().cpu()  # (classes,)
    share = counts if weights is None else counts * weights[: len(counts)].double().cpu()
    return -float((share * (share / share.sum()).clamp(min=1e-12).log()).sum())


def count(targets: np.ndarray) -> int:
    """Return the number of items that a loss is the mean of: those with a target.

    >>> count(np.array([0, 2, -100])), count(np.zeros((3, 2), dtype=np.float32))
    (2, 3)
    """
    return int((targets != IGNORED).sum()) if targets.ndim == 1 else len(targets)


@torch.no_grad()
def mean_loss(head: Head, outputs: Ragged, targets: Ragged) -> float:
    """Return the mean loss of a head's outputs for some sequences; a large number if it is not finite.

    Args:
        head: the head.
        outputs: float32 ``(items, outputs)``.
        targets: of the same sequences.
    """
    values, ends, right = map(torch.from_numpy, (outputs.values, outputs.boundaries, targets.values))
    loss = head.loss(values, right, ends) / max(1, count(targets.values))
    return float(loss.nan_to_num(nan=1e9, posinf=1e9))


class Model(nn.Module):
    """An encoder with a head. Frozen stages are skipped if the batch contains their output."""

    def __init__(self, encoder: Stack, head: Head):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, batch: Batch) -> Tensor:
        """Return the head's logits in the packed order of the batch (see ``batch.order``), or one row for each row.

        Rows of windows have their logits in the order of the request.
        """
        # If a batch contains the output of all stages, that output is already pooled (see `frozen_states`).
        if batch.stages == len(self.encoder.stages):
            pooled = self.encoder(batch, self.head.first_only, batch.stages)
        else:
            states = self.encoder(batch, self.head.first_only, batch.stages, places=self.head.places(batch))
            pooled = self.head.pool(states, batch)
        return self.head.beside(self.head(self.head.join(pooled, batch)), batch.features)

    def train(self, mode: bool = True) -> Model:
        """Switch the trained stages to training mode; frozen stages have no dropout, so that they can run once."""
        super().train(mode)
        for stage in self.encoder.stages[: self.frozen_stages()]:
            stage.eval()
        return self

    def frozen_stages(self) -> int:
        """Return the number of leading stages of the encoder that are entirely frozen."""
        count = 0
        for stage in self.encoder.stages:
            if any(weight.requires_grad for weight in stage.parameters()):
                break
            count += 1
        return count

    @torch.no_grad()
    def frozen_states(self, batch: Batch) -> Tensor:
        """Compute the output of the frozen stages: ``(tokens, width)``, or pooled states if all stages are frozen."""
        stop = self.frozen_stages()
        if stop < len(self.encoder.stages):
            hidden: Tensor = self.encoder(batch, stop=stop)
            return hidden
        states = self.encoder(batch, self.head.first_only, places=self.head.places(batch))
        return self.head.pool(states, batch)
