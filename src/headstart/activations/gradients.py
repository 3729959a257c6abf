"""Gradients of a model's outputs with respect to the embeddings of its inputs, along a line from a baseline.

All steps of all texts are sequences of packed batches, without padding. No gradient of a weight is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from headstart.activations.forward import STATE_BUDGET, joins_windows, pack_units
from headstart.core.attribution import Steps
from headstart.core.sequences import Encoded, spans
from headstart.nn.heads import Model
from headstart.training.batches import by_length


@dataclass(frozen=True)
class Score:
    """A weighted sum of a unit's outputs.

    unit: number of the sequence, or of the row if the head pools a row's windows.
    items: number of each output's item (token) in the unit, int64 ``(parts,)``; 0 for heads with one item.
    outputs: number of each output, int64 ``(parts,)``.
    weights: float32 ``(parts,)``.
    """

    unit: int
    items: np.ndarray
    outputs: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Line:
    """What was found along the lines of some scores.

    values: of each score, for each token of its unit, the mean gradient times the distance from the baseline, float64
        ``(tokens,)``.
    score: of the inputs, float64 ``(scores,)``.
    base: of the baselines, float64 ``(scores,)``.
    """

    values: list[np.ndarray]
    score: np.ndarray
    base: np.ndarray


def along(
    model: Model, encoded: Encoded, scores: Sequence[Score], steps: Steps, blank: np.ndarray | None, device: str
) -> Line:
    """Compute gradients of scores at some steps from a baseline to the inputs (Sundararajan et al. 2017, equation 3).

    Args:
        model: the model.
        encoded: the texts.
        scores: what to differentiate.
        steps: where.
        blank: token ids of the baselines, int32 ``(tokens,)``; None for embeddings of zeros.
        device: 'cpu' or 'cuda'.
    """
    if model.training:
        model.eval()
    # The baseline and the input themselves are two more steps, for their scores alone.
    positions = np.array([0.0, *steps.positions, 1.0])
    weights = np.array([0.0, *steps.weights, 0.0])
    count = len(positions)
    joined = joins_windows(model, encoded)
    units = np.array([score.unit for score in scores], dtype=np.int64)
    first_sequence = units if encoded.rows is None or not joined else encoded.rows[units]
    lengths = (encoded.lengths if joined else encoded.sequence_lengths)[units]  # (scores,)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    values = np.zeros(int(ends[-1]))
    found = np.zeros((len(scores), count))
    budget = STATE_BUDGET[device] // model.encoder.width
    for copies in by_length(np.repeat(lengths, count), budget):
        owners = copies // count  # (copies,), the score of each
        batch, order = pack_units(model, encoded, units[owners])
        sequences = encoded.sequences(units[owners]) if joined else units[owners]
        windows = encoded.windows[units[owners]] if joined else 1
        copy_of = np.repeat(np.arange(len(owners)), windows)  # (sequences,)
        packed = batch.order.numpy()
        tokens, _ = spans(encoded.boundaries, sequences[packed])  # (tokens,), places in `encoded`
        copy_of_token = np.repeat(copy_of[packed], encoded.sequence_lengths[sequences[packed]])
        batch = batch.to(device)
        with torch.no_grad():
            states = model.encoder.embeddings(batch)  # (tokens, width)
            if blank is None:
                base = torch.zeros_like(states)
            else:
                ids = torch.from_numpy(blank[tokens].astype(np.int64)).to(device)
                base = model.encoder.embeddings(replace(batch, ids=ids))
            way = states - base
            position = torch.from_numpy(positions[copies % count][copy_of_token]).to(states)
            hidden = base + position[:, None] * way
        hidden.requires_grad_()
        logits = model(replace(batch, hidden=hidden, stages=1)).float()  # (items, outputs)
        place = np.empty(len(owners), dtype=np.int64)  # first item of each copy
        if model.head.reads_all:
            place[order] = batch.starts.cpu().numpy()
        else:
            place[order] = np.arange(len(order))
        parts = [scores[owner] for owner in owners]
        items = np.concatenate([start + score.items for start, score in zip(place, parts, strict=True)])
        outputs = np.concatenate([score.outputs for score in parts])
        factors = np.concatenate([score.weights for score in parts])
        terms = logits[torch.from_numpy(items).to(device), torch.from_numpy(outputs).to(device)]
        terms = terms * torch.from_numpy(factors).to(terms)
        (gradient,) = torch.autograd.grad(terms.sum(), hidden)
        found[owners, copies % count] = np.add.reduceat(
            terms.detach().double().cpu().numpy(), np.cumsum([0, *(len(score.items) for score in parts)])[:-1]
        )
        share = (gradient * way).sum(dim=1).double().cpu().numpy() * weights[copies % count][copy_of_token]
        within = tokens - encoded.boundaries[first_sequence[owners]][copy_of_token]
        np.add.at(values, ends[owners[copy_of_token]] + within, share)
    pieces = np.split(values, ends[1:-1])
    return Line(pieces, found[:, -1], found[:, 0])
