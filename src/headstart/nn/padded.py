"""A model on padded texts, for runtimes outside of torch: the same weights, with one tensor per operation.

The texts of a batch are one group of equal lengths, whose padding is hidden from attention, means and convolutions by a
mask. Everything that treats each token alone (embeddings, norms, feed-forward layers, heads) is the model's own module.

Shapes: rows = texts of the batch, length = tokens of each with padding, tokens = rows * length, width = hidden size,
size = width of a head.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headstart.nn.attention import SelfAttention
from headstart.nn.disentangled import Convolution, DisentangledAttention, DisentangledBlock, DisentangledEncoder
from headstart.nn.encoder import Encoder, Stack
from headstart.nn.heads import ClassificationHead, Model
from headstart.nn.modern import ModernEncoder
from headstart.nn.packed import Batch
from headstart.nn.positions import distance_buckets
from headstart.nn.rotary import RotaryAttention

HIDDEN = -1e9  # is added to the scores of what must not be attended to; infinity would make rows of padding NaN


@dataclass(frozen=True, kw_only=True)
class PaddedBatch(Batch):
    """A batch whose texts are one group.

    real: which tokens are not padding, float32 ``(rows, length)`` of 0 and 1.
    """

    real: Tensor

    @property
    def mask(self) -> Tensor:
        """What is added to attention scores, ``(rows, 1, 1, length)``."""
        return ((1.0 - self.real) * HIDDEN)[:, None, None]


class Padded(nn.Module):
    """A model that reads padded token ids and returns logits; for prediction only.

    reads_segments: whether it needs the segments of tokens.
    joins: whether it pools the windows of a text.
    """

    def __init__(self, model: Model):
        """Share the weights of a model, which is itself unchanged."""
        super().__init__()
        shared = {id(weight): weight for weight in model.parameters()}
        self.model = copy.deepcopy(model, shared).eval()
        self.related = _related(self.model.encoder)
        blocks: Any = self.model.encoder.blocks
        for block in blocks:
            block.attention = _attention(block.attention)
            convolution = block.convolution if isinstance(block, DisentangledBlock) else None
            if convolution is not None:
                block.add_module("convolution", _Convolution(convolution))

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        features: Tensor | None = None,
        windows: Tensor | None = None,
        marks: Tensor | None = None,
    ) -> Tensor:
        """Compute logits, float32 ``(rows, outputs)``, or ``(rows, length, outputs)`` of a head that scores tokens.

        Args:
            input_ids: int64 ``(rows, length)``.
            attention_mask: int64 ``(rows, length)``, 0 for padding, which follows the text.
            token_type_ids: int64 ``(rows, length)``, the segment of each token; None if all are in the first.
            features: float32 ``(texts, features)``, what is read beside the text; None for nothing.
            windows: float32 ``(texts, rows)``, 1 where a row is a window of a text; the logits are then those of the
                texts, ``(texts, outputs)``. None if each row is a text.
            marks: int64 ``(rows, marks)``, the tokens of each row that the head reads; None if it reads others.
        """
        rows, length = input_ids.shape
        real = attention_mask.float()
        places = torch.arange(length)
        batch = PaddedBatch(
            ids=input_ids.flatten(),
            positions=places.expand(rows, length).flatten(),
            boundaries=torch.arange(rows + 1) * length,
            groups=((rows, length),),
            order=torch.arange(rows),
            segments=None if token_type_ids is None else token_type_ids.flatten(),
            real=real,
        )
        encoder, head = self.model.encoder, self.model.head
        hidden = encoder.embeddings(batch)  # (tokens, width)
        related = self.related(batch, length)
        last = len(encoder.layers) - 1
        for number, block in enumerate(encoder.layers):
            hidden = block(hidden, batch, first_only=head.first_only and number == last, shared=related)
        if head.reads_all:
            return head(hidden).unflatten(0, (rows, length))  # type: ignore[no-any-return]  # a module's result has no type
        if marks is not None:
            places = marks + torch.arange(rows)[:, None] * length  # in all tokens, (rows, marks)
            hidden = hidden[places.flatten()].unflatten(0, (rows, -1)).flatten(1)  # (rows, marks * width)
        elif not head.first_only:
            states = hidden.unflatten(0, (rows, length)) * real[:, :, None]
            hidden = states.sum(1) / real.sum(1, keepdim=True)  # (rows, width)
        if windows is not None:
            assert isinstance(head, ClassificationHead)  # as for every model that reads windows
            hidden = _pooled(hidden, windows, head.windows == "max")  # (texts, width)
        return head.beside(head(hidden), features)


def _pooled(states: Tensor, windows: Tensor, largest: bool) -> Tensor:
    if largest:
        hidden = states[None] + ((1.0 - windows) * HIDDEN)[:, :, None]  # (texts, rows, width)
        return hidden.amax(1)
    return windows @ states / windows.sum(1, keepdim=True)


# --- what all blocks share -------------------------------------------------------------------------------------


def _related(encoder: Stack) -> nn.Module:
    """Return the module that computes what all blocks of an encoder share: (batch, length) -> input of attention."""
    if isinstance(encoder, ModernEncoder):
        return _Turns(encoder)
    if isinstance(encoder, DisentangledEncoder):
        return _Vectors(encoder)
    assert isinstance(encoder, Encoder)  # there is no other kind
    return _Mask() if encoder.embeddings.distance is None else _Bias(encoder)


class _Mask(nn.Module):
    """The mask of padding."""

    def forward(self, batch: PaddedBatch, length: int) -> Tensor:
        return batch.mask


class _Bias(nn.Module):
    """The mask of padding with the bias of each distance, ``(rows, heads, length, length)``."""

    buckets: Tensor

    def __init__(self, encoder: Encoder):
        super().__init__()
        assert encoder.embeddings.distance is not None
        self.weight = encoder.embeddings.distance.weight  # (buckets, heads)
        self.window = encoder.window
        self.register_buffer("buckets", distance_buckets(encoder.window, len(self.weight)))  # (2 * window - 1,)

    def forward(self, batch: PaddedBatch, length: int) -> Tensor:
        places = torch.arange(length)
        buckets = self.buckets[places - places[:, None] + (self.window - 1)]  # (length, length)
        return batch.mask + F.embedding(buckets, self.weight).permute(2, 0, 1)


class _Turns(nn.Module):
    """Cosines, sines ``(length, half)`` and the mask of global attention, and the same of local attention."""

    def __init__(self, encoder: ModernEncoder):
        super().__init__()
        self.size, self.thetas = encoder.head_width, encoder.thetas
        blocks: Any = encoder.blocks
        self.reach = next((block.attention.reach for block in blocks if block.attention.reach is not None), None)

    def forward(self, batch: PaddedBatch, length: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        places = torch.arange(length)
        masks = [batch.mask, batch.mask]
        if self.reach is not None:
            far = (places[:, None] - places).abs() > self.reach  # (length, length)
            masks[1] = batch.mask + far * HIDDEN  # (rows, 1, length, length)
        parts = []
        for theta, mask in zip(self.thetas, masks, strict=True):
            speeds = theta ** (-torch.arange(0, self.size, 2, dtype=torch.float32) / self.size)  # (half,)
            angles = places[:, None] * speeds  # (length, half)
            parts.append((angles.cos(), angles.sin(), mask))
        return parts


class _Vectors(nn.Module):
    """The vectors of all distances ``(buckets, width)``, the bucket of each pair of tokens, and the mask of padding."""

    buckets: Tensor

    def __init__(self, encoder: DisentangledEncoder):
        super().__init__()
        self.table, self.norm = encoder.embeddings.distance, encoder.embeddings.distance_norm
        self.window = encoder.window
        self.register_buffer("buckets", encoder.distances.rows(encoder.window))  # (2 * window + 1,)

    def forward(self, batch: PaddedBatch, length: int) -> tuple[Tensor, Tensor, Tensor]:
        table = self.table.weight if self.norm is None else self.norm(self.table.weight)
        places = torch.arange(length)
        buckets = self.buckets[places[:, None] - places + self.window]  # (length, length), by query and key
        return table, buckets, batch.mask


# --- attention and convolution -------------------------------------------------------------------------------------


def _attention(attention: nn.Module) -> nn.Module:
    if isinstance(attention, RotaryAttention):
        return _Rotary(attention)
    if isinstance(attention, DisentangledAttention):
        return _Disentangled(attention)
    assert isinstance(attention, SelfAttention)  # there is no other kind
    return _Plain(attention)


def _by_head(states: Tensor, rows: int, heads: int) -> list[Tensor]:
    """Divide queries, keys and values ``(tokens, 3 * width)`` into three times ``(rows, heads, length, size)``."""
    parts = states.unflatten(0, (rows, -1)).chunk(3, dim=-1)
    return [part.unflatten(2, (heads, -1)).transpose(1, 2) for part in parts]


def _attend(query: Tensor, key: Tensor, value: Tensor, added: Tensor, scale: float | None = None) -> Tensor:
    """Attend, ``(rows * queries, width)``; `added` is added to the scores."""
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = (query * scale) @ key.transpose(2, 3) + added  # (rows, heads, queries, length)
    return (scores.softmax(-1) @ value).transpose(1, 2).flatten(0, 1).flatten(1)


class _Plain(nn.Module):
    def __init__(self, attention: SelfAttention):
        super().__init__()
        self.own = attention

    def forward(self, hidden: Tensor, batch: PaddedBatch, first_only: bool, places: None, added: Tensor) -> Tensor:
        rows, heads = batch.groups[0][0], self.own.heads
        q, k, v = _by_head(self.own.qkv(hidden), rows, heads)
        if first_only:  # a matrix in two parts would not be found by quantisation
            q, added = q[:, :, :1], added[:, :, :1]
        out: Tensor = self.own.output(_attend(q, k, v, added))
        return out


class _Disentangled(nn.Module):
    def __init__(self, attention: DisentangledAttention):
        super().__init__()
        self.own = attention

    def forward(
        self,
        hidden: Tensor,
        batch: PaddedBatch,
        first_only: bool,
        places: None,
        shared: tuple[Tensor, Tensor, Tensor],
    ) -> Tensor:
        rows, heads = batch.groups[0][0], self.own.heads
        table, buckets, added = shared
        q, k, v = _by_head(self.own.qkv(hidden), rows, heads)
        if first_only:
            q, buckets = q[:, :, :1], buckets[:1]
        keys, queries = self.own.vectors(table)  # each (heads, buckets, size)
        scale = self.own.scale
        if keys is not None:
            products = q @ keys.transpose(1, 2)  # (rows, heads, queries, buckets)
            added = added + scale * products.gather(3, buckets.expand(rows, heads, -1, -1))
        if queries is not None:
            products = k @ queries.transpose(1, 2)  # (rows, heads, length, buckets)
            picked = products.gather(3, buckets.T.expand(rows, heads, -1, -1))  # (rows, heads, length, queries)
            added = added + scale * picked.transpose(2, 3)
        out: Tensor = self.own.output(_attend(q, k, v, added, scale))
        return out


class _Rotary(nn.Module):
    def __init__(self, attention: RotaryAttention):
        super().__init__()
        self.own = attention
        self.reach = attention.reach

    def forward(
        self,
        hidden: Tensor,
        batch: PaddedBatch,
        shared: tuple[Tensor, Tensor, Tensor],
        first_only: bool,
        places: None,
    ) -> Tensor:
        rows, heads = batch.groups[0][0], self.own.heads
        cosines, sines, added = shared
        q, k, v = _by_head(self.own.qkv(hidden), rows, heads)
        q, k = (_turned(part, cosines, sines) for part in (q, k))
        if first_only:
            q, added = q[:, :, :1], added[:, :, :1]
        out: Tensor = self.own.output(_attend(q, k, v, added))
        return out


def _turned(states: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Rotate ``(rows, heads, length, size)`` by the angles of ``(length, half)``."""
    first, second = states.chunk(2, dim=-1)
    return torch.cat((first * cosines - second * sines, second * cosines + first * sines), dim=-1)


class _Convolution(nn.Module):
    def __init__(self, convolution: Convolution):
        super().__init__()
        self.own = convolution
        self.norm = convolution.norm

    def forward(self, hidden: Tensor, batch: PaddedBatch) -> Tensor:
        states = hidden.unflatten(0, (batch.groups[0][0], -1)) * batch.real[:, :, None]  # (rows, length, width)
        added: Tensor = self.own.activation(self.own.filter(states.transpose(1, 2)).transpose(1, 2).flatten(0, 1))
        return added
