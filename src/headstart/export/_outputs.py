"""A padded model with what follows its logits, so that a runtime returns probabilities or answers.

Shapes: rows, length and outputs as in `nn.padded`, candidates = answers that are returned for each row.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.heads import Model
from headstart.nn.padded import HIDDEN, Padded
from headstart.tasks.qa import KEPT, LONGEST


class Shares(nn.Module):
    """Probabilities instead of logits."""

    def __init__(self, model: Model, several: bool):
        """Share the weights of a model.

        Args:
            model: its head has one logit for each class.
            several: whether any number of classes is right.
        """
        super().__init__()
        self.padded = Padded(model)
        self.several = several

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        features: Tensor | None = None,
        windows: Tensor | None = None,
        marks: Tensor | None = None,
    ) -> Tensor:
        """Compute probabilities, float32 ``(rows, outputs)``. Args: as for `nn.padded.Padded`."""
        logits: Tensor = self.padded(input_ids, attention_mask, token_type_ids, features, windows, marks)
        return logits.sigmoid() if self.several else logits.softmax(-1)


class Spans(nn.Module):
    """The best spans of tokens instead of the logits of their first and last tokens."""

    def __init__(self, model: Model):
        """Share the weights of a model with a `nn.heads.SpanHead`."""
        super().__init__()
        self.padded = Padded(model)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        readable: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Find the best spans, from the best on: scores float32, first and last tokens int64 ``(rows, candidates)``.

        A score is the sum of a span's two logits minus that of no answer, which the first token has.

        Args: as for `nn.padded.Padded`, and
            readable: float32 ``(rows, length)``, 1 at tokens at which a span may begin and end.
        """
        assert readable is not None  # it comes last, as a graph has its inputs in the order of the arguments
        logits = self.padded(input_ids, attention_mask, token_type_ids)  # (rows, length, 2)
        starts, ends = (logits + ((1.0 - readable) * HIDDEN)[:, :, None]).unbind(-1)
        places = torch.arange(input_ids.shape[1])[:, None] + torch.arange(LONGEST)  # (length, lengths of spans)
        following = F.pad(ends, (0, LONGEST - 1), value=HIDDEN)[:, places]  # (rows, length, lengths of spans)
        scores = starts[:, :, None] + following - logits[:, 0].sum(-1)[:, None, None]
        best, flat = scores.flatten(1).topk(KEPT)
        first = flat // LONGEST
        return best, first, first + flat % LONGEST
