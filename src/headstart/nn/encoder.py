"""The Transformer encoder (Devlin et al. 2019) on packed batches. One class serves the whole BERT family.

Shapes: tokens = all tokens of the batch, sequences = its texts, width = hidden size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from headstart.nn.block import Block
from headstart.nn.dropout import Dropout
from headstart.nn.packed import Batch
from headstart.nn.positions import distance_bias, sinusoids

# Standard deviation of new weights (Devlin et al. 2019).
DEVIATION = 0.02


class FirstStage(nn.Module):
    """The first stage of a stack: called with a batch, it returns states ``(tokens, width)``."""

    word: nn.Embedding


class Embeddings(FirstStage):
    """Sum of word, position and (if the family has them) segment embeddings, normalised.

    Also holds the attention biases by distance, so that they are frozen together with this stage.
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
        position_offset: int,
        sinusoidal: bool,
        distance_buckets: int,
        heads: int,
    ):
        super().__init__()
        own = embedding_width or width
        self.position_offset = position_offset
        self.word = nn.Embedding(vocabulary, own)
        self.position = nn.Embedding(window + position_offset, own)
        self.segment = nn.Embedding(types, own) if types else None
        self.norm = nn.LayerNorm(own, eps=epsilon)
        self.dropout = Dropout(dropout)
        self.project = nn.Linear(own, width) if embedding_width else None
        self.distance = nn.Embedding(distance_buckets, heads) if distance_buckets else None
        self.position.weight.requires_grad_(not sinusoidal)

    def forward(self, batch: Batch) -> Tensor:
        """Look up states ``(tokens, width)``; a batch without segments belongs to the first segment."""
        # (tokens, embedding width)
        hidden = self.word(batch.ids) + self.position(batch.positions + self.position_offset)
        if self.segment is not None:
            # A family with one segment has no row for a second one.
            first = batch.segments is None or len(self.segment.weight) == 1
            hidden = hidden + (self.segment.weight[0] if first else self.segment(batch.segments))
        states: Tensor = self.dropout(self.norm(hidden))
        if self.project is not None:
            states = self.project(states)  # (tokens, width)
        return states


class Stack(nn.Module):
    """Embeddings and a stack of blocks. Its stages, for freezing, are the embeddings and then each block."""

    def __init__(self, embeddings: FirstStage, blocks: Iterable[nn.Module], width: int, window: int, repeats: int = 1):
        """Assemble the stages.

        Args:
            embeddings: the first stage.
            blocks: (states, batch, first_only, places, shared) -> states; see `Block` and :meth:`shared`.
            width: hidden size.
            window: maximum number of tokens of a text.
            repeats: how many successive layers each block represents; together they are one stage.
        """
        super().__init__()
        self.width = width
        self.window = window
        self.repeats = repeats
        # Activation checkpointing (Chen et al. 2016): store only each block's input during training and recompute the
        # rest in the backward pass, a third more time for a fraction of the memory.
        self.recompute = False
        self.embeddings = embeddings
        self.blocks = nn.ModuleList(blocks)

    def shared(self, batch: Batch) -> Tensor | None:
        """Compute the input common to all blocks, such as relative positions; None if there is none.

        Its weights belong to the embeddings, which are the first stage.
        """
        return None

    @property
    def stages(self) -> list[nn.Module]:
        """The embeddings and the blocks, from bottom to top."""
        return [self.embeddings, *self.blocks]

    @property
    def layers(self) -> list[nn.Module]:
        """The block of each layer, from bottom to top."""
        return [block for block in self.blocks for _ in range(self.repeats)]

    def keep(self, layers: Sequence[int]) -> None:
        """Remove all layers except these, numbered from 1, in place."""
        if self.repeats > 1:
            self.repeats = len(layers)
        else:
            self.blocks = nn.ModuleList(self.blocks[number - 1] for number in layers)

    def states(self, batch: Batch) -> Iterator[Tensor]:
        """Yield the output of the embeddings and then of each layer for all tokens, ``(tokens, width)``."""
        hidden = self.embeddings(batch)
        yield hidden
        shared = self.shared(batch)
        for block in self.layers:
            hidden = block(hidden, batch, shared=shared)
            yield hidden

    def forward(
        self,
        batch: Batch,
        first_only: bool = False,
        start: int = 0,
        stop: int | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Run the stages from `start` up to `stop` (by default all).

        Args:
            batch: its `hidden` must contain the output of stage ``start - 1`` if `start` is not 0.
            first_only: the last stage computes only the states of first tokens.
            start: number of the first stage to run.
            stop: number of the stage after the last one to run; None for all.
            places: int64 ``(places,)``, the last stage computes only the states of these tokens; None for all.

        Returns:
            ``(tokens, width)``, or ``(sequences, width)`` with `first_only`, or ``(places, width)``.
        """
        stop = len(self.stages) if stop is None else stop
        hidden = batch.hidden if start else None
        if start == len(self.stages) and hidden is not None:
            return hidden
        shared = self.shared(batch)
        for number in range(start, stop):
            if number == 0:
                hidden = self.embeddings(batch)
                continue
            for repeat in range(self.repeats):
                last = number == len(self.stages) - 1 and repeat == self.repeats - 1
                wanted = (first_only and last, places if last else None)
                block = self.blocks[number - 1]
                if self.recompute and self.training:
                    hidden = checkpoint(block, hidden, batch, *wanted, shared, use_reentrant=False)
                else:
                    hidden = block(hidden, batch, *wanted, shared)
        assert hidden is not None
        return hidden


class Encoder(Stack):
    """The encoder of the BERT family."""

    embeddings: Embeddings

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        feed_forward: int,
        window: int,
        types: int = 2,
        dropout: float = 0.1,
        activation: str = "gelu",
        epsilon: float = 1e-12,
        embedding_width: int | None = None,
        position_offset: int = 0,
        sinusoidal: bool = False,
        one_block: bool = False,
        distance_buckets: int = 0,
    ):
        """Build an encoder with random weights (normal, standard deviation 0.02; biases 0; norms 1).

        Args:
            vocabulary: number of token ids.
            width: hidden size.
            layers: number of layers.
            heads: attention heads per layer.
            feed_forward: width of the feed-forward layers.
            window: maximum number of tokens of a text.
            types: number of segments, 0 for a family without them.
            dropout: rate on hidden states, 0 to 1; there is none on attention weights.
            activation: name in `block.ACTIVATIONS`.
            epsilon: of the layer norms.
            embedding_width: width of the embeddings, if a matrix projects them to the width of the blocks (ELECTRA,
                ALBERT); None for embeddings of the blocks' width and no matrix.
            position_offset: number of the first position (2 in RoBERTa).
            sinusoidal: use fixed sinusoidal positions instead of learned ones.
            one_block: all layers share one block, which is one stage (ALBERT).
            distance_buckets: number of learned biases per head that are added to attention scores, by the distance of
                the two tokens (MPNet); see `positions.distance_buckets`. 0 for none.
        """
        super().__init__(
            Embeddings(
                vocabulary,
                width,
                window,
                types,
                dropout,
                epsilon,
                embedding_width,
                position_offset,
                sinusoidal,
                distance_buckets,
                heads,
            ),
            (
                Block(width, heads, feed_forward, dropout, activation, epsilon)
                for _ in range(1 if one_block else layers)
            ),
            width,
            window,
            layers if one_block else 1,
        )
        initialise(self)
        if sinusoidal:
            # Sines have a root mean square of 0.7; unscaled they would dominate word embeddings initialised at 0.02.
            with torch.no_grad():
                table = sinusoids(*self.embeddings.position.weight.shape)
                self.embeddings.position.weight.copy_(table * (DEVIATION * 2**0.5))

    def shared(self, batch: Batch) -> Tensor | None:
        """Return the bias of the attention scores, ``(heads, most, most)`` for a batch's longest text, or None."""
        distance = self.embeddings.distance
        return None if distance is None else distance_bias(distance.weight, batch.groups[-1][1])


def initialise(module: nn.Module, deviation: float = DEVIATION) -> None:
    """Initialise linear and embedding weights from a normal distribution, biases with 0 and norms with 1, in place."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.normal_(part.weight, std=deviation)
        if isinstance(part, nn.Linear) and part.bias is not None:
            nn.init.zeros_(part.bias)
        if isinstance(part, nn.LayerNorm):
            nn.init.ones_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
