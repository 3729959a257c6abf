"""Entities: a training step beside Hugging Face's.

A step is forward, backward, clipping and AdamW on 32 sentences of WNUT17. The references are
`AutoModelForTokenClassification` with the same weights, padded to 128 tokens (the usual example) and to the longest
sentence of the batch. Times are medians over rounds, in microseconds per token without padding. Dropout is off on both
sides, so that the losses of the first step can be compared.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._common import parquet, record, show, table, transformers, versions
from benchmarks._steps import packed_step

ROUNDS, STEPS, WARM, BATCH = 3, 3, 1, 32
WINDOW = 128
OURS, LONGEST, FIXED = "packed", "padded to the longest", f"padded to {WINDOW}"


def main() -> None:
    """Measure steps (a minute) and write the record."""
    speed = steps()
    record("ner", {"versions": versions("transformers"), **speed})
    times = [[name, f"{us:.0f}", f"{us / speed['us'][OURS]:.2f}"] for name, us in speed["us"].items()]
    show("ner-steps", table(["step", "us a token", "times slower than ours"], times))


def steps() -> dict[str, Any]:
    """Time a step of each kind, alternating; microseconds per token without padding, and the difference of losses."""
    import polars
    import torch

    from headstart.checkpoints import folder, hub
    from headstart.core.records import Rows
    from headstart.tasks.ner import Ner

    task = Ner()
    frame = polars.read_parquet(parquet("wnut17_train")).head(BATCH * STEPS * ROUNDS)
    cells = zip(frame["tokens"].to_list(), frame["tags"].to_list(), strict=True)
    read = [task.read({"text": words, "entities": tags}) for words, tags in cells]
    rows = Rows(tuple(map(str, range(len(read)))), *(tuple(side) for side in zip(*read, strict=True)))
    task = task.fitted(rows)
    torch.manual_seed(0)
    ours: Any = folder.load("minilm", head=task.head(), dropout=0.0)
    ours.tokenizer.window = WINDOW
    encoded = task.encode(rows.inputs, ours.tokenizer)
    targets = task.targets(rows, encoded)
    peer = transformers().AutoModelForTokenClassification.from_pretrained(
        hub.find("minilm"),
        num_labels=len(task.head().labels),
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="sdpa",
    )
    with torch.no_grad():
        peer.classifier.weight.copy_(ours.model.head.output.weight)
        peer.classifier.bias.copy_(ours.model.head.output.bias)
    count = len(encoded.boundaries) - 1
    batches = [np.arange(start, start + BATCH) for start in range(0, count - BATCH + 1, BATCH)]
    run: dict[str, Callable[[np.ndarray], float]] = {
        OURS: packed_step(ours.model, encoded, targets),
        LONGEST: padded_step(peer, encoded, targets, None),
        FIXED: padded_step(peer, encoded, targets, WINDOW),
    }
    taken: dict[str, list[float]] = {name: [] for name in run}
    first = {OURS: run[OURS](batches[0]), LONGEST: run[LONGEST](batches[0])}
    for turn in range(-WARM, ROUNDS * STEPS):
        batch = batches[turn % len(batches)]
        for name, step in run.items():
            began = time.perf_counter()
            step(batch)
            if turn >= 0:
                seconds = time.perf_counter() - began
                taken[name].append(1e6 * seconds / int(encoded.sequence_lengths[batch].sum()))
    return {
        "us": {name: round(statistics.median(values), 1) for name, values in taken.items()},
        "threads": torch.get_num_threads(),
        "sentences": BATCH,
        "difference_of_losses": abs(first[OURS] - first[LONGEST]),
    }


def padded_step(model: Any, encoded: Any, targets: Any, window: int | None) -> Callable[[np.ndarray], float]:
    """Build Hugging Face's step, padded to a window or to the longest sentence of the batch; it returns the loss."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=True)

    def step(rows: np.ndarray) -> float:
        model.train()
        lengths = encoded.sequence_lengths[rows].tolist()
        shape = len(lengths), window or max(lengths)
        ids, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long)
        labels = torch.full(shape, -100)
        for row, (sequence, length) in enumerate(zip(rows, lengths, strict=True)):
            place = slice(encoded.boundaries[sequence], encoded.boundaries[sequence + 1])
            ids[row, :length] = torch.from_numpy(encoded.tokens[place].astype(np.int64))
            labels[row, :length] = torch.from_numpy(targets.values[place])
            mask[row, :length] = 1
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step
