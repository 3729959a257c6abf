"""Entities: a training step beside Hugging Face's, and the contenders on WNUT17, MSRA and People's Daily.

A step is forward, backward, clipping and AdamW on 32 sentences of WNUT17. The references are
`AutoModelForTokenClassification` with the same weights, padded to 128 tokens (the usual example) and to the longest
sentence of the batch. Times are medians over rounds, in microseconds per token without padding. Dropout is off on both
sides, so that the losses of the first step can be compared.

Then the contenders are trained and tested on the data sets' own test parts.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import ROOT, percent, record, show, table, transformers, versions
from benchmarks._steps import packed_step

ROUNDS, STEPS, WARM, BATCH = 3, 3, 1, 32
WINDOW = 128
CONTENDERS = ("majority", "linear", "scratch", "finetuned:full")
OURS, LONGEST, FIXED = "packed", "padded to the longest", f"padded to {WINDOW}"
CHINESE = "hf://google-bert/bert-base-chinese"


def main() -> None:
    """Measure steps (a minute) and train all contenders (hours on 2 cores; rerun to resume), write the record.

    NER_ROWS limits the training rows of each data set, NER_SEEDS the seeds, NER_DATA names the data sets, NER_CHINESE
    the backbone of the Chinese ones. With NER_ROWS no record is written; 0 seeds measure only steps.
    """
    rows, seeds = int(os.environ.get("NER_ROWS", "0")), int(os.environ.get("NER_SEEDS", "3"))
    chosen = os.environ.get("NER_DATA", ",".join(PARTS)).split(",")
    speed = steps()
    results = {name: contest(name, rows, seeds) for name in chosen} if seeds else {}
    times = [[name, f"{us:.0f}", f"{us / speed['us'][OURS]:.2f}"] for name, us in speed["us"].items()]
    steps_shown = table(["step", "us a token", "times slower than ours"], times)
    lines = [
        [name, line["contender"], percent(line["score"], line["low"], line["high"])]
        for name, result in results.items()
        for line in result["leaderboard"]
    ]
    scores = table(["data", "contender", "entity F1, %"], lines)
    if rows or not seeds:
        print(speed, steps_shown, scores, sep="\n")
        return
    record("ner", {"seeds": seeds, "versions": versions("transformers"), "steps": speed, "results": results})
    show("ner-steps", steps_shown)
    show("ner", scores)


def steps() -> dict[str, Any]:
    """Time a step of each kind, alternating; microseconds per token without padding, and the difference of losses."""
    import torch

    from headstart.checkpoints import folder, hub
    from headstart.core.records import Rows
    from headstart.tasks.ner import Ner

    task = Ner()
    frame = _frame("wnut17_train").head(BATCH * STEPS * ROUNDS)
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


def contest(name: str, rows: int, seeds: int) -> dict[str, Any]:
    """Compare the contenders on a data set; return the leaderboard."""
    from headstart import compare

    train, validation, test = PARTS[name]()
    backbone = "minilm" if name == "wnut17" else os.environ.get("NER_CHINESE", CHINESE)
    comparison = compare(
        train.head(rows or len(train)),
        task="ner",
        validation=validation,
        test=test,
        contenders=CONTENDERS,
        backbone=backbone,
        seeds=seeds,
        sizes=("all",),
        out=ROOT / "runs" / f"benchmark-ner{rows or ''}" / name,
    )
    splits = comparison.result.splits
    return {
        "backbone": backbone,
        "train_rows": len(splits.train),
        "test_rows": len(splits.test),
        "leaderboard": comparison.leaderboard,
        "verdict": list(comparison.verdict),
    }


def wnut17() -> tuple[Any, Any, Any]:
    """Read the three parts of WNUT17, noisy English."""
    train, validation, test = (_frame(f"wnut17_{part}") for part in ("train", "dev", "test"))
    return train, validation, test


def msra() -> tuple[Any, Any, Any]:
    """Take the last tenth of MSRA, Chinese news, as test rows; the data have no parts."""
    frame = _frame("msra_ner_zh")
    return frame.head(len(frame) * 9 // 10), None, frame.tail(len(frame) // 10)


def peoples_daily() -> tuple[Any, Any, Any]:
    """Read the three parts of the People's Daily of January 1998."""
    frame = _frame("peoples_daily_ner")
    train, validation, test = (
        frame.filter(frame["part"] == part).select("tokens", "tags") for part in ("train", "dev", "test")
    )
    return train, validation, test


PARTS: dict[str, Callable[[], tuple[Any, Any, Any]]] = {"wnut17": wnut17, "msra": msra, "peoples_daily": peoples_daily}


def _frame(name: str) -> Any:
    import polars

    folder = Path(os.environ.get("HEADSTART_DATA", ROOT.parent / "shared" / "data"))
    return polars.read_parquet(folder / f"{name}.parquet")
