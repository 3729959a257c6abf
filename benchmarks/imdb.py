"""What is pretraining on one's own text worth where no outside weights are at hand? IMDB reviews, its own test rows.

`selfpretrained` reads the 25,000 training texts and 50,000 unlabelled ones, about 20 minutes long, and is fine-tuned;
`scratch` and `linear` see the training rows alone. Nothing of the test rows is read by anybody before the judgement.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks._common import ROOT, data, record, show, spread, table

SEEDS = 1
# Of the training and of the test rows, and twice as many unlabelled ones: a few hundred for a dry run.
ROWS = int(os.environ.get("HEADSTART_ROWS", "25000"))
OPTIONS: dict[str, Any] = {"pretraining_minutes": 20.0}


def main() -> None:
    """Run the comparison (about an hour on 2 cores; an interrupted one goes on) and write the record."""
    from headstart import compare

    found = compare(
        spread("imdb_train", ROWS),
        test=spread("imdb_test", ROWS),
        unlabelled=data("imdb_unlabelled")[0][: 2 * ROWS],
        contenders=("linear", "scratch", "selfpretrained"),
        options={f"selfpretrained.{name}": value for name, value in OPTIONS.items()},
        sizes=("all",),
        seeds=SEEDS,
        out=ROOT / "runs" / ("benchmark-imdb" if ROWS == 25_000 else f"benchmark-imdb-{ROWS}"),
    )
    board = found.leaderboard
    unlabelled = next(f.sentence for f in found.result.audit.findings if f.kind == "unlabelled")
    lines = [
        [
            line["contender"],
            f"{100 * line['score']:.1f} ({100 * line['low']:.1f} to {100 * line['high']:.1f})",
            f"{line['train_seconds'] / 60:.0f}",
            f"{line['parameters'] / 1e6:.1f}",
        ]
        for line in board
    ]
    text = table(["contender", "test accuracy, %", "minutes", "million weights"], lines)
    if ROWS < 25_000:
        print(text)
        return
    record("imdb", {"seeds": SEEDS, "options": OPTIONS, "unlabelled": unlabelled, "results": board})
    show("imdb", text)
