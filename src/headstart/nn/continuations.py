"""How likely given continuations of a text are, several of each text at once, with the key-value cache."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from headstart.nn.cache import Cache
from headstart.nn.decoder import Generator
from headstart.nn.packed import Batch


@torch.inference_mode()
def log_likelihoods(
    model: Generator, batch: Batch, start: int | None, continuations: Sequence[Sequence[Sequence[int]]]
) -> Tensor:
    """Sum the log probabilities of the tokens of each continuation; the text before them is read once.

    Args:
        model: the model, in evaluation mode.
        batch: sources if the model has an encoder; otherwise the beginnings that are continued.
        start: id of the token before a continuation if the model has an encoder.
        continuations: of each text in the order of the request, equally many token sequences.

    Returns:
        float32 ``(texts, continuations)``, in the order of the request.
    """
    device, width = batch.ids.device, len(continuations[0])
    cache = Cache(model.decoder, width)
    if model.encoder is not None:
        assert start is not None
        cache.read_sources(model.encoder(batch), batch)
        cache.begin(len(batch))
        states = cache.step(batch.ids.new_full((len(batch) * width,), start))  # (rows, width of states)
    else:
        states = cache.read_beginnings(batch).repeat_interleave(width, dim=0)
    rows = [ids for text in batch.order.tolist() for ids in continuations[text]]
    longest = max(map(len, rows))
    table = torch.tensor([[*ids, *[-1] * (longest - len(ids))] for ids in rows], device=device)  # (rows, longest)
    scores = torch.zeros(len(rows), device=device)
    for step in range(longest):
        labels, there = table[:, step].clamp(min=0), table[:, step] >= 0
        logged = model.decoder.logits(states).float().log_softmax(-1)  # (rows, vocabulary)
        scores += torch.where(there, logged.gather(1, labels[:, None])[:, 0], 0.0)
        if step < longest - 1:
            states = cache.step(labels)
    ordered = torch.empty(len(batch), width, device=device)
    ordered[batch.order] = scores.view(len(batch), width)
    return ordered
