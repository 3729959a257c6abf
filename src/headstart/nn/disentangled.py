"""The encoder of DeBERTa (He et al. 2021, and 2023 for version 3) on packed batches: attention to words and distances.

An attention score is the sum of three products: query word with key word, query word with distance, and distance with
key word (section 3.1). Distances are learned vectors, one per bucket, which all blocks share.

Shapes: tokens = all tokens of the batch, sequences = its texts, width = hidden size, buckets = those of the distances
    in the batch's texts, size = width of a head; texts, length = those of a group of texts of equal length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from headstart.nn.attention import Groups, SelfAttention, attend_by_group, inputs
from headstart.nn.block import ACTIVATIONS, Block
from headstart.nn.dropout import Dropout
from headstart.nn.encoder import FirstStage, Stack, initialise
from headstart.nn.packed import Batch, to_device

MOST_SCORES = 2**22  # scores computed at once; about six such tensors exist at a time, 100 MB


@dataclass(frozen=True)
class Distances:
    """How distances between tokens are divided into ``2 * span`` buckets.

    buckets: number of buckets per direction. The nearer half has one distance per bucket; the others widen with the
        distance. 0 for one distance per bucket throughout.
    farthest: distance from which on all share the last bucket.
    """

    buckets: int
    farthest: int

    @property
    def span(self) -> int:
        """The number of buckets per direction."""
        return self.buckets or self.farthest

    def rows(self, length: int) -> Tensor:
        """Return the buckets of the distances from ``-length`` to ``length``, int64 ``(2 * length + 1,)``, ascending.

        >>> Distances(4, 9).rows(5).tolist()
        [1, 1, 1, 2, 3, 4, 5, 6, 7, 7, 7]
        """
        distance = torch.arange(-length, length + 1)  # (2 * length + 1,)
        if self.buckets:
            middle = self.buckets // 2
            # The same order of operations as in the training of the checkpoints, since rounding may change the bucket.
            share = torch.log(distance.abs().clamp(min=middle) / middle)
            share = share / torch.log(torch.tensor((self.farthest - 1) / middle)) * (middle - 1)
            far = distance.sign() * (share.ceil() + middle)
            distance = torch.where(distance.abs() <= middle, distance, far).long()
        return (distance + self.span).clamp(0, 2 * self.span - 1)


class DisentangledEmbeddings(FirstStage):
    """Sum of word and (if the model has them) position and segment embeddings, normalised.

    Also holds the vectors of distances that attention uses, so that they are frozen together with this stage.
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        window: int,
        types: int,
        dropout: float,
        epsilon: float,
        embedding_width: int | None,
        absolute: bool,
        distances: int,
        distance_norm: bool,
    ):
        super().__init__()
        own = embedding_width or width
        self.word = nn.Embedding(vocabulary, own)
        self.position = nn.Embedding(window, own) if absolute else None
        self.segment = nn.Embedding(types, own) if types else None
        self.project = nn.Linear(own, width, bias=False) if own != width else None
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.dropout = Dropout(dropout)
        self.distance = nn.Embedding(distances, width)
        self.distance_norm = nn.LayerNorm(width, eps=epsilon) if distance_norm else None

    def forward(self, batch: Batch) -> Tensor:
        """Look up states ``(tokens, width)``; a batch without segments belongs to the first segment."""
        hidden: Tensor = self.word(batch.ids)  # (tokens, width of the embeddings)
        if self.position is not None:
            hidden = hidden + self.position(batch.positions)
        if self.segment is not None:
            first = batch.segments is None or len(self.segment.weight) == 1  # there is no row for a second segment
            hidden = hidden + (self.segment.weight[0] if first else self.segment(batch.segments))
        if self.project is not None:
            hidden = self.project(hidden)  # (tokens, width)
        normalised: Tensor = self.dropout(self.norm(hidden))
        return normalised


class DisentangledAttention(SelfAttention):
    """Let every token attend to all tokens of its own text, by their words and their distances.

    keys: whether the query word is multiplied with the distance ("c2p").
    queries: whether the distance is multiplied with the key word ("p2c").
    own: whether the vectors of distances have their own matrices; otherwise they share those of words.
    """

    def __init__(
        self, width: int, heads: int, distances: Distances, keys: bool, queries: bool, own: bool, dropout: float
    ):
        super().__init__(width, heads)
        self.distances = distances
        self.keys, self.queries = keys, queries
        self.position_key = nn.Linear(width, width) if own and keys else None
        self.position_query = nn.Linear(width, width) if own and queries else None
        self.shares = not own
        self.dropout = Dropout(dropout)
        self.scale = (width // heads * (1 + keys + queries)) ** -0.5

    def forward(
        self,
        hidden: Tensor,
        batch: Batch,
        first_only: bool = False,
        places: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Attend within each text.

        Args: as for `SelfAttention`, but with the result of :meth:`DisentangledEncoder.shared` as `bias`.

        Returns:
            ``(tokens, width)``, or ``(sequences, width)`` with `first_only`, or ``(places, width)``.
        """
        assert bias is not None
        query, states = self.queries_and_states(hidden, batch, first_only)
        groups = tuple(_in_parts(batch.groups, self.heads))
        terms = self._terms(query, states, self.vectors(self.dropout(bias)), groups)
        attended = attend_by_group(query, states, groups, self.heads, terms, self.scale)
        out: Tensor = self.output(attended if places is None else attended[places])
        return out

    def vectors(self, table: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Turn vectors of distances ``(buckets, width)`` into keys and queries ``(heads, buckets, size)``."""
        if self.shares:
            query, key, _ = self.qkv(table).chunk(3, dim=1)  # each (buckets, width)
        else:
            key = table if self.position_key is None else self.position_key(table)
            query = table if self.position_query is None else self.position_query(table)
        # (heads, buckets, size)
        keys, queries = (part.unflatten(1, (self.heads, -1)).transpose(0, 1) for part in (key, query))
        return (keys if self.keys else None), (queries if self.queries else None)

    def _terms(
        self, query: Tensor | None, states: Tensor, vectors: tuple[Tensor | None, Tensor | None], groups: Groups
    ) -> Iterator[Tensor | None]:
        """Yield the terms of each group's scores that depend on distances, ``(texts, heads, length or 1, length)``."""
        longest = groups[-1][1]
        rows = self.distances.rows(longest)  # (2 * longest + 1,)
        rows = to_device(rows - rows[0], states.device.type)
        for (q, k, _), (_, length) in zip(inputs(query, states, groups, self.heads), groups, strict=True):
            near = rows[longest - length : longest + length + 1]  # of the distances -length to length
            parts = []
            for asks, vector in zip((True, False), vectors, strict=True):
                if vector is None:
                    continue
                if query is not None:  # the query is at place 0, whose distance from place p is -p
                    given = vector[:, near[1 : length + 1].flip(0)]  # (heads, length, size)
                    parts.append(q @ given.mT if asks else (k * given).sum(-1)[:, :, None])  # (texts, heads, 1, length)
                elif asks:
                    parts.append(_slid(_products(q, vector[:, near[:-1].flip(0)])))  # (texts, heads, length, length)
                else:
                    parts.append(_slid(_products(k, vector[:, near[1:]])).mT)  # (texts, heads, length, length)
            yield sum(parts[1:], parts[0]) * self.scale if parts else None


def _in_parts(groups: Groups, heads: int) -> Iterator[tuple[int, int]]:
    """Split groups whose scores would take much memory into several groups of the same length."""
    for count, length in groups:
        most = max(1, MOST_SCORES // (heads * length**2))
        for start in range(0, count, most):
            yield min(most, count - start), length


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Multiply ``(texts, heads, length, size)`` by ``(heads, 2 * length, size)``; one product per head, no copies.

    Returns: ``(heads, texts, length, 2 * length)``.
    """
    texts, _, length, _ = left.shape
    flat = left.transpose(0, 1).flatten(1, 2)  # (heads, texts * length, size)
    products: Tensor = (flat @ right.mT).unflatten(1, (texts, length))
    return products


def _slid(products: Tensor) -> Tensor:
    """Select from row r of ``(heads, texts, length, 2 * length)`` the columns from ``length - 1 - r`` on, as a view.

    Returns: ``(texts, heads, length, length)``.
    """
    length = products.shape[2]
    flat = products.flatten(2)[:, :, length - 1 : length - 1 + length * (2 * length - 1)]
    slid: Tensor = flat.unflatten(2, (length, 2 * length - 1))[..., :length].transpose(0, 1)
    return slid


class Convolution(nn.Module):
    """A convolution over neighbouring tokens, added to the first block's states and normalised (version 2)."""

    def __init__(self, width: int, reach: int, groups: int, activation: str, dropout: float, epsilon: float):
        super().__init__()
        self.filter = nn.Conv1d(width, width, reach, padding=(reach - 1) // 2, groups=groups)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Map states ``(tokens, width)`` to the values that are added to them, of the same shape."""
        sizes = [count * length for count, length in batch.groups]
        parts = [
            # (texts, width, length) inside, (texts * length, width) outside
            self.filter(part.unflatten(0, group).mT).mT.flatten(0, 1)
            for part, group in zip(hidden.split(sizes), batch.groups, strict=True)
        ]
        added: Tensor = self.activation(self.dropout(torch.cat(parts)))
        return added


class DisentangledBlock(Block):
    """A BERT block with disentangled attention; the first one may also have a convolution."""

    def __init__(
        self,
        width: int,
        heads: int,
        feed_forward: int,
        dropout: float,
        activation: str,
        epsilon: float,
        attention: DisentangledAttention,
        convolution: Convolution | None,
    ):
        super().__init__(width, heads, feed_forward, dropout, activation, epsilon)
        self.attention = attention
        self.convolution = convolution

    def forward(
        self,
        hidden: Tensor,
        batch: Batch,
        first_only: bool = False,
        places: Tensor | None = None,
        shared: Tensor | None = None,
    ) -> Tensor:
        """Map states ``(tokens, width)`` to the same shape, or only those of first tokens or of some `places`."""
        out = super().forward(hidden, batch, first_only, places, shared)
        if self.convolution is None:
            return out
        added = batch.select(self.convolution(hidden, batch), first_only, places)
        normed: Tensor = self.convolution.norm(out + added)
        return normed


class DisentangledEncoder(Stack):
    """The encoder of DeBERTa, versions 2 and 3."""

    embeddings: DisentangledEmbeddings

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        feed_forward: int,
        window: int,
        types: int = 0,
        dropout: float = 0.1,
        activation: str = "gelu",
        epsilon: float = 1e-7,
        embedding_width: int | None = None,
        absolute: bool = False,
        buckets: int = 256,
        farthest: int = 512,
        keys: bool = True,
        queries: bool = True,
        own: bool = False,
        distance_norm: bool = True,
        convolution: int = 0,
        convolution_groups: int = 1,
        convolution_activation: str = "tanh",
    ):
        """Build an encoder with random weights, see `encoder.initialise`.

        Args:
            vocabulary: number of token ids.
            width: hidden size.
            layers: number of blocks.
            heads: attention heads per block.
            feed_forward: width of the feed-forward layers.
            window: maximum number of tokens of a text.
            types: number of segments, 0 for none.
            dropout: rate on hidden states and on vectors of distances, 0 to 1; there is none on attention weights.
            activation: name in `block.ACTIVATIONS`.
            epsilon: of the layer norms.
            embedding_width: width of the embeddings, if a matrix projects them to the width of the blocks; None for no
                matrix.
            absolute: add position embeddings to the words, in addition to distances.
            buckets: see :class:`Distances`.
            farthest: see :class:`Distances`.
            keys: see :class:`DisentangledAttention`.
            queries: see :class:`DisentangledAttention`.
            own: see :class:`DisentangledAttention`.
            distance_norm: normalise the vectors of distances.
            convolution: odd number of neighbouring tokens that the first block convolves; 0 for no convolution.
            convolution_groups: groups of channels of the convolution.
            convolution_activation: name in `block.ACTIVATIONS`.
        """
        distances = Distances(buckets, farthest)
        super().__init__(
            DisentangledEmbeddings(
                vocabulary,
                width,
                window,
                types,
                dropout,
                epsilon,
                embedding_width,
                absolute,
                2 * distances.span,
                distance_norm,
            ),
            (
                DisentangledBlock(
                    width,
                    heads,
                    feed_forward,
                    dropout,
                    activation,
                    epsilon,
                    DisentangledAttention(width, heads, distances, keys, queries, own, dropout),
                    Convolution(width, convolution, convolution_groups, convolution_activation, dropout, epsilon)
                    if convolution and number == 0
                    else None,
                )
                for number in range(layers)
            ),
            width,
            window,
        )
        self.distances = distances
        initialise(self)

    def shared(self, batch: Batch) -> Tensor:
        """Return the vectors of all distances in the batch's texts, ``(buckets, width)``, ascending."""
        rows = self.distances.rows(batch.groups[-1][1])
        table = self.embeddings.distance.weight[int(rows[0]) : int(rows[-1]) + 1]  # (buckets, width)
        return table if self.embeddings.distance_norm is None else self.embeddings.distance_norm(table)
