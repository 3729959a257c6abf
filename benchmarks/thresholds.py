"""Are thresholds per class worth it? Macro-F1 of `linear` on test rows with thresholds of validation rows, and without.

3,000 rows of each data set are drawn and split, three times; thresholds are chosen in each, or none where there is no
evidence on the validation rows that they help. Everything else is the same. THRESHOLDS_ROWS of them for a small try.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import data, percent, record, show, table
from headstart import tasks
from headstart.contenders.linear import Linear
from headstart.contest import confidence, thresholds
from headstart.core.records import Rows, Run, Splits
from headstart.core.tally import named
from headstart.data.split import split
from headstart.metrics import stats

METRIC, SEEDS = "macro-F1", 3
ROWS = int(os.environ.get("THRESHOLDS_ROWS", "3000"))
SETS = ("sms_spam", "trec_train", "chnsenticorp_hotel", "multiemo_hotels_sentences_en")


def main() -> None:
    """Train and judge (about three minutes of one core), and write the record."""
    results: dict[str, Any] = {}
    for name in SETS:
        results[name] = [judged(*parts(name, seed)) for seed in range(SEEDS)]
        record("thresholds", {"metric": METRIC, "rows": ROWS, "contender": "linear", "results": results})
    shown(results)


def shown(results: dict[str, Any]) -> None:
    """Put the table of a record into the page."""
    lines = []
    for name, runs in results.items():
        without, after = (100 * np.mean([run[key] for run in runs]) for key in ("without", "with"))
        best, worst = (by(runs, key=first_gain)["gain"] for by in (max, min))
        used = sum(run["used"] for run in runs)
        lines.append(
            [
                f"{name} ({runs[0]['classes']})",
                f"{used} of {SEEDS}",
                f"{without:.1f}",
                f"{after:.1f}",
                percent(*worst, "+"),
                percent(*best, "+"),
            ]
        )
    header = ["data (classes)", "used in", "macro-F1 without", "with", "least gain, points", "largest gain"]
    show("thresholds", table(header, lines))


def first_gain(run: dict[str, Any]) -> float:
    gain: float = run["gain"][0]
    return gain


def parts(name: str, seed: int) -> tuple[Splits, int]:
    """Read and split a data set."""
    texts, labels = data(name)
    places = np.random.default_rng(seed).permutation(len(texts))[:ROWS].tolist()
    rows = Rows(
        tuple(map(str, places)), tuple(texts[place] for place in places), tuple(str(labels[place]) for place in places)
    )
    return split(rows, tasks.load("classification"), seed=seed), seed


def judged(splits: Splits, seed: int) -> dict[str, Any]:
    """Train on a split; score with the chosen thresholds and without."""
    task = tasks.load("classification").fitted(splits.train)
    with tempfile.TemporaryDirectory() as folder:
        fitted = Linear().fit(splits.train, splits.validation, task, Run(seed, Path(folder), metric=METRIC))
    fitted, _ = confidence.calibrated(fitted, splits.validation)
    changed = thresholds.chosen(fitted, splits.validation, METRIC)
    metric = named(task.metrics, METRIC)
    tallies = [task.tally(model.predict(splits.test.inputs), splits.test.targets) for model in (changed, fitted)]
    gain = stats.compare(tallies[:1], tallies[1:], metric).difference
    return {
        "rows": {part: len(getattr(splits, part)) for part in ("train", "validation", "test")},
        "classes": len(task.classes),
        "used": changed is not fitted,
        "without": float(metric.of(tallies[1].total)),
        "with": float(metric.of(tallies[0].total)),
        "gain": [gain.value, gain.low, gain.high],
    }
