"""Is a cascade worth it? The cheap member's share of the texts, throughput and score, beside the expensive one alone.

`cascade` sends the texts that `linear` is unsure of to `finetuned:full`; the threshold is chosen on validation rows.
Each data set is one comparison with one seed, in which nothing is trained twice. All contenders train on the same 500
rows, `finetuned:full` for three epochs. Both models then predict the same test texts in turns, on one thread, and their
processor time counts. The record also has the calibration errors of all three before and after their temperatures,
which the same validation rows chose.

CASCADE_ROWS tries it on at most so many training rows.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._common import ROOT, answers, data, paired, percent, record, score_interval, show, table

CHEAP, EXPENSIVE, CASCADE = "linear", "finetuned:full", "cascade"
Texts = tuple[tuple[str, ...], tuple[str, ...]]
ROUNDS, TIMED = 3, 50
MOST = int(os.environ.get("CASCADE_ROWS", "500"))
EPOCHS = 3
GOAL = 3.0  # times the throughput


@dataclass(frozen=True)
class Setting:
    """How a data set is used.

    train: name of the file with training rows.
    rows: training rows, drawn at random, None for all.
    test: name of the file with test rows; '' for rows of the training file that follow those of validation.
    test_rows: test rows, drawn likewise.
    validation_rows: as many that follow the training rows.
    metric: the score that decides.
    """

    train: str
    rows: int | None = None
    test: str = ""
    test_rows: int | None = None
    validation_rows: int = 0
    metric: str = "accuracy"


SETTINGS = {
    "sms_spam": Setting("sms_spam", rows=MOST, test_rows=500, validation_rows=300, metric="macro-F1"),
    "imdb": Setting("imdb_train", rows=MOST, test="imdb_test", test_rows=200, validation_rows=100),
    "trec": Setting("trec_train", rows=MOST, test="trec_test", validation_rows=300),
    "sst2": Setting("sst2_train", rows=MOST, test="sst2_test", test_rows=500, validation_rows=300),
}


def main() -> None:
    """Run the comparisons (about 20 minutes of one core; rerun to resume) and write the record."""
    import torch

    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    for name, setting in SETTINGS.items():
        results[name] = measured(name, setting)
        record("cascade", {"goal": GOAL, "timed_texts": TIMED, "rounds": ROUNDS, "epochs": EPOCHS, "results": results})
    shown(results)


def shown(results: dict[str, Any]) -> None:
    """Put the tables of a record into the pages."""
    show(
        "cascade",
        table(
            ["data", "share of `linear`", "times the throughput", "score", "from `finetuned:full`"],
            [
                [
                    name,
                    f"{100 * found['share']:.0f} %",
                    f"{found['times']:.1f}",
                    percent(*found["scores"][CASCADE]),
                    percent(*found["difference"], "+") + (", a tie" if found["p_value"] > 0.05 else ""),
                ]
                for name, found in results.items()
            ],
        ),
    )
    lines = []
    for name, found in results.items():
        for contender, scores in found["calibration"].items():
            before, after = (
                percent(*(scores[f"{key}{end}"] for end in ("", "_low", "_high"))) for key in ("ece_before", "ece")
            )
            lines.append([name, contender, f"{scores['temperature']:.2f}", before, after])
    show("calibration", table(["data", "contender", "temperature", "ECE before, points", "ECE after"], lines))


def measured(name: str, setting: Setting) -> dict[str, Any]:
    """Compare on one data set and time the models."""
    from headstart import compare

    comparison = compare(
        some(setting.train, setting.rows),
        test=tested(setting),
        validation=held_out(setting),
        task="classification",
        contenders=(CHEAP, EXPENSIVE, CASCADE),
        metric=setting.metric,
        sizes=("all",),
        seeds=1,
        options={"finetuned.epochs": EPOCHS},
        device="cpu",
        out=ROOT / "runs" / f"benchmark-cascade-{name}",
    )
    result = comparison.result
    test, given = result.splits.test, answers(result)
    difference = paired(test.targets, given[CASCADE], given[EXPENSIVE], setting.metric)
    models = saved(comparison)
    timed = [test.inputs[place] for place in np.linspace(0, len(test) - 1, min(TIMED, len(test))).astype(int)]
    milliseconds = times({each: models[each] for each in (CASCADE, EXPENSIVE)}, timed)
    cascade = models[CASCADE]
    sure = cascade.cheap.predict(test.inputs).probabilities.max(axis=1) >= cascade.threshold
    interval = difference.difference
    return {
        "rows": {part: len(getattr(result.splits, part)) for part in ("train", "validation", "test")},
        "metric": setting.metric,
        "threshold": cascade.threshold,
        "share": float(sure.mean()),
        "milliseconds": milliseconds,
        "times": milliseconds[EXPENSIVE] / milliseconds[CASCADE],
        "scores": {
            each: [score.value, score.low, score.high]
            for each in given
            for score in [score_interval(test.targets, given[each], setting.metric)]
        },
        "difference": [interval.value, interval.low, interval.high],
        "p_value": difference.p_value,
        "calibration": {entry.trial.contender: dict(entry.calibration) for entry in result.records},
    }


def tested(setting: Setting) -> Texts:
    """Return the test rows of a data set: of a file of their own, or those that follow the validation rows."""
    if setting.test:
        return some(setting.test, setting.test_rows)
    return some(setting.train, setting.test_rows, (setting.rows or 0) + setting.validation_rows)


def held_out(setting: Setting) -> Texts:
    """Return the validation rows of a data set."""
    return some(setting.train, setting.validation_rows, setting.rows or 0)


def some(name: str, rows: int | None, after: int = 0) -> Texts:
    """Return texts, each once, and labels of a file: all, or some in a random order, after as many others."""
    labels = dict(zip(*data(name), strict=True))
    texts = list(labels)
    order = np.random.default_rng(0).permutation(len(texts)).tolist()
    places = range(len(texts)) if rows is None else order[after : after + rows]
    return tuple(texts[place] for place in places), tuple(labels[texts[place]] for place in places)


def saved(comparison: Any) -> dict[str, Any]:
    """Open the models of a comparison by contender."""
    from headstart import open_model

    notes = sorted((comparison.result.folder / "models").glob("*.json"))
    return {
        json.loads(note.read_text(encoding="utf-8"))["contender"]: open_model(note.with_suffix("")) for note in notes
    }


def times(models: dict[str, Any], texts: Sequence[str]) -> dict[str, float]:
    """Time the models in turns: the median processor time in milliseconds per text."""
    taken: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(ROUNDS + 1):  # the first one is the warm-up
        for name, model in models.items():
            began = time.process_time()
            model.predict(texts)
            if turn:
                taken[name].append(1000 * (time.process_time() - began) / len(texts))
    return {name: statistics.median(values) for name, values in taken.items()}
