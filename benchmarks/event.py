"""Events: the contenders on CASIE, cyber-security news whose documents are longer than a model's window.

They are trained on CASIE's training documents and tested on its test documents, which no contender reads before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks._common import ROOT, answers, percent, record, show, table

CONTENDERS = ("majority", "linear", "finetuned:full")


def main() -> None:
    """Train all contenders (hours on 2 cores; rerun to resume), write the record.

    EVENT_ROWS limits the training documents, EVENT_SEEDS the seeds, EVENT_CONTENDERS names the contenders. With
    EVENT_ROWS or EVENT_CONTENDERS no record is written.
    """
    rows, seeds = int(os.environ.get("EVENT_ROWS", "0")), int(os.environ.get("EVENT_SEEDS", "3"))
    chosen = os.environ.get("EVENT_CONTENDERS", "")
    result = contest(tuple(chosen.split(",")) if chosen else CONTENDERS, rows, seeds)
    lines = [
        [name, *(percent(*(score[end] for end in ("value", "low", "high"))) for score in scores.values())]
        for name, scores in result["scores"].items()
    ]
    scores = table(["contender", *next(iter(result["scores"].values()))], lines)
    if rows or chosen:
        print(scores, *result["verdict"], sep="\n")
        return
    record("event", {"seeds": seeds, **result})
    show("event", scores)


def contest(contenders: tuple[str, ...], rows: int, seeds: int) -> dict[str, Any]:
    """Compare the contenders; return the scores of each by every metric, with intervals."""
    from headstart import compare
    from headstart.core.records import Predictions
    from headstart.metrics import stats
    from headstart.tasks.event import Event

    train, test = (_frame(f"casie_{part}").select("text", "events") for part in ("train", "test"))
    comparison = compare(
        train.head(rows or len(train)),
        task="event",
        test=test,
        contenders=contenders,
        seeds=seeds,
        sizes=("all",),
        out=ROOT / "runs" / f"benchmark-event{rows or ''}",
    )
    splits, task = comparison.result.splits, Event()
    scores = {}
    for name, by_seed in answers(comparison.result).items():
        tallies = [task.tally(Predictions(values), splits.test.targets) for values in by_seed]
        scores[name] = {metric.name: vars(stats.interval(tallies, metric)) for metric in task.metrics}
    return {
        "train_rows": len(splits.train),
        "test_rows": len(splits.test),
        "scores": scores,
        "leaderboard": comparison.leaderboard,
        "verdict": list(comparison.verdict),
    }


def _frame(name: str) -> Any:
    import polars

    folder = Path(os.environ.get("HEADSTART_DATA", ROOT.parent / "shared" / "data"))
    return polars.read_parquet(folder / f"{name}.parquet")
