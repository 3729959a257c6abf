"""What breaks linear models and a frozen MiniLM, and does training on typos help? SST-2, one seed.

`compare --stress --augment typos` on the public split: each contender as it is and trained on copies with typos, on 500
of the test rows, chosen at random, before and after every transformation.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._common import parquet, percent, record, show, table

CONTENDERS = ("linear", "finetuned:frozen")


def main() -> None:
    """Run the comparison (about ten CPU minutes) and write the record."""
    import headstart

    began = time.process_time()
    with tempfile.TemporaryDirectory() as place:
        comparison = headstart.compare(
            parquet("sst2_train"),
            test=parquet("sst2_test"),
            validation=parquet("sst2_dev"),
            contenders=CONTENDERS,
            sizes=("all",),
            seeds=1,
            augment="typos",
            stress=True,
            out=Path(place) / "sst2",
        )
    found = comparison.result.stress
    assert found is not None  # as asked for
    scores = comparison.stress
    names = sorted({score["contender"] for score in scores}, key=lambda name: (not name.startswith("linear"), name))
    by = {(score["transformation"], score["contender"]): score for score in scores}
    lines = [["as they are", *(f"{100 * by[scores[0]['transformation'], name]['before']:.1f}" for name in names)]]
    for transformation in found.promises:
        lines.append([transformation, *(_cell(by[transformation, name]) for name in names)])
    record(
        "stress",
        {
            "data": "sst2",
            "rows": found.rows,
            "test_rows": found.all_rows,
            "seeds": 1,
            "cpu_seconds": time.process_time() - began,
            "test_accuracy": {line["contender"]: line["score"] for line in comparison.leaderboard},
            "left_out": dict(found.left_out),
            "scores": scores,
        },
    )
    show("stress", table(["accuracy, %, and change in points", *names], lines))


def _cell(score: dict[str, Any]) -> str:
    """Write the score after a transformation and its change, or how many predictions are altered."""
    loss = score["loss"]
    if loss is None:
        return f"{100 * score['altered']:.0f} % altered"
    return f"{100 * score['after']:.1f}, {percent(0.0 - loss['value'], -loss['high'], -loss['low'], '+')}"
