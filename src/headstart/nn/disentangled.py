"""The encoder of DeBERTa (He et al. 2021, and 2023 for version 3) on packed batches: attention to words and distances.

A token's score for another is a sum: their words, the first one's word with their distance, and their distance with the
second one's word (section 3.1). Distances are learned vectors, one a bucket, which all blocks share.

Shapes: tokens = all tokens of the batch, sequences = its texts, width = hidden size, buckets = those of distances that
the batch's texts have, size = width of a head; texts, length = those of a group of equal texts.
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
from headstart.nn.packed import Batch

MOST_SCORES = 2**22  # at once, of which six or so are held for a while: 100 MB


@dataclass(frozen=True)
class Distances:
    """How distances between tokens fall into buckets, of which there are ``2 * span``.

    buckets: how many for either direction, the half of them near and one a distance, those further off growing with it;
        0 for one a distance throughout. farthest: distance from which on all are alike.
    """

    buckets: int
    farthest: int

    @property
    def span(self) -> int:
        """How many buckets there are in either direction."""
        return self.buckets or self.farthest

    def rows(self, length: int) -> Tensor:
        """Give the buckets of the distances from ``-length`` to ``length``, int64 ``(2 * length + 1,)``, ascending.

        >>> Distances(4, 9).rows(5).tolist()
        [1, 1, 1, 2, 3, 4, 5, 6, 7, 7, 7]
        """
        distance = torch.arange(-length, length + 1)
        if self.buckets:
            middle = self.buckets // 2
            # In the order of operations that the checkpoints were trained with: a rounding may decide the bucket.
            share = torch.log(distance.abs().clamp(min=middle) / middle)
            share = share / torch.log(torch.tensor((self.farthest - 1) / middle)) * (middle - 1)
            far = distance.sign() * (share.ceil() + middle)
            distance = torch.where(distance.abs() <= middle, distance, far).long()
        return (distance + self.span).clamp(0, 2 * self.span - 1)


class DisentangledEmbeddings(FirstStage):
    """Sum of word and (where the model has them) position and segment embeddings, normalised.

    Also holds the vectors of distances, which attention takes, so that they freeze with this stage.
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
        """Look up states ``(tokens, width)``; a batch that says nothing of segments is all of the first."""
        hidden: Tensor = self.word(batch.ids)
        if self.position is not None:
            hidden = hidden + self.position(batch.positions)
        if self.segment is not None:
            hidden = hidden + (self.segment.weight[0] if batch.segments is None else self.segment(batch.segments))
        if self.project is not None:
            hidden = self.project(hidden)
        found: Tensor = self.dropout(self.norm(hidden))
        return found


class DisentangledAttention(SelfAttention):
    """Let every token look at all tokens of its own text, by their words and by how far off they are.

    keys: whether words ask for distances ("c2p"). queries: whether distances ask for words ("p2c").
    own: whether vectors of distances have matrices of their own; else they share those of words.
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

        Args:
            bias: what :meth:`DisentangledEncoder.shared` gave for the batch. The others are those of `SelfAttention`.

        Returns:
            ``(tokens, width)``, or ``(sequences, width)`` for first tokens only, or ``(places, width)``.
        """
        assert bias is not None
        query, states = self.queries_and_states(hidden, batch, first_only)
        groups = tuple(_in_parts(batch.groups, self.heads))
        terms = self._terms(query, states, self._vectors(self.dropout(bias)), groups)
        attended = attend_by_group(query, states, groups, self.heads, terms, self.scale)
        out: Tensor = self.output(attended if places is None else attended[places])
        return out

    def _vectors(self, table: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Turn vectors of distances ``(buckets, width)`` into keys and queries ``(heads, buckets, size)``."""
        if self.shares:
            query, key, _ = self.qkv(table).chunk(3, dim=1)
        else:
            key = table if self.position_key is None else self.position_key(table)
            query = table if self.position_query is None else self.position_query(table)
        keys, queries = (part.unflatten(1, (self.heads, -1)).transpose(0, 1) for part in (key, query))
        return (keys if self.keys else None), (queries if self.queries else None)

    def _terms(
        self, query: Tensor | None, states: Tensor, vectors: tuple[Tensor | None, Tensor | None], groups: Groups
    ) -> Iterator[Tensor | None]:
        """Yield what distances add to each group's scores, ``(texts, heads, length or 1, length)``."""
        longest = groups[-1][1]
        rows = self.distances.rows(longest)
        rows = (rows - rows[0]).to(states.device)
        for (q, k, _), (_, length) in zip(inputs(query, states, groups, self.heads), groups, strict=True):
            near = rows[longest - length : longest + length + 1]  # of the distances -length to length
            parts = []
            for asks, vector in zip((True, False), vectors, strict=True):
                if vector is None:
                    continue
                if query is not None:  # the token at place 0 asks, whose distance from place p is -p
                    given = vector[:, near[1 : length + 1].flip(0)]  # (heads, length, size)
                    parts.append(q @ given.mT if asks else (k * given).sum(-1)[:, :, None])
                elif asks:
                    parts.append(_slid(_products(q, vector[:, near[:-1].flip(0)])))
                else:
                    parts.append(_slid(_products(k, vector[:, near[1:]])).mT)
            yield sum(parts[1:], parts[0]) * self.scale if parts else None


def _in_parts(groups: Groups, heads: int) -> Iterator[tuple[int, int]]:
    """Cut groups whose scores would take much memory at once into several of the same length."""
    for count, length in groups:
        most = max(1, MOST_SCORES // (heads * length**2))
        for start in range(0, count, most):
            yield min(most, count - start), length


def _products(left: Tensor, right: Tensor) -> Tensor:
    """Multiply ``(texts, heads, length, size)`` by ``(heads, 2 * length, size)``; one product a head, without copies.

    Returns: ``(heads, texts, length, 2 * length)``.
    """
    texts, _, length, _ = left.shape
    flat = left.transpose(0, 1).flatten(1, 2)
    products: Tensor = (flat @ right.mT).unflatten(1, (texts, length))
    return products


def _slid(products: Tensor) -> Tensor:
    """Take, in row r of ``(heads, texts, length, 2 * length)``, the columns from ``length - 1 - r`` on, by views alone.

    Returns: ``(texts, heads, length, length)``.
    """
    length = products.shape[2]
    flat = products.flatten(2)[:, :, length - 1 : length - 1 + length * (2 * length - 1)]
    slid: Tensor = flat.unflatten(2, (length, 2 * length - 1))[..., :length].transpose(0, 1)
    return slid


class Convolution(nn.Module):
    """A convolution over the neighbours in a text, added to the first block's states and normalised (version 2)."""

    def __init__(self, width: int, reach: int, groups: int, activation: str, dropout: float, epsilon: float):
        super().__init__()
        self.filter = nn.Conv1d(width, width, reach, padding=(reach - 1) // 2, groups=groups)
        self.norm = nn.LayerNorm(width, eps=epsilon)
        self.dropout = Dropout(dropout)
        self.activation = ACTIVATIONS[activation]

    def forward(self, hidden: Tensor, batch: Batch) -> Tensor:
        """Map states ``(tokens, width)`` to what is added to each, of the same shape."""
        sizes = [count * length for count, length in batch.groups]
        parts = [
            self.filter(part.unflatten(0, group).mT).mT.flatten(0, 1)
            for part, group in zip(hidden.split(sizes), batch.groups, strict=True)
        ]
        added: Tensor = self.activation(self.dropout(torch.cat(parts)))
        return added


class DisentangledBlock(Block):
    """A block of the BERT kind with disentangled attention; the first one may have a convolution beside it."""

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
        """Map states ``(tokens, width)`` to states of the same shape, or of first tokens or some `places` alone."""
        out = super().forward(hidden, batch, first_only, places, shared)
        if self.convolution is None:
            return out
        added = batch.asked(self.convolution(hidden, batch), first_only, places)
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
            vocabulary: number of token ids. window: most tokens of one text. types: segments, 0 for none.
            dropout: rate on hidden states and on vectors of distances, 0 to 1; attention weights are never dropped.
            embedding_width: width of embeddings from which a matrix leads to that of the blocks; None for the same.
            absolute: add positions to the words, besides distances.
            buckets, farthest: see :class:`Distances`. keys, queries, own: see :class:`DisentangledAttention`.
            distance_norm: normalise the vectors of distances.
            convolution: how many neighbouring tokens, an odd number, the first block joins; 0 for none.
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
        """Give the vectors of all distances that the batch's texts have, ``(buckets, width)``, ascending."""
        rows = self.distances.rows(batch.groups[-1][1])
        table = self.embeddings.distance.weight[int(rows[0]) : int(rows[-1]) + 1]
        return table if self.embeddings.distance_norm is None else self.embeddings.distance_norm(table)
