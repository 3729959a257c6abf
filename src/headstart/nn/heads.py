"""What sits on top of the encoder: it turns states into scores, and scores and targets into a loss."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.nn.block import ACTIVATIONS
from headstart.nn.dropout import Dropout
from headstart.nn.encoder import Stack, initialise
from headstart.nn.packed import Batch, means

Pooling = Literal["first", "mean"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


class ClassificationHead(nn.Module):
    """Score each text from one vector: a dense layer, an activation, dropout, a linear layer.

    The vector is the state of the first token, or the mean of all tokens' states (Reimers & Gurevych 2019, section 3).

    BERT calls the dense layer its pooler (tanh); RoBERTa (tanh), DistilBERT (ReLU) and ELECTRA (GELU) have the same
    two matrices under other names. RoBERTa and ELECTRA also drop before the dense layer (`dropout_first`); ModernBERT
    (GELU) has a norm behind the activation, of which `norm_epsilon` is the epsilon, and no bias before it.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        dropout: float = 0.1,
        activation: str = "tanh",
        dropout_first: bool = False,
        norm_epsilon: float | None = None,
        pooling: str = "first",
    ):
        """Build a head with random weights.

        Args:
            pooling: 'first' or 'mean'. The dense layer belongs to the first token; means are scored by the linear layer
                alone (docs/lab.md), but in ModernBERT, whose dense layer reads either.

        Raises:
            UsageError: no such pooling.
        """
        super().__init__()
        if pooling not in POOLINGS:
            raise UsageError(f"no pooling {shown(pooling)}; {did_you_mean(pooling, POOLINGS)}")
        self.pooling = pooling
        self.dense = self.norm = None
        if pooling == "first" or norm_epsilon is not None:
            self.dense = nn.Linear(width, width, bias=norm_epsilon is None)
            self.norm = None if norm_epsilon is None else nn.LayerNorm(width, eps=norm_epsilon, bias=False)
        self.output = nn.Linear(width, classes)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.dropout_first = dropout_first
        initialise(self)

    @property
    def first_only(self) -> bool:
        """Whether the head reads nothing but the first token of each text."""
        return self.pooling == "first"

    def make_linear(self) -> None:
        """Leave out the dense layer, in place: the loss is then convex in the head's weights."""
        self.dense = self.norm = None

    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        """Make the head's input ``(sequences, width)`` of what it reads of the encoder's last states.

        Args:
            states: of first tokens ``(sequences, width)`` with `first_only`, else of all tokens ``(tokens, width)``.
        """
        return states if self.first_only else means(states, batch)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map pooled states ``(sequences, width)`` to logits ``(sequences, classes)``."""
        if self.dense is not None:
            if self.dropout_first:
                pooled = self.dropout(pooled)
            pooled = self.activation(self.dense(pooled))
            if self.norm is not None:
                pooled = self.norm(pooled)
        logits: Tensor = self.output(self.dropout(pooled))
        return logits

    @staticmethod
    def loss(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Mean cross-entropy of logits ``(sequences, classes)`` against class numbers ``(sequences,)``.

        Args:
            weights: factors of the classes ``(classes,)``; None for ones. They do not change what the sum is divided
                by, so that a sequence counts the same whichever others it stands beside.
        """
        if weights is None:
            return F.cross_entropy(logits.float(), targets)
        return F.cross_entropy(logits.float(), targets, weights, reduction="sum") / len(targets)


class Model(nn.Module):
    """An encoder with a head. Stages that learn nothing are skipped where the batch brings their output along."""

    def __init__(self, encoder: Stack, head: ClassificationHead):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, batch: Batch) -> Tensor:
        """Return the head's scores in the packed order of the batch (see ``batch.order``)."""
        states = self.encoder(batch, self.head.first_only, batch.stages)
        # A batch that brings the output of all stages along brings it pooled (see `frozen_states`).
        pooled = states if batch.stages == len(self.encoder.stages) else self.head.pool(states, batch)
        scores: Tensor = self.head(pooled)
        return scores

    def train(self, mode: bool = True) -> Model:
        """Switch to training mode what learns; frozen stages drop nothing, so that they may as well run once."""
        super().train(mode)
        for stage in self.encoder.stages[: self.frozen_stages()]:
            stage.eval()
        return self

    def frozen_stages(self) -> int:
        """Count the encoder's leading stages in which no weight learns."""
        count = 0
        for stage in self.encoder.stages:
            if any(weight.requires_grad for weight in stage.parameters()):
                break
            count += 1
        return count

    @torch.no_grad()
    def frozen_states(self, batch: Batch) -> Tensor:
        """Compute what the frozen stages give, once: ``(tokens, width)``, or pooled states where all are frozen."""
        stop = self.frozen_stages()
        states = self.encoder(batch, self.head.first_only, 0, stop)
        return self.head.pool(states, batch) if stop == len(self.encoder.stages) else states
