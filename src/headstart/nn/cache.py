"""Stored keys and values of texts that are continued token by token, with several continuations (beams) of each.

The keys of all beams of a text stand side by side and are never moved: where a beam continues another one, only a small
table changes that says which beam of each step it descends from.

Shapes: texts = those that are continued, beams = continuations of each, rows = texts * beams, text by text; heads = of
queries, key heads = of keys and values, size = width of a head, steps = tokens of each continuation up to now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from headstart.nn.attention import by_group
from headstart.nn.decoder import Decoder
from headstart.nn.layer import Attend, DecoderLayer
from headstart.nn.packed import Batch
from headstart.nn.positions import distance_bias
from headstart.nn.rotary import turn, turns_at

FIRST = 32  # steps for which memory is reserved at first; it doubles when they are used up


@dataclass
class Part:
    """Keys and values of some texts of equal length, in one layer.

    keys: ``(texts, key heads, places, size)``.
    values: of the same shape.
    """

    keys: Tensor
    values: Tensor

    def take(self, rows: Tensor) -> Part:
        """Return those of some texts."""
        return Part(self.keys[rows], self.values[rows])


class Cache:
    """What a decoder has read: the sources and the beginnings of all texts, and the tokens that continued them."""

    def __init__(self, decoder: Decoder, beams: int):
        self.decoder = decoder
        self.beams = beams
        self.steps = 0
        # For each group of texts: how many, and the length of their beginning; of their sources.
        self.groups: list[tuple[int, int]] = []
        self.runs: list[tuple[int, int]] = []
        layers = decoder.layers
        # By layer, for each group: places are the tokens of the beginning, then steps * beams, then unused ones.
        self.own: list[list[Part]] = [[] for _ in layers]
        self.sources: list[list[Part]] = [[] for _ in layers]  # by layer, for each run
        # The beam that each beam descends from at each step, int64 (texts, beams, steps).
        self.ancestors: Tensor | None = None

    @property
    def texts(self) -> int:
        """How many texts are continued."""
        return sum(count for count, _ in self.groups)

    def read_sources(self, memory: Tensor, batch: Batch) -> None:
        """Store the keys and values of sources.

        Args:
            memory: states of the sources, ``(source tokens, width)``.
            batch: the sources.
        """
        self.runs = list(batch.groups)
        for layer, parts in zip(self.decoder.layers, self.sources, strict=True):
            assert layer.cross is not None
            states = layer.cross.states(memory)  # (source tokens, 2 * heads * size)
            parts.extend(Part(*pair) for pair in by_group(states, batch.groups, layer.heads, 2))

    def begin(self, texts: int) -> None:
        """Begin texts that have no tokens yet."""
        self.groups = [(texts, 0)]
        weight = self.decoder.embeddings.word.weight
        for layer, parts in zip(self.decoder.layers, self.own, strict=True):
            empty = weight.new_empty(texts, layer.key_heads, 0, layer.size)
            parts.append(Part(empty, empty))

    def read_beginnings(self, batch: Batch) -> Tensor:
        """Store the keys and values of the beginnings of texts, and return the states of their last tokens.

        Args:
            batch: the beginnings.

        Returns:
            ``(texts, width)``, in the order of the batch.
        """
        self.groups = list(batch.groups)
        decoder = self.decoder
        attend = decoder.attention(batch)
        hidden = decoder.embeddings(batch)
        for layer, parts in zip(decoder.layers, self.own, strict=True):
            hidden = layer(hidden, partial(self._begin, attend, layer, parts, batch))
        return decoder.finish(hidden[batch.boundaries[1:].long() - 1])

    def step(self, ids: Tensor) -> Tensor:
        """Add one token to each row and return the states that predict the next one, ``(rows, width)``.

        Args:
            ids: int64 ``(rows,)``.
        """
        decoder = self.decoder
        device = ids.device
        begun = torch.cat(
            [torch.full((count * self.beams,), length, device=device) for count, length in self.groups]
        )  # (rows,)
        positions = begun + self.steps
        layers = decoder.layers
        turned = None if decoder.theta is None else turns_at(positions, layers[0].size, decoder.theta)
        self._descend()
        hidden = decoder.embeddings.look_up(ids, positions)
        for number, layer in enumerate(layers):
            own = partial(self._own, turned, number, layer)
            hidden = layer(hidden, own, partial(self._other, number, layer) if self.runs else None)
        self.steps += 1
        return decoder.finish(hidden)

    def reorder(self, beams: Tensor) -> None:
        """Let each beam continue from another one of its text, int64 ``(texts, beams)``; nothing stored is moved."""
        if self.ancestors is not None:  # otherwise no continuation has a token yet
            self.ancestors = self.ancestors.gather(1, beams[:, :, None].expand(-1, -1, self.steps))

    def keep(self, texts: Tensor) -> None:
        """Remove all texts except some.

        Args:
            texts: int64 ``(kept texts,)``, ascending.
        """
        self.groups = self._keep(texts, self.groups, self.own)
        self.runs = self._keep(texts, self.runs, self.sources)
        if self.ancestors is not None:
            self.ancestors = self.ancestors[texts]

    @staticmethod
    def _keep(texts: Tensor, groups: list[tuple[int, int]], layers: Sequence[list[Part]]) -> list[tuple[int, int]]:
        """Remove texts from groups of them, in place, and return the groups that remain."""
        remaining, chosen, start = [], [], 0
        for place, (count, length) in enumerate(groups):
            rows = texts[(texts >= start) & (texts < start + count)] - start
            start += count
            if len(rows):
                remaining.append((len(rows), length))
                chosen.append((place, rows))
        for parts in layers:
            if parts:
                parts[:] = [parts[place].take(rows) for place, rows in chosen]
        return remaining

    def _descend(self) -> None:
        """Add the next step to the table of ancestors: each beam descends from itself."""
        if self.beams == 1:
            return
        device = self.decoder.embeddings.word.weight.device
        itself = torch.arange(self.beams, device=device)[None, :, None].expand(self.texts, -1, 1)
        self.ancestors = itself if self.ancestors is None else torch.cat([self.ancestors, itself], dim=2)

    @staticmethod
    def _begin(attend: Attend, layer: DecoderLayer, parts: list[Part], batch: Batch, states: Tensor) -> Tensor:
        """Store the keys and values of beginnings, and let their tokens attend to each other."""
        attended = attend(states)  # which rotates queries and keys in place
        kept = states[:, layer.heads * layer.size :].contiguous()  # (tokens, 2 * key heads * size)
        parts.extend(Part(*pair) for pair in by_group(kept, batch.groups, layer.key_heads, 2))
        return attended

    def _own(self, turned: Tensor | None, number: int, layer: DecoderLayer, states: Tensor) -> Tensor:
        """Store the keys and values of one token of each row, and let it attend to the tokens before it and itself."""
        if turned is not None:
            states = turn(states, turned, layer.heads + layer.key_heads)
        beams, heads, shared, size = self.beams, layer.heads, layer.key_heads, layer.size
        queries, keys, values = states.split([heads * size, shared * size, shared * size], dim=1)
        attended, start = [], 0
        mask = self._mask()
        for place, (count, length) in enumerate(self.groups):
            texts = slice(start, start + count)
            rows = slice(start * beams, (start + count) * beams)
            start += count
            # (texts, key heads, queries of a text and a key head, size): beam after beam, head after head
            asked = queries[rows].view(count, beams, shared, heads // shared, size).permute(0, 2, 1, 3, 4).flatten(2, 3)
            part, stop = self._add(number, place, keys[rows], values[rows])
            k, v = part.keys[:, :, :stop], part.values[:, :, :stop]
            terms = None if mask is None else mask[texts]  # (texts, beams, steps * beams)
            if terms is not None:
                terms = F.pad(terms, (length, 0), value=True).repeat_interleave(heads // shared, dim=1)[:, None]
            bias = self._bias(length)
            scale = None if layer.scaled else 1.0
            if bias is not None:
                # Without shared heads, as in T5; each step has one place for each beam.
                spread = torch.cat([bias[:, :length], bias[:, length:].repeat_interleave(beams, dim=1)], dim=1)
                added = spread[None, :, None, :]  # (1, heads, 1, places)
                terms = added if terms is None else torch.where(terms, added, -torch.inf)
            out = F.scaled_dot_product_attention(asked, k, v, terms, scale=scale)
            out = out.view(count, shared, beams, heads // shared, size).permute(0, 2, 1, 3, 4)
            attended.append(out.reshape(count * beams, heads * size))
        return torch.cat(attended)

    def _other(self, number: int, layer: DecoderLayer, query: Tensor) -> Tensor:
        """Let one token of each row attend to its source."""
        beams, heads, size = self.beams, layer.heads, layer.size
        attended, start = [], 0
        for (count, _), part in zip(self.runs, self.sources[number], strict=True):
            rows = query[start * beams : (start + count) * beams]
            start += count
            asked = rows.view(count, beams, heads, size).transpose(1, 2)  # (texts, heads, beams, size)
            scale = None if layer.scaled else 1.0
            out = F.scaled_dot_product_attention(asked, part.keys, part.values, scale=scale)
            attended.append(out.transpose(1, 2).reshape(count * beams, heads * size))
        return torch.cat(attended)

    def _add(self, number: int, place: int, keys: Tensor, values: Tensor) -> tuple[Part, int]:
        """Store the keys and values of one token of each row of a group, each ``(rows, key heads * size)``.

        Returns:
            those of the group, and the number of used places.
        """
        (count, length), part = self.groups[place], self.own[number][place]
        start = length + self.steps * self.beams
        stop = start + self.beams
        if stop > part.keys.shape[2]:
            room = length + max(FIRST, 2 * self.steps) * self.beams
            grown = Part(*(keys.new_empty(count, part.keys.shape[1], room, part.keys.shape[3]) for _ in range(2)))
            grown.keys[:, :, :start] = part.keys[:, :, :start]
            grown.values[:, :, :start] = part.values[:, :, :start]
            part = self.own[number][place] = grown
        for stored, new in ((part.keys, keys), (part.values, values)):
            stored[:, :, start:stop] = new.view(count, self.beams, stored.shape[1], -1).transpose(1, 2)
        return part, stop

    def _mask(self) -> Tensor | None:
        """Return which places each beam descends from, bool ``(texts, beams, (steps + 1) * beams)``; None for all."""
        if self.ancestors is None:
            return None
        return F.one_hot(self.ancestors, self.beams).bool().flatten(2)

    def _bias(self, length: int) -> Tensor | None:
        """Return the bias of the scores of the current token, ``(heads, tokens up to it)``; None for none."""
        distance = self.decoder.embeddings.distance
        if distance is None:
            return None
        return distance_bias(distance.weight, length + self.steps + 1, causal=True)[:, -1]
