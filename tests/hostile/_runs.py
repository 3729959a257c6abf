"""A tiny comparison for cases that break its folder, and what of its result must not change."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from headstart import api
from headstart.contest import meter

TEXTS = 60
CONTENDERS = ("majority", "scratch", "finetuned:frozen")
OPTIONS = {"scratch.width": 8, "scratch.heads": 2, "scratch.layers": 1, "scratch.epochs": 1}


def data(rows: int = TEXTS) -> tuple[list[str], list[str]]:
    """Make texts whose label is plain from their words, all different."""
    chance = np.random.default_rng(0)
    words = {"bad": ["awful", "broken", "slow", "sad"], "good": ["great", "lovely", "fine", "happy"]}
    labels = ["bad" if number % 3 else "good" for number in range(rows)]
    common = ["film", "box", "music", "room", "river", "road"]
    texts = [
        " ".join([*chance.choice(common, 3), *chance.choice(words[label], 2), f"n{number}"])
        for number, label in enumerate(labels)
    ]
    return texts, labels


@functools.cache
def backbone() -> str:
    """Save a random encoder of BERT's kind, once a process."""
    from headstart.checkpoints import folder
    from headstart.nn.encoder import Encoder
    from headstart.text import vocabulary

    place = Path(scratch().name, "backbone")
    place.mkdir()
    tokenizer = vocabulary.train(data()[0], 120, window=16)
    sizes = {"vocabulary": tokenizer.size, "width": 16, "layers": 2, "heads": 2, "feed_forward": 16, "window": 16}
    torch.manual_seed(0)
    arguments = {**sizes, "dropout": 0.0}
    folder.save(place, Encoder(**arguments), tokenizer, "bert", arguments, None)
    return str(place)


@functools.cache
def scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder that lasts as long as the process."""
    return tempfile.TemporaryDirectory(prefix="hostile-")


def compare(out: Path, contenders: tuple[str, ...] | None = None) -> api.Comparison:
    """Compare contenders on the tiny data in a folder."""
    meter.LATENCY_CALLS = 5  # no case asks how long a prediction takes
    return api.compare(
        data(),
        out=out,
        contenders=contenders or CONTENDERS,
        backbone=backbone(),
        options=OPTIONS if "scratch" in (contenders or CONTENDERS) else {},
        seeds=1,
        sizes=(),
        listener=lambda _: None,
    )


def facts(comparison: api.Comparison) -> dict[str, Any]:
    """List all of a comparison that is no time, no size and no date, and what its best model answers."""
    result = comparison.result
    answers = comparison.best.predict(data()[0][:8])
    return {
        "records": [
            (
                *(record.trial.contender, record.trial.size, record.trial.seed, record.train_rows),
                *(dict(record.scores), dict(record.validation), dict(record.calibration)),
                *(record.predictions.values, record.predictions.classes),
                None if record.predictions.probabilities is None else record.predictions.probabilities.tobytes(),
            )
            for record in result.records
        ],
        "standings": [(s.contender, s.score, s.p_value, s.difference, s.ties) for s in result.standings],
        "skipped": dict(result.skipped),
        "best": (answers.values, answers.probabilities.tobytes()),
    }


@functools.cache
def expected(contenders: tuple[str, ...]) -> dict[str, Any]:
    """Return the facts of the comparison that nobody disturbed."""
    return facts(compare(_undisturbed(contenders), contenders))


def finished(contenders: tuple[str, ...]) -> Path:
    """Return the folder of the comparison that nobody disturbed: copy it before you damage it."""
    expected(contenders)
    return _undisturbed(contenders)


def _undisturbed(contenders: tuple[str, ...]) -> Path:
    return Path(scratch().name, "-".join(contenders).replace(":", "-"))


def leftovers(folder: Path) -> list[str]:
    """List files and folders that are there only while something is written."""
    marks = ("headstart-unfinished-", "headstart-replaced-", ".new", ".part", ".whole")
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if any(mark in path.name for mark in marks) or path.name.startswith(".tmp") or path.parent.name == "work"
    )
