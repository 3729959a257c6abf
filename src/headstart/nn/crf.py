"""A head that scores labels of tokens in pairs too: a linear-chain conditional random field.

Shapes: items = tokens with a target, outputs = number of labels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from headstart.core.sequences import IGNORED
from headstart.nn.heads import TokenHead


class Moves(nn.Module):
    """The scores of each of some outputs after another: `weight`, float32 ``(outputs, outputs)``, 0 at first."""

    def __init__(self, outputs: int):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, outputs))


class CrfHead(TokenHead):
    """Score each token and each pair of neighbouring outputs: a linear-chain conditional random field.

    A sequence of classes has the sum of its tokens' scores and of its pairs', and the loss is that of the whole
    sequence (Lafferty et al. 2001; on a neural network Lample et al. 2016, section 2.2). Tokens without a target, such
    as further parts of a word, are left out of the chain. Targets: see :class:`TokenHead`.
    """

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
        """Build a head with random weights for tokens, and none for pairs. Args: as for :class:`Head`."""
        super().__init__(width, outputs, dropout, activation, dropout_first, norm_epsilon, dense)
        self.moves = Moves(outputs)

    @property
    def transitions(self) -> np.ndarray:
        """Score of each output after another one, float32 ``(outputs, outputs)``."""
        scores: np.ndarray = self.moves.weight.detach().float().cpu().numpy()
        return scores

    def loss(self, logits: Tensor, targets: Tensor, boundaries: Tensor, weights: Tensor | None = None) -> Tensor:
        """Sum the negative logarithms of the probabilities of all sequences, see `Head.loss`; without weights."""
        places = (targets != IGNORED).nonzero()[:, 0]  # (items,)
        if not len(places):
            return logits.sum() * 0
        moves = self.moves.weight.to(logits.device)
        numbers = torch.arange(len(boundaries) - 1, device=logits.device)
        owners = torch.repeat_interleave(numbers, boundaries.diff().long(), output_size=len(logits))[places]
        scores, right = logits[places].float(), targets[places]  # (items, outputs), (items,)
        together = owners[1:] == owners[:-1]
        own = scores.gather(1, right[:, None]).sum() + moves[right[:-1], right[1:]][together].sum()
        lengths = owners.unique_consecutive(return_counts=True)[1]  # of sequences with items
        padded = nn.utils.rnn.pad_sequence(scores.split(lengths.tolist()))  # (length, sequences, outputs)
        sums = padded[0]  # logarithms of the sums over all beginnings, (sequences, outputs)
        for place in range(1, len(padded)):
            further = (sums[:, :, None] + moves).logsumexp(dim=1) + padded[place]
            sums = torch.where((lengths > place)[:, None], further, sums)
        return sums.logsumexp(dim=1).sum() - own
