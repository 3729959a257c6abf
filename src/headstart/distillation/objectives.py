"""The losses by which a student matches its teacher's states, and how the teacher's side is computed.

Layers are numbered from 1; stage 0 of an encoder is its embeddings, stage n its nth layer. Losses are means over texts
or tokens, so that they do not depend on batching.

Shapes: tokens = all tokens of a batch, width = hidden size of one of the two, texts = those of a group of one length.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from headstart.core.contracts import Problem
from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.core.sequences import IGNORED
from headstart.nn.attention import Groups, SelfAttention, by_group, relations, threads_that_pay
from headstart.nn.encoder import Embeddings, Encoder, FirstStage, Stack
from headstart.nn.heads import ClassificationHead, Head, SpanHead, TokenHead
from headstart.nn.packed import Batch

MAPS = ("uniform", "last")
MOST_RELATION_HEADS = 12
NOTHING = -1e4  # logit of a token that a sequence does not have; its probability is 0


def layer_map(wanted: str, student: int, teacher: int) -> tuple[int, ...]:
    """Return which of the teacher's layers each of the student's layers matches.

    Args:
        wanted: 'uniform' spreads them over the teacher up to its last layer, 'last' uses its top layers (Sun et al.
            2019, section 3.1), and '2+4' names them.
        student: number of the student's layers.
        teacher: number of the teacher's layers.

    Raises:
        UsageError: an unknown map, or one that does not name a layer of the teacher for each of the student's.

    >>> layer_map("uniform", 4, 6), layer_map("last", 4, 6)
    ((2, 3, 5, 6), (3, 4, 5, 6))
    """
    if wanted == "uniform":
        return tuple(-(-number * teacher // student) for number in range(1, student + 1))
    if wanted == "last" and student <= teacher:
        return tuple(range(teacher - student + 1, teacher + 1))
    chosen = numbers(wanted)
    if not chosen and wanted != "last":
        raise UsageError(f"no layer map {shown(wanted)}; {did_you_mean(wanted, MAPS)} Or name layers, as in 2+4.")
    if len(chosen) != student or not all(1 <= number <= teacher for number in chosen):
        raise UsageError(
            f"the layer map {shown(wanted)} must name one of the teacher's layers, 1 to {teacher}, for each of the "
            f"student's {student}; name as many."
        )
    return chosen


def numbers(text: str) -> tuple[int, ...]:
    """Parse '2+4' as integers; empty if it is something else."""
    parts = text.split("+")
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


@dataclass(frozen=True)
class Trace:
    """The intermediate results of an encoder for a batch.

    states: each stage's output ``(tokens, width)``.
    attention: each block's queries, keys and values side by side, ``(tokens, 3 * width)``.
    """

    states: tuple[Tensor, ...]
    attention: tuple[Tensor, ...]


def trace(encoder: Stack, batch: Batch) -> Trace:
    """Run all stages for all tokens and record the output of each; gradients flow through it."""
    seen: list[Tensor] = []
    here = threading.get_ident()  # another thread may process other texts

    def watch(module: nn.Module, given: Any, out: Tensor) -> None:
        if threading.get_ident() == here:
            seen.append(out)

    watched = [part.qkv.register_forward_hook(watch) for part in dict.fromkeys(_attentions(encoder))]
    try:
        states = tuple(encoder.states(batch))
    finally:
        for hook in watched:
            hook.remove()
    return Trace(states, tuple(seen))


@torch.no_grad()
def outputs(encoder: Stack, batch: Batch, stages: Sequence[int]) -> Tensor:
    """Compute the outputs of some stages side by side, ``(tokens, stages * width)``."""
    states = islice(encoder.states(batch), max(stages) + 1)
    return torch.cat([hidden for number, hidden in enumerate(states) if number in stages], dim=1)


class TinyBert(nn.Module):
    """The intermediate phase of TinyBERT (Jiao et al. 2020, equations 7 to 9): attention, states and embeddings.

    A learned projection maps the student's states to the teacher's width, if the two differ; another one its
    embeddings. Attention scores are matched head by head, or their means over heads if the numbers differ; they are
    products of queries and keys, without the distance terms that some teachers add.
    """

    def __init__(self, student: Encoder, teacher: Encoder, layers: tuple[int, ...]):
        super().__init__()
        self.layers = layers
        self.stages = tuple(sorted({0, *layers, *(layer - 1 for layer in layers), len(teacher.layers)}))
        same = student.width == teacher.width
        self.embeddings, self.states = (
            nn.Identity() if same else nn.Linear(student.width, teacher.width, bias=False) for _ in range(2)
        )
        self.asks = [_attentions(teacher)[layer - 1] for layer in layers]
        self.heads = _attentions(student)[0].heads

    def forward(self, student: Trace, teacher: Mapping[int, Tensor], groups: Groups) -> Tensor:
        """Return the loss; `teacher` contains the outputs of `stages`."""
        loss = F.mse_loss(self.embeddings(student.states[0]), teacher[0])
        for number, (layer, attention) in enumerate(zip(self.layers, self.asks, strict=True)):
            loss = loss + F.mse_loss(self.states(student.states[number + 1]), teacher[layer])
            width = teacher[layer].shape[1]
            with torch.no_grad():
                theirs = attention.qkv.part(teacher[layer - 1], 0, 2 * width)  # (tokens, 2 * width)
            loss = loss + scores_loss(student.attention[number], self.heads, theirs, attention.heads, groups)
        return loss


class MiniLm(nn.Module):
    """Self-attention relations of the last layer (Wang et al. 2020, extended to three kinds by Wang et al. 2021).

    Products of queries with queries, keys with keys and values with values, each as a distribution over the text's
    tokens. Both sides are split into relation heads whose number divides both widths, so no projection is needed.
    """

    def __init__(self, student: Encoder, teacher: Encoder):
        super().__init__()
        last = len(teacher.layers)
        self.stages = (last - 1, last)
        self.asks = _attentions(teacher)[-1:]
        self.heads = max(
            n for n in range(1, MOST_RELATION_HEADS + 1) if student.width % n == 0 and teacher.width % n == 0
        )

    def forward(self, student: Trace, teacher: Mapping[int, Tensor], groups: Groups) -> Tensor:
        """Return the loss; `teacher` contains the outputs of `stages`."""
        with torch.no_grad():
            theirs = self.asks[0].qkv(teacher[self.stages[0]])  # (tokens, 3 * width)
        pairs = zip(student.attention[-1].chunk(3, dim=1), theirs.chunk(3, dim=1), strict=True)
        return torch.stack([relation_loss(ours, other, groups, self.heads) for ours, other in pairs]).sum()


def scores_loss(student: Tensor, heads: int, teacher: Tensor, teacher_heads: int, groups: Groups) -> Tensor:
    """Compare attention scores before the softmax: the mean over texts of the squared difference of their entries.

    Args:
        student: queries, keys and values side by side, ``(tokens, 3 * width)``.
        heads: the student's heads.
        teacher: queries and keys side by side, ``(tokens, 2 * width)``.
        teacher_heads: the teacher's heads; if the numbers differ, the means over heads are compared, which are one
            product of the full width.
        groups: see :class:`~headstart.nn.packed.Batch`.
    """
    shared = heads if heads == teacher_heads else 1
    widths = (student.shape[1] // 3, heads), (teacher.shape[1] // 2, teacher_heads)
    ours, theirs = (shared / (width * own) ** 0.5 for width, own in widths)
    loss: Tensor = _ScoresLoss.apply(student, teacher, groups, shared, ours, theirs)
    return loss


class _ScoresLoss(torch.autograd.Function):
    """Loss and gradient of a group's scores while these are in memory: five products, and nothing stored for later.

    With automatic differentiation the scores take a third of a student's step.
    """

    @staticmethod
    def forward(
        ctx: Any, student: Tensor, teacher: Tensor, groups: Groups, heads: int, ours: float, theirs: float
    ) -> Tensor:
        """Compare products of queries and keys, scaled by `ours` and `theirs`."""
        gradient = torch.zeros_like(student)  # values do not contribute
        texts = sum(count for count, _ in groups)
        losses = []
        with threads_that_pay(teacher.shape[1] // 2) as choose:
            for sides, other, places, group in zip(
                by_group(student, groups, heads, 3),
                by_group(teacher, groups, heads, 2),
                by_group(gradient, groups, heads, 3),
                groups,
                strict=True,
            ):
                choose(group)
                query, key, _ = (part.flatten(0, 1) for part in sides)  # each (texts * heads, length, size)
                asked, answered = (part.flatten(0, 1) for part in other)  # the same of the teacher
                # (texts * heads, length, length)
                difference = torch.baddbmm(asked @ answered.mT, query, key.mT, beta=-theirs, alpha=ours)
                share = 1 / (texts * heads * group[1] ** 2)
                losses.append(share * difference.float().square().sum())
                slope = difference * (2 * share * ours)
                for place, value in zip(places, (slope @ key, slope.mT @ query), strict=False):
                    place.copy_(value.view_as(place))
        ctx.save_for_backward(gradient)
        return torch.stack(losses).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient of the student's side."""
        (gradient,) = ctx.saved_tensors
        return gradient * slope, None, None, None, None, None


def relation_loss(student: Tensor, teacher: Tensor, groups: Groups, heads: int) -> Tensor:
    """Compare products of states ``(tokens, width)`` with themselves: the mean over texts of their divergence.

    It is the Kullback-Leibler divergence from the teacher's softmax over a row to the student's (Wang et al. 2020,
    equation 8), averaged over heads and rows.
    """
    sums = []
    pair = (relations(side, side, groups, heads) for side in (student, teacher))
    for ours, theirs in zip(*pair, strict=True):  # each (texts, heads, length, length)
        divergence = F.kl_div(ours.log_softmax(-1), theirs.log_softmax(-1), reduction="none", log_target=True)
        sums.append(divergence.sum(-1).mean(dim=(1, 2)).sum())  # (texts, heads, length), then (texts,)
    return torch.stack(sums).sum() / sum(count for count, _ in groups)


def soft_loss(
    logits: Tensor, teacher: Tensor, temperature: float, problem: Problem = "single_label_classification"
) -> Tensor:
    """Compare predictions at a temperature (Hinton et al. 2015, section 2.1): the divergence, times its square.

    For several labels it is the mean of each label's binary cross-entropy with the teacher's probability; for numbers
    the squared difference, without a temperature.

    Args:
        logits: of the student, ``(texts, outputs)``.
        teacher: its logits (or log probabilities of one label), or its numbers in the student's units, of the same
            shape.
        temperature: of both distributions.
        problem: see `core.contracts.HeadPlan`.
    """
    if problem == "regression":
        return F.mse_loss(logits.float(), teacher.float())
    ours, theirs = (side.float() / temperature for side in (logits, teacher))
    if problem == "multi_label_classification":
        return F.binary_cross_entropy_with_logits(ours, theirs.sigmoid()) * temperature**2
    ours, theirs = ours.log_softmax(-1), theirs.log_softmax(-1)
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True) * temperature**2


def span_loss(logits: Tensor, teacher: Tensor, temperature: float, boundaries: Tensor) -> Tensor:
    """Compare probabilities of the first and of the last token of an answer, see :func:`soft_loss`.

    It is the mean over sequences and both outputs of the divergence over the tokens of a sequence.

    Args:
        logits: of the student, ``(tokens, 2)``.
        teacher: its logits of the same tokens.
        temperature: of both distributions.
        boundaries: of the sequences, int ``(sequences + 1,)``.
    """
    lengths = boundaries.diff().tolist()
    sides = ((side.float() / temperature).split(lengths) for side in (logits, teacher))
    # Both (sequences, length, 2).
    ours, theirs = (pad_sequence(side, True, padding_value=NOTHING).log_softmax(1) for side in sides)
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True) * temperature**2 / 2


def head_loss(
    head: Head, logits: Tensor, teacher: Tensor, targets: Tensor, boundaries: Tensor, temperature: float
) -> Tensor:
    """Compare predictions as the head divides them: of texts, of tokens with a target, or of spans.

    Args:
        head: of the student.
        logits: of the student, ``(items, outputs)``.
        teacher: see :func:`soft_loss`; of the same items.
        targets: see the head's class.
        boundaries: of the sequences, int ``(sequences + 1,)``.
        temperature: of both distributions.
    """
    if isinstance(head, SpanHead):
        return span_loss(logits, teacher, temperature, boundaries)
    if isinstance(head, TokenHead):
        chosen = targets != IGNORED
        return soft_loss(logits[chosen], teacher[chosen], temperature) if chosen.any() else logits.sum() * 0
    assert isinstance(head, ClassificationHead)  # all others score whole texts
    return soft_loss(logits, teacher, temperature, head.problem)


@torch.no_grad()
def inherit(student: Embeddings, teacher: FirstStage) -> None:
    """Initialise a narrower student's embeddings, in place, from the teacher's by principal components.

    Words that are similar for the teacher are then similar for the student from the first step on, including those in
    no training text.
    """
    words = teacher.word.weight.double()
    width = student.word.weight.shape[1]
    axes = torch.linalg.eigh(words.T @ words)[1][:, -width:]  # (teacher's width, width)
    pairs: list[tuple[nn.Embedding | None, Tensor | None]] = [(student.word, teacher.word.weight)]
    if isinstance(teacher, Embeddings):
        pairs.append((student.position, teacher.position.weight[teacher.position_offset :]))
        pairs.append((student.segment, teacher.segment.weight if teacher.segment is not None else None))
    for ours, theirs in pairs:
        if ours is not None and theirs is not None:
            ours.weight[: len(theirs)] = (theirs.double() @ axes).float()


def _attentions(encoder: Stack) -> list[SelfAttention]:
    blocks: Iterable[Any] = encoder.layers
    return [block.attention for block in blocks]
