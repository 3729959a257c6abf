"""What a model that writes says of the right texts: how likely each is, and whether it is the likeliest of ten."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as F

from headstart.activations.forward import precision
from headstart.checkpoints.generating import GeneratorCheckpoint
from headstart.contenders import _lessons
from headstart.core import seed
from headstart.core.records import Rows
from headstart.core.text_tasks import TextTask
from headstart.metrics.likelihood import CANDIDATES, CHARACTERS, FIRST, LOSS, RANKED, SUMS, TOKENS
from headstart.nn.continuations import log_likelihoods
from headstart.nn.packed import pack
from headstart.training.batches import by_length

MOST_RANKED = 500  # rows whose texts are ranked among others, spread evenly
TOGETHER = 2048  # tokens of rows whose logits are computed together


@torch.no_grad()
def losses(checkpoint: GeneratorCheckpoint, lessons: _lessons.Lessons, device: str) -> np.ndarray:
    """Return minus the log likelihood of each row's target in nats, float64 ``(rows,)``."""
    totals = np.zeros(len(lessons.lengths))
    for rows in by_length(lessons.lengths, TOGETHER):
        with precision(device):
            states, labels, owners = lessons.states(checkpoint.model, rows, device)
            logits = checkpoint.model.decoder.logits(states)
        each = F.cross_entropy(logits.float(), labels, reduction="none").double()
        totals[rows] = each.new_zeros(len(rows)).index_add(0, owners, each).cpu().numpy()
    return totals


def judged(
    task: TextTask, rows: Rows, checkpoint: GeneratorCheckpoint, lessons: _lessons.Lessons, device: str
) -> np.ndarray:
    """Return the sums of `metrics.likelihood` for each row but those of rankings, float64 ``(rows, 5)``."""
    sums = np.zeros((len(rows), SUMS))
    sums[:, LOSS] = losses(checkpoint, lessons, device)
    sums[:, TOKENS], sums[:, CHARACTERS] = lessons.targets, lessons.characters
    return sums


def rank(
    sums: np.ndarray, task: TextTask, rows: Rows, score: Callable[[np.ndarray, Sequence[Sequence[str]]], np.ndarray]
) -> np.ndarray:
    """Add to sums which right texts come first among ten; return the numbers of the rows that were ranked.

    The nine others are right texts of other rows of the same part, the same for every model.

    Args:
        sums: float64 ``(rows, 5)``, changed in place.
        task: the task.
        rows: of one part.
        score: (rows, their candidates, the right one first) -> scores ``(rows, candidates)``.
    """
    texts = [task.accepted(target)[0] for target in rows.targets]
    different = list(dict.fromkeys(texts))
    ranked = np.unique(np.linspace(0, len(rows) - 1, MOST_RANKED).astype(int))
    others = min(CANDIDATES, len(different)) - 1
    candidates = []
    for row in ranked.tolist():
        order = seed.generator(0, "candidates", row).permutation(len(different))[: others + 1]
        candidates.append([texts[row], *[different[n] for n in order if different[n] != texts[row]][:others]])
    scores = score(ranked, candidates)
    sums[ranked, RANKED] = 1
    sums[ranked, FIRST] = (scores[:, :1] > scores[:, 1:]).all(axis=1)
    return ranked


def scorer(
    task: TextTask, rows: Rows, checkpoint: GeneratorCheckpoint, device: str, budget: int
) -> Callable[[np.ndarray, Sequence[Sequence[str]]], np.ndarray]:
    """Return a function for :func:`rank` that scores candidates by their mean log likelihood per token.

    Args:
        task: the task.
        rows: of one part.
        checkpoint: the model, in evaluation mode.
        device: 'cpu' or 'cuda'.
        budget: source tokens times candidates that are read together.
    """

    def score(ranked: np.ndarray, candidates: Sequence[Sequence[str]]) -> np.ndarray:
        source = _lessons.sources(task, [rows.inputs[row] for row in ranked], checkpoint)
        width, end = len(candidates[0]), checkpoint.search.end[0]
        bodies = checkpoint.writing.encode_whole([text for each in candidates for text in each])
        most = checkpoint.writing.window - 1
        spans = itertools.pairwise(bodies.boundaries)
        ids = [[*bodies.tokens[first : min(last, first + most)].tolist(), end] for first, last in spans]
        scores = np.zeros((len(ranked), width))
        for places in by_length(source.lengths, budget // width):
            batch = pack(source.tokens, source.boundaries, places).to(device)
            own = [ids[place * width : (place + 1) * width] for place in places.tolist()]
            with precision(device):
                sums = log_likelihoods(checkpoint.model, batch, checkpoint.search.start, own)
            scores[places] = sums.cpu().numpy() / [[len(each) for each in row] for row in own]
        return scores

    return score
