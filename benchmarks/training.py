"""How fast is a training step? Ours against Hugging Face's, the same weights and texts, in turns in one process.

A step is forward, backward, clipping and AdamW on 32 sentences (SST-2) or 8 reviews (IMDB, cut to 512). Peers are
`BertForSequenceClassification` padded to the window (the tutorial loop), padded to the longest text of the batch
(Trainer's default), and the latter with texts grouped by length, each with its own dropout (hidden and attention
0.1) and without any. Times are medians over rounds, in microseconds for a real token: padding counts for nothing.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._common import data, record, show, table

ROUNDS, STEPS, WARM = 5, 6, 2


@dataclass(frozen=True)
class Load:
    """Texts of one kind: batches of token ids, and what the tutorial loop pads them to."""

    name: str
    batches: tuple[tuple[list[int], ...], ...]
    grouped: tuple[tuple[list[int], ...], ...]
    window: int


def main() -> None:
    """Measure one and two threads (about 20 minutes on an idle machine) and write the record."""
    import torch

    lines, results = [], []
    for threads in (1, min(2, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        for load in (sentences(), reviews()):
            rate = matrix_rate()
            times = measure(load)
            results.append({"threads": threads, "load": load.name, "gflops": rate, "us_per_token": times})
            ours = times["packed, dropout 0.1"]
            peers = {name: value / ours for name, value in times.items() if name.startswith("HF")}
            for name, ratio in peers.items():
                lines.append([load.name, str(threads), name, f"{times[name]:.0f}", f"{ours:.0f}", f"{ratio:.2f}"])
    record("training", {"results": results, "rounds": ROUNDS, "steps": STEPS})
    header = ["texts", "threads", "against", "its us a token", "ours", "times faster"]
    show("training", table(header, lines))


def sentences() -> Load:
    """Take SST-2 sentences in batches of 32."""
    return _load("sentences", data("sst2_train")[0], 32, 128)


def reviews() -> Load:
    """Take IMDB reviews in batches of 8."""
    return _load("reviews", data("imdb_train")[0], 8, 512)


def measure(load: Load) -> dict[str, float]:
    """Time every variant in turns; microseconds a real token, the median over rounds."""
    variants = {
        "HF tutorial loop": theirs(load.batches, load.window, 0.1, fused=False),
        "HF longest": theirs(load.batches, None, 0.1),
        "HF longest, dropout 0": theirs(load.batches, None, 0.0),
        "HF grouped": theirs(load.grouped, None, 0.1),
        "HF grouped, dropout 0": theirs(load.grouped, None, 0.0),
        "packed, dropout 0.1": ours(load.batches, 0.1),
        "packed, dropout 0": ours(load.batches, 0.0),
    }
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for step in variants.values():
        for place in range(WARM):
            step(place)
    for turn in range(ROUNDS):
        for name, step in variants.items():
            places = range(turn * STEPS, (turn + 1) * STEPS)
            began = time.perf_counter()
            tokens = sum(step(place) for place in places)
            taken[name].append(1e6 * (time.perf_counter() - began) / tokens)
    return {name: round(statistics.median(values), 1) for name, values in taken.items()}


def ours(batches: Sequence[Sequence[list[int]]], dropout: float) -> Callable[[int], int]:
    """Build our step: packed batches, fused AdamW. It returns the real tokens of a batch."""
    import torch

    from headstart.checkpoints import folder
    from headstart.core import rooms
    from headstart.nn.packed import pack
    from headstart.training.optimizer import adamw

    torch.manual_seed(0)
    model: Any = folder.load("minilm", classes=2, dropout=dropout).model
    groups = rooms.load("strategies", "full").prepare(model)
    optimizer = adamw(groups, 0.01)
    model.train()

    def step(place: int) -> int:
        texts = batches[place % len(batches)]
        boundaries = np.cumsum([0, *map(len, texts)])
        batch = pack(np.concatenate(texts).astype(np.int32), boundaries, np.arange(len(texts)))
        targets = torch.arange(len(texts)) % 2
        model.head.loss(model(batch), targets[batch.order]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return int(boundaries[-1])

    return step


def theirs(
    batches: Sequence[Sequence[list[int]]], window: int | None, dropout: float, fused: bool = True
) -> Callable[[int], int]:
    """Build Hugging Face's step, padded to a window or to the longest text of the batch."""
    import torch
    from transformers import AutoModelForSequenceClassification

    from headstart.checkpoints import hub

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(
        hub.find("minilm"), num_labels=2, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=fused)
    model.train()

    def step(place: int) -> int:
        texts = batches[place % len(batches)]
        longest = window or max(map(len, texts))
        ids = torch.zeros(len(texts), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, text in enumerate(texts):
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, : len(text)] = 1
        model(input_ids=ids, attention_mask=mask, labels=torch.arange(len(texts)) % 2).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return sum(map(len, texts))

    return step


def matrix_rate() -> float:
    """Measure this machine's float32 matrix products at the encoder's shape, in GFLOP a second."""
    import torch

    rows, width, wide = 2048, 384, 1536
    left, right = torch.randn(rows, width), torch.randn(width, wide)
    rates = []
    for _ in range(30):
        began = time.perf_counter()
        torch.mm(left, right)
        rates.append(2e-9 * rows * width * wide / (time.perf_counter() - began))
    return round(statistics.median(rates[5:]), 1)


def _load(name: str, texts: Sequence[str], rows: int, window: int) -> Load:
    """Tokenise a sample and cut it into batches, at random and by length as Trainer's `group_by_length` does."""
    from headstart.checkpoints import folder

    count = rows * STEPS * ROUNDS
    places = np.random.default_rng(0).permutation(len(texts))[:count]
    encoded = folder.load("minilm").tokenizer.encode([texts[place] for place in places], window)
    ids = [encoded.tokens[a:b].tolist() for a, b in zip(encoded.boundaries, encoded.boundaries[1:], strict=False)]
    # Trainer sorts within 50 batches at a time; here that is all of them. Their order stays random.
    by_length = sorted(ids, key=len, reverse=True)
    order = np.random.default_rng(1).permutation(count // rows)
    cut = [tuple(by_length[place * rows : (place + 1) * rows]) for place in order]
    return Load(name, tuple(tuple(ids[i : i + rows]) for i in range(0, count, rows)), tuple(cut), window)
