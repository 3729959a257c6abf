"""What do contenders reach on pairs of texts and on marked relations? VitaminC and SemEval-2010 task 8, one seed.

Scores with intervals on the data sets' own test parts, next to published figures. Groups are those of the evidence for
VitaminC, whose parts share none; SemEval has no development part, so a tenth of its training rows is split off.

PAIRS_ROWS tries it on so many training rows; no record is then written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benchmarks._common import ROOT, percent, record, show, table, versions

CONTENDERS = ("majority", "linear", "finetuned")
STRATEGIES = ("full", "frozen")
# Task -> data set and figure of others, with its source.
PUBLISHED = {
    "pairs": ("VitaminC", "majority 49.9, overlap features 54.0 (scikit-learn, same parts)"),
    "relation": ("SemEval-2010 task 8", "89.3 (R-BERT with BERT-base, Wu & He 2019)"),
}


def main() -> None:
    """Run both comparisons (about 30 minutes on 2 idle cores; rerun to resume) and write the record."""
    rows = int(os.environ.get("PAIRS_ROWS", "0"))
    folder = ROOT / "runs" / f"benchmark-pairs{rows or ''}"
    lines: list[list[str]] = []
    results: dict[str, Any] = {}
    for task, (train, validation, test) in (("pairs", vitaminc(rows)), ("relation", semeval(rows))):
        results[task] = compared(task, train, validation, test, folder / task)
        for line in results[task]["leaderboard"]:
            interval = percent(line["score"], line["low"], line["high"])
            minutes = f"{line['train_seconds'] / 60:.1f}"
            lines.append([PUBLISHED[task][0], line["contender"], results[task]["metric"], interval, minutes])
        lines.append([PUBLISHED[task][0], "published", "", PUBLISHED[task][1], ""])
    text = table(["data", "contender", "metric", "test score, %", "minutes"], lines)
    if rows:
        print(text)
        return
    record("pairs", {"seeds": 1, "versions": versions("transformers"), "results": results})
    show("pairs", text)


def compared(task: str, train: Any, validation: Any, test: Any, out: Path) -> dict[str, Any]:
    """Compare the contenders; return metric and leaderboard."""
    from headstart import compare

    comparison = compare(
        train,
        task=task,
        validation=validation,
        test=test,
        contenders=CONTENDERS,
        strategies=STRATEGIES,
        seeds=1,
        sizes=("all",),
        out=out,
    )
    return {
        "metric": comparison.result.metric,
        "train_rows": len(comparison.result.splits.train),
        "test_rows": len(comparison.result.splits.test),
        "leaderboard": comparison.leaderboard,
        "verdict": list(comparison.verdict),
    }


def vitaminc(rows: int) -> tuple[Any, Any, Any]:
    """Read the three parts: evidence, claim and label."""
    frame = _frame("vitaminc").select("evidence", "claim", "label", "part")
    train, validation, test = (frame.filter(frame["part"] == part).drop("part") for part in ("train", "dev", "test"))
    return train.head(rows or len(train)), validation, test


def semeval(rows: int) -> tuple[Any, None, Any]:
    """Read both parts: a text with marks and a directed label."""
    train, test = (_frame(f"semeval2010_{part}") for part in ("train", "test"))
    return train.head(rows or len(train)), None, test


def _frame(name: str) -> Any:
    import polars

    folder = Path(os.environ.get("HEADSTART_DATA", ROOT.parent / "shared" / "data"))
    return polars.read_parquet(folder / f"{name}.parquet")
