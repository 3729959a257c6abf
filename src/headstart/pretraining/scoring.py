"""The losses and scores of a model's answers to questions of pretraining."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from headstart.activations.forward import precision
from headstart.nn.packed import to_device
from headstart.nn.pretraining import Pretraining, word_loss
from headstart.pretraining.objective import UNASKED, Questions
from headstart.training import gradients


def loss_of(model: Pretraining, asked: Questions, device: str) -> gradients.LossValue:
    """Return the losses of masked words and of passages: sums with a graph, and their counts."""
    sums = Answers().after(model, asked, device)
    return (sums.word_loss, sums.words), (sums.pair_loss, sums.pairs)


@dataclass(frozen=True)
class Answers:
    """Sums over batches: losses, correct predictions, and counts."""

    word_loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    words_right: int = 0
    words: int = 0
    pair_loss: Tensor = field(default_factory=lambda: torch.zeros(()))
    pairs_right: int = 0
    pairs: int = 0

    @property
    def word_mean(self) -> float:
        """Mean cross-entropy of a masked word, in nats."""
        return float(self.word_loss) / max(1, self.words)

    def after(self, model: Pretraining, asked: Questions, device: str) -> Answers:
        """Return the sums with one more batch."""
        words = to_device(asked.words, device)
        with precision(device):
            places = to_device(asked.places, device)
            logits, pair_logits = model(asked.batch.to(device), places, asked.pairs is not None)
        sums = replace(
            self,
            word_loss=self.word_loss + word_loss(logits.float(), words),
            words=self.words + len(words),
        )
        if not model.training:
            sums = replace(sums, words_right=self.words_right + int((logits.argmax(-1) == words).sum()))
        if asked.pairs is None or pair_logits is None:
            return sums
        pairs = to_device(asked.pairs, device)
        loss = F.cross_entropy(pair_logits.float(), pairs, ignore_index=UNASKED, reduction="sum")
        right = 0 if model.training else int((pair_logits.argmax(-1) == pairs).sum())
        return replace(
            sums,
            pair_loss=self.pair_loss + loss,
            pairs_right=self.pairs_right + right,
            pairs=self.pairs + int((asked.pairs != UNASKED).sum()),
        )


@torch.inference_mode()
def judge(model: Pretraining, questions: Iterable[Questions], device: str) -> Answers:
    """Score a model's answers to questions on held-out documents."""
    model.eval()
    sums = Answers()
    for asked in questions:
        sums = sums.after(model, asked, device)
    return sums
