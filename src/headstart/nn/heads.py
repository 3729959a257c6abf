"""The head on top of the encoder: it turns states into scores, and scores and targets into a loss."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.nn.block import ACTIVATIONS
from headstart.nn.choices import Pooling
from headstart.nn.dropout import Dropout
from headstart.nn.encoder import Stack, initialise
from headstart.nn.packed import Batch, means

POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


class ClassificationHead(nn.Module):
    """Score each text from one vector: a dense layer, an activation, dropout, a linear layer.

    The vector is the state of the first token, or the mean of all tokens' states (Reimers & Gurevych 2019, section 3).

    BERT calls the dense layer its pooler (tanh); RoBERTa (tanh), DistilBERT (ReLU) and ELECTRA (GELU) have the same two
    matrices under other names. RoBERTa and ELECTRA also apply dropout before the dense layer (`dropout_first`).
    ModernBERT (GELU) has a norm after the activation, with epsilon `norm_epsilon`, and no bias before it.
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
            width: hidden size.
            classes: number of classes.
            dropout: rate before the linear layer, 0 to 1.
            activation: name in `block.ACTIVATIONS`.
            dropout_first: also apply dropout before the dense layer.
            norm_epsilon: epsilon of a norm after the activation; None for no norm.
            pooling: 'first' or 'mean'. The dense layer belongs to the first token; means are scored by the linear layer
                only (docs/lab.md), except in ModernBERT, whose dense layer supports both.

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
        """Whether the head reads only the first token of each text."""
        return self.pooling == "first"

    def make_linear(self) -> None:
        """Remove the dense layer, in place: the loss is then convex in the head's weights."""
        self.dense = self.norm = None

    def pool(self, states: Tensor, batch: Batch) -> Tensor:
        """Compute the head's input ``(sequences, width)`` from the encoder's last states.

        Args:
            states: of first tokens ``(sequences, width)`` if `first_only`, otherwise of all tokens ``(tokens, width)``.
            batch: how the tokens are divided into texts.
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
            logits: float ``(sequences, classes)``.
            targets: int64 ``(sequences,)``, from 0.
            weights: ``(classes,)``, factors of the classes; None for ones. They do not change the denominator, so that
                the weight of a sequence does not depend on the others in its batch.
        """
        if weights is None:
            return F.cross_entropy(logits.float(), targets)
        return F.cross_entropy(logits.float(), targets, weights, reduction="sum") / len(targets)


class Model(nn.Module):
    """An encoder with a head. Frozen stages are skipped if the batch contains their output."""

    def __init__(self, encoder: Stack, head: ClassificationHead):
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, batch: Batch) -> Tensor:
        """Return the head's scores in the packed order of the batch (see ``batch.order``)."""
        states = self.encoder(batch, self.head.first_only, batch.stages)
        # If a batch contains the output of all stages, that output is already pooled (see `frozen_states`).
        pooled = states if batch.stages == len(self.encoder.stages) else self.head.pool(states, batch)
        scores: Tensor = self.head(pooled)
        return scores

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
        states = self.encoder(batch, self.head.first_only, 0, stop)
        return self.head.pool(states, batch) if stop == len(self.encoder.stages) else states
