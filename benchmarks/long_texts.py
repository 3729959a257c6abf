"""What is reading the rest of a long text worth? IMDB reviews, MiniLM with all weights trained, one seed.

The same rows, read up to 128 or 512 tokens, or beyond that: the beginning and the end, or all tokens in windows whose
states are averaged or of whose values the largest are taken. Differences from 512 tokens are paired over the same test
rows, over all of them and over those that 512 tokens truncate.

LONG_TEXTS_ROWS tries it on so many training and test rows; no record is then written.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._common import data, paired, percent, record, score_interval, show, table

TRAIN, VALIDATION, TEST = 4000, 400, 2000
REFERENCE = "first 512"
# What is compared -> tokens of a window, and the option.
WAYS: dict[str, tuple[int, str]] = {
    "first 128": (128, "first"),
    REFERENCE: (512, "first"),
    "head-tail 512": (512, "head-tail"),
    "mean of windows": (512, "mean"),
    "max of windows": (512, "max"),
}


def main() -> None:
    """Train and test every way (hours on 2 cores) and write the record."""
    import numpy as np
    import torch

    from headstart.checkpoints import folder as checkpoints
    from headstart.tasks.classification import Classification

    few = int(os.environ.get("LONG_TEXTS_ROWS", "0"))
    train = _part("imdb_train", (few or TRAIN) + (few or VALIDATION))
    train, validation = train.take(range(few or TRAIN)), train.take(range(few or TRAIN, len(train)))
    test = _part("imdb_test", few or TEST)
    task = Classification().fitted(train)
    tokenizer = checkpoints.load("minilm").tokenizer
    whole = tokenizer.encode_whole(test.inputs).lengths
    longer = np.flatnonzero(whole > tokenizer.window - 2)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    answers: dict[str, tuple[str, ...]] = {}
    results = []
    for name, (window, long) in WAYS.items():
        began = time.perf_counter()
        fitted = _fitted(window, long, train, validation, task, device)
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        answers[name] = tuple(fitted.predict(test.inputs).values)
        results.append(
            {
                "way": name,
                "window": window,
                "long": long,
                "accuracy": vars(score_interval(test.targets, [answers[name]], "accuracy")),
                "cut_off": fitted.cut_off(test.inputs),
                "train_seconds": seconds,
                "texts_per_second": len(test) / (time.perf_counter() - began),
            }
        )
    for entry in results:
        for part, rows in (("all", np.arange(len(test))), ("longer", longer)):
            targets = [test.targets[row] for row in rows]
            one, other = ([answers[name][row] for row in rows] for name in (entry["way"], REFERENCE))
            compared = paired(targets, [one], [other], "accuracy")
            entry[f"difference_{part}"] = {**vars(compared.difference), "p_value": compared.p_value}
    shown = [
        [
            entry["way"],
            percent(*(entry["accuracy"][name] for name in ("value", "low", "high"))),
            f"{100 * entry['cut_off']:.1f}",
            *("" if entry["way"] == REFERENCE else _points(entry[f"difference_{part}"]) for part in ("all", "longer")),
            f"{entry['train_seconds'] / 60:.1f}",
            f"{entry['texts_per_second']:.0f}",
        ]
        for entry in results
    ]
    heads = [
        "reads",
        "test accuracy, %",
        "cut off, %",
        f"from {REFERENCE}, points",
        "of longer texts",
        "minutes",
        "texts/s",
    ]
    text = table(heads, shown)
    if few:
        print(text)
        return
    sizes = {"train_rows": len(train), "test_rows": len(test), "longer_test_rows": len(longer)}
    record("long_texts", {"seeds": 1, "device": device, **sizes, "results": results})
    show("long_texts", text)


def _fitted(window: int, long: str, train: Any, validation: Any, task: Any, device: str) -> Any:
    """Fine-tune MiniLM with a window."""
    import torch

    from headstart.checkpoints import folder as checkpoints
    from headstart.contenders import _neural
    from headstart.core.long_texts import LongTexts
    from headstart.core.records import Run
    from headstart.strategies.full import Full
    from headstart.training.loop import Settings

    torch.manual_seed(0)
    checkpoint = checkpoints.load("minilm", head=task.head())
    checkpoint.tokenizer.window = window
    strategy = Full()
    settings = Settings(epochs=strategy.epochs)
    with tempfile.TemporaryDirectory() as place:
        return _neural.fit(
            "finetuned",
            checkpoint,
            train,
            validation,
            task,
            dataclasses.replace(Run(0, Path(place) / "run"), device=device),
            strategy=strategy,
            settings=settings,
            long=LongTexts(long),  # type: ignore[arg-type]  # one of its ways
        )


def _part(name: str, rows: int) -> Any:
    """Read so many rows, evenly spread over the file."""
    import numpy as np

    from headstart.core.records import Rows

    texts, labels = data(name)
    chosen = np.random.default_rng(0).permutation(len(texts))[:rows].tolist()
    return Rows(tuple(map(str, chosen)), tuple(texts[i] for i in chosen), tuple(str(labels[i]) for i in chosen))


def _points(difference: dict[str, float]) -> str:
    return percent(*(difference[name] for name in ("value", "low", "high")), "+")
