"""Is nothing computed twice? Ten epochs with most of the encoder frozen, compared with Hugging Face, alternating.

With strategy `frozen` only the head is trained, with `partial` also the top two of MiniLM's six blocks. The reference
is `BertForSequenceClassification` with the same weights frozen, in a plain loop that pads to the longest text of the
batch; autograd skips the backward pass of frozen weights, but the forward pass runs in each epoch. It is timed with its
own dropout (hidden and attention 0.1) and without any. Both sides tokenise inside the timed part and evaluate nothing
(ours ends with an evaluation on one row). All epochs of the reference take the same time, so it runs `MEASURED` of them
and its time is multiplied.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import data, record, show, table, transformers, versions

ROUNDS, ROWS, EPOCHS, MEASURED, BATCH = 3, 600, 10, 2, 32
WARM_ROWS = 64
WINDOW = 128
OURS = "Headstart"
PEERS = {"HF": 0.1, "HF, dropout 0": 0.0}
# Trained blocks, and the required speed-up over the reference with its own dropout.
STRATEGIES = {"frozen": (0, 30), "partial": (2, 6)}

Texts = tuple[list[str], list[str]]


def main() -> None:
    """Measure one and two threads (about 20 minutes on an idle machine) and write the record."""
    import torch

    given = data("sst2_train")
    places = np.random.default_rng(0).permutation(len(given[0]))[:ROWS].tolist()
    texts = ([given[0][place] for place in places], [given[1][place] for place in places])
    lines, results = [], []
    for threads in (1, min(2, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        for strategy, (_, goal) in STRATEGIES.items():
            seconds = measure(texts, strategy)
            results.append({"threads": threads, "strategy": strategy, "goal": goal, "seconds": seconds})
            for name in PEERS:
                times = [f"{seconds[name]:.1f}", f"{seconds[OURS]:.1f}", f"{seconds[name] / seconds[OURS]:.1f}"]
                lines.append([strategy, str(threads), name, *times])
    sizes = {"rows": ROWS, "epochs": EPOCHS, "batch": BATCH, "rounds": ROUNDS}
    how = f"the peer's seconds are those of {MEASURED} epochs, times {EPOCHS / MEASURED:g}"
    record("frozen", {**sizes, "extrapolated": how, "peers": versions("transformers"), "results": results})
    show("frozen", table(["strategy", "threads", "against", "its seconds", "ours", "times faster"], lines))


def measure(texts: Texts, strategy: str) -> dict[str, float]:
    """Time ten epochs of every side, alternating; median seconds."""
    runs: dict[str, Callable[[Texts], float]] = {
        name: partial(theirs, STRATEGIES[strategy][0], dropout) for name, dropout in PEERS.items()
    }
    runs[OURS] = partial(ours, strategy)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run((texts[0][:WARM_ROWS], texts[1][:WARM_ROWS]))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            taken[name].append(run(texts))
    return {name: round(statistics.median(values), 2) for name, values in taken.items()}


def ours(strategy: str, texts: Texts) -> float:
    """Train as every contender with a Transformer does; return the seconds from texts to trained model."""
    import torch

    from headstart.checkpoints import folder
    from headstart.contenders import _neural
    from headstart.core import rooms
    from headstart.core.records import Rows, Run
    from headstart.text.tokenizer import Memory
    from headstart.training.loop import Settings

    rows = Rows(tuple(map(str, range(len(texts[0])))), tuple(texts[0]), tuple(texts[1]))
    task = rooms.load("tasks", "classification").fitted(rows)
    torch.manual_seed(0)
    checkpoint = folder.load("minilm", head=task.head())
    checkpoint.tokenizer.memory = Memory()  # not the cache of the previous round, which contains the texts
    learns = rooms.load("strategies", strategy)
    settings = Settings(epochs=EPOCHS, batch_rows=BATCH, evaluations=1)
    with tempfile.TemporaryDirectory() as place:
        run = Run(seed=0, folder=Path(place))
        began = time.perf_counter()
        _neural.fit("finetuned", checkpoint, rows, rows.take([0]), task, run, strategy=learns, settings=settings)
        return time.perf_counter() - began


def theirs(blocks: int, dropout: float, texts: Texts) -> float:
    """Train Hugging Face's model, only head and top blocks unfrozen; return the seconds of all epochs."""
    import torch

    from headstart.checkpoints import hub

    torch.manual_seed(0)
    peer = transformers()
    source = hub.find("minilm")
    model: Any = peer.AutoModelForSequenceClassification.from_pretrained(
        source, num_labels=2, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    model.bert.embeddings.requires_grad_(False)
    model.bert.encoder.layer[: len(model.bert.encoder.layer) - blocks].requires_grad_(False)
    tokenizer = peer.AutoTokenizer.from_pretrained(source)
    learns = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(learns, lr=1e-4, fused=True)
    classes = sorted(set(texts[1]))
    targets = torch.tensor([classes.index(label) for label in texts[1]])
    model.train()
    began = time.perf_counter()
    ids = tokenizer(texts[0], truncation=True, max_length=WINDOW)["input_ids"]
    tokenised = time.perf_counter()
    for epoch in range(MEASURED):
        for rows in batches(len(ids), epoch):
            padded = torch.zeros(len(rows), max(len(ids[row]) for row in rows), dtype=torch.long)
            for line, row in enumerate(rows):
                padded[line, : len(ids[row])] = torch.tensor(ids[row])
            # MiniLM's padding token has id 0, which is used for nothing else.
            model(input_ids=padded, attention_mask=(padded != 0).long(), labels=targets[rows]).loss.backward()
            torch.nn.utils.clip_grad_norm_(learns, 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return tokenised - began + (time.perf_counter() - tokenised) * EPOCHS / MEASURED


def batches(rows: int, epoch: int) -> Iterator[list[int]]:
    """Split a random order of the rows into batches."""
    order = np.random.default_rng(epoch).permutation(rows).tolist()
    for start in range(0, rows, BATCH):
        yield order[start : start + BATCH]
