"""What sits on top of the encoder: it turns states into scores, and scores and targets into a loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.block import ACTIVATIONS
from headstart.nn.dropout import Dropout
from headstart.nn.encoder import Stack, initialise
from headstart.nn.packed import Batch


class ClassificationHead(nn.Module):
    """Score each text from the state of its first token: a dense layer, an activation, dropout, a linear layer.

    BERT calls the dense layer its pooler (tanh); RoBERTa (tanh), DistilBERT (ReLU) and ELECTRA (GELU) have the same
    two matrices under other names. RoBERTa and ELECTRA also drop before the dense layer (`dropout_first`); ModernBERT
    (GELU) has a norm behind the activation, of which `norm_epsilon` is the epsilon, and no bias before it.
    """

    first_only = True

    def __init__(
        self,
        width: int,
        classes: int,
        dropout: float = 0.1,
        activation: str = "tanh",
        dropout_first: bool = False,
        norm_epsilon: float | None = None,
    ):
        super().__init__()
        self.dense = nn.Linear(width, width, bias=norm_epsilon is None)
        self.norm = None if norm_epsilon is None else nn.LayerNorm(width, eps=norm_epsilon, bias=False)
        self.output = nn.Linear(width, classes)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]
        self.dropout_first = dropout_first
        initialise(self)

    def forward(self, first: Tensor) -> Tensor:
        """Map first tokens' states ``(sequences, width)`` to logits ``(sequences, classes)``."""
        if self.dropout_first:
            first = self.dropout(first)
        hidden = self.activation(self.dense(first))
        if self.norm is not None:
            hidden = self.norm(hidden)
        logits: Tensor = self.output(self.dropout(hidden))
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
        scores: Tensor = self.head(self.encoder(batch, self.head.first_only, batch.stages))
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
        """Compute what the frozen stages give, once: ``(tokens, width)``, or first tokens where all are frozen."""
        stop = self.frozen_stages()
        return self.encoder(batch, self.head.first_only, 0, stop)
