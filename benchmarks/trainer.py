"""How long does it take from a file to a saved model? Compared with Hugging Face's `Trainer`, alternating.

Both read the same CSV files, load MiniLM, tokenise, train for one epoch with the same number of optimiser steps,
learning rate, warm-up, decay and clipping, evaluate once, write a checkpoint with the optimiser's state, and save the
model. `Trainer` pads to the longest text of the batch (its default), or also groups texts by length; the last reference
has no attention dropout, like ours. Afterwards the same code opens each saved folder and computes its validation
accuracy, to show that both train equally well (with so few steps, the variance is large).
"""

from __future__ import annotations

import csv
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import data, record, show, table, transformers, versions

ROUNDS = 3
SENTENCES, REVIEWS = 1500, 96
SENTENCES_HELD_OUT, REVIEWS_HELD_OUT = 300, 24
WARM_BATCHES = 2
RATE, WARMUP, DECAY = 1e-4, 0.1, 0.01
GROUPED = {"train_sampling_strategy": "group_by_length"}
# Arguments of the training, settings of the model.
PEERS: dict[str, tuple[dict[str, str], dict[str, float]]] = {
    "Trainer": ({}, {}),
    "Trainer, grouped": (GROUPED, {}),
    "Trainer, grouped, no attention dropout": (GROUPED, {"attention_probs_dropout_prob": 0.0}),
}
OURS = "Headstart"
# Required speed-ups over each reference with sentences.
GOALS = {"Trainer": 3.5, "Trainer, grouped": 1.8}


@dataclass(frozen=True)
class Load:
    """A training file, a validation file, and the number of rows per batch."""

    name: str
    train: Path
    validation: Path
    batch_rows: int


def main() -> None:
    """Measure one and two threads (about 40 minutes on an idle machine) and write the record."""
    import torch

    lines, results = [], []
    both = min(2, os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        sentences = load("sentences", "sst2_train", "sst2_dev", SENTENCES, SENTENCES_HELD_OUT, 32, folder)
        reviews = load("reviews", "imdb_train", "imdb_test", REVIEWS, REVIEWS_HELD_OUT, 8, folder)
        for given, threads in ((sentences, 1), (sentences, both), (reviews, both)):
            torch.set_num_threads(threads)
            measured = measure(given, folder)
            results.append({"threads": threads, "load": given.name, **measured})
            seconds, right = measured["seconds"], measured["accuracy"]
            for name in PEERS:
                ratio = f"{seconds[name] / seconds[OURS]:.2f}"
                times = [f"{seconds[name]:.1f}", f"{seconds[OURS]:.1f}", ratio]
                lines.append([given.name, str(threads), name, *times, *(f"{100 * right[x]:.1f}" for x in (name, OURS))])
    sizes = {"sentences": SENTENCES, "reviews": REVIEWS, "rounds": ROUNDS}
    record("trainer", {**sizes, "goals": GOALS, "peers": versions("transformers", "accelerate"), "results": results})
    header = ["texts", "threads", "against", "its seconds", "ours", "times faster", "its accuracy, %", "ours"]
    show("trainer", table(header, lines))


def load(name: str, train: str, validation: str, rows: int, held_out: int, batch_rows: int, folder: Path) -> Load:
    """Write samples of two data sets as CSV files."""
    files = []
    for source, count in ((train, rows), (validation, held_out)):
        texts, labels = data(source)
        files.append(folder / f"{name}-{source}.csv")
        with files[-1].open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            chosen = np.random.default_rng(0).permutation(len(texts))[:count].tolist()
            writer.writerows((texts[place], labels[place]) for place in chosen)
    return Load(name, files[0], files[1], batch_rows)


def measure(given: Load, folder: Path) -> dict[str, Any]:
    """Time every run, alternating, each in its own folder: median seconds, and mean accuracy (0 to 1).

    Each round has its own seed, the same for all, which determines the order of the rows and the new weights.
    """
    runs: dict[str, Callable[[Load, Path, int], int]] = {name: partial(theirs, *how) for name, how in PEERS.items()}
    runs[OURS] = ours
    taken: dict[str, list[float]] = {name: [] for name in runs}
    accuracy: dict[str, list[float]] = {name: [] for name in runs}
    steps = set()
    warm = cut(given, WARM_BATCHES * given.batch_rows, folder)
    for turn in range(ROUNDS + 1):
        for name, run in runs.items():
            with tempfile.TemporaryDirectory(dir=folder) as place:
                began = time.perf_counter()
                done = run(given if turn else warm, Path(place), turn)
                seconds = time.perf_counter() - began
                if turn:
                    taken[name].append(seconds)
                    steps.add(done)
                    accuracy[name].append(right(Path(place) / "model", given))
    if len(steps) > 1:
        sys.exit(f"the runs took different numbers of steps, {sorted(steps)}: their times cannot be compared.")
    means = {name: statistics.fmean(values) for name, values in accuracy.items()}
    medians = {name: round(statistics.median(values), 2) for name, values in taken.items()}
    return {"steps": steps.pop(), "seconds": medians, "all_seconds": taken, "accuracy": means}


def ours(given: Load, out: Path, seed: int) -> int:
    """Fine-tune as `contenders.finetuned` does, but for one epoch whatever the number of rows; return the steps."""
    import torch

    from headstart.checkpoints import folder
    from headstart.contenders import _neural
    from headstart.core import rooms
    from headstart.core.records import Run
    from headstart.reading import read
    from headstart.strategies.full import Full
    from headstart.text.tokenizer import Memory
    from headstart.training.loop import Settings

    train, validation = (
        read(given.train, task="classification").rows,
        read(given.validation, task="classification").rows,
    )
    task = rooms.load("tasks", "classification").fitted(train)
    torch.manual_seed(seed)
    checkpoint = folder.load("minilm", head=task.head())
    checkpoint.tokenizer.memory = Memory()  # not the cache of the previous round, which contains the texts
    settings = Settings(epochs=1, batch_rows=given.batch_rows, warmup=WARMUP, weight_decay=DECAY, evaluations=1)
    strategy = Full(learning_rate=RATE, layer_decay=1.0, epochs=1)
    fitted = _neural.fit(
        "finetuned",
        checkpoint,
        train,
        validation,
        task,
        Run(seed=seed, folder=out / "training"),
        strategy=strategy,
        settings=settings,
    )
    fitted.save(out / "model")
    return settings.steps(len(train))


def theirs(arguments: dict[str, str], settings: dict[str, float], given: Load, out: Path, seed: int) -> int:
    """Fine-tune with `Trainer`; return the steps.

    Args:
        arguments: further arguments of the training.
        settings: settings of the model that replace its own.
        given: the files.
        out: output folder.
        seed: random seed.
    """
    from headstart.checkpoints import hub

    peer = transformers()
    peer.set_seed(seed)
    source = hub.find("minilm")
    tokenizer = peer.AutoTokenizer.from_pretrained(source)
    parts: list[list[dict[str, Any]]] = []
    classes: list[str] = []
    for path in (given.train, given.validation):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        classes = classes or sorted({row["label"] for row in rows})
        encoded = tokenizer([row["text"] for row in rows], truncation=True, max_length=512)
        parts.append(
            [
                {"input_ids": ids, "attention_mask": mask, "labels": classes.index(row["label"])}
                for ids, mask, row in zip(encoded["input_ids"], encoded["attention_mask"], rows, strict=True)
            ]
        )
    model = peer.AutoModelForSequenceClassification.from_pretrained(
        source,
        id2label=dict(enumerate(classes)),
        label2id={name: number for number, name in enumerate(classes)},
        **settings,
    )
    trainer = peer.Trainer(
        model=model,
        args=peer.TrainingArguments(
            output_dir=str(out / "training"),
            num_train_epochs=1,
            per_device_train_batch_size=given.batch_rows,
            per_device_eval_batch_size=given.batch_rows,
            learning_rate=RATE,
            warmup_steps=WARMUP,  # below 1 it is a share of all steps
            weight_decay=DECAY,
            max_grad_norm=1.0,
            eval_strategy="epoch",
            save_strategy="epoch",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            seed=seed,
            **arguments,
        ),
        train_dataset=parts[0],
        eval_dataset=parts[1],
        data_collator=peer.DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=lambda seen: {"accuracy": float((seen.predictions.argmax(1) == seen.label_ids).mean())},
    )
    trainer.remove_callback(peer.PrinterCallback)
    trainer.train()
    trainer.save_model(str(out / "model"))
    return int(trainer.state.global_step)


def right(model: Path, given: Load) -> float:
    """Open a saved model and compute its accuracy (0 to 1) on the validation file."""
    from headstart.checkpoints import folder
    from headstart.contenders import _neural
    from headstart.core import rooms
    from headstart.reading import read

    rows = read(given.validation, task="classification").rows
    checkpoint = folder.load(model)
    task = rooms.load("tasks", "classification", {"classes": checkpoint.head.labels})
    predictions = _neural.Neural("finetuned", task, checkpoint, 0).predict(rows.inputs)
    return float(np.mean(np.array(predictions.values) == np.array(rows.targets)))


def cut(given: Load, rows: int, folder: Path) -> Load:
    """Write the first rows of a load as a separate load."""
    files = []
    for path in (given.train, given.validation):
        with path.open(encoding="utf-8", newline="") as file:
            chosen = list(csv.reader(file))[: rows + 1]
        files.append(folder / f"warm-{path.name}")
        with files[-1].open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(chosen)
    return Load(given.name, files[0], files[1], given.batch_rows)
