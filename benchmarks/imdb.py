"""What is pretraining on one's own text worth where no outside weights are at hand? IMDB reviews, its own test rows.

A fifth of the training rows are labelled for everybody. `selfpretrained` reads their texts, those of the other training
rows and 50,000 unlabelled ones for a quarter of an hour, and is fine-tuned; `scratch` and `linear` see the labelled
rows alone. Nothing of the test rows is read by anybody before the judgement.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks._common import ROOT, answers, data, percent, record, show, table

SEEDS = 1
PART = 5  # every fifth of the training rows is labelled
# For a dry run: only every so many rows.
EVERY = int(os.environ.get("HEADSTART_EVERY", "1"))
OPTIONS: dict[str, Any] = {"pretraining_minutes": 15.0}


def main() -> None:
    """Run the comparison (half an hour on 2 cores; an interrupted one goes on) and write the record."""
    from headstart import compare
    from headstart.metrics import stats

    texts, labels = (column[::EVERY] for column in data("imdb_train"))
    rest = [text for place, text in enumerate(texts) if place % PART]
    found = compare(
        (texts[::PART], labels[::PART]),
        test=tuple(column[::EVERY] for column in data("imdb_test")),
        unlabelled=[*rest, *data("imdb_unlabelled")[0][::EVERY]],
        contenders=("linear", "scratch", "selfpretrained"),
        options={f"selfpretrained.{name}": value for name, value in OPTIONS.items()},
        sizes=("all",),
        seeds=SEEDS,
        out=ROOT / "runs" / f"benchmark-imdb{EVERY if EVERY > 1 else ''}",
    )
    board, given = found.leaderboard, answers(found.result)
    targets = found.result.splits.test.targets
    duel = stats.compare(targets, given["selfpretrained"], given["scratch"], found.result.metric)
    lines = [
        [
            line["contender"],
            percent(line["score"], line["low"], line["high"]),
            f"{line['train_seconds'] / 60:.0f}",
            f"{line['parameters'] / 1e6:.1f}",
        ]
        for line in board
    ]
    text = table(["contender", "test accuracy, %", "minutes", "million weights"], lines)
    gain = {**vars(duel.difference), "p_value": duel.p_value}
    if EVERY > 1:
        print(text, gain)
        return
    unlabelled = next(f.sentence for f in found.result.audit.findings if f.kind == "unlabelled")
    record(
        "imdb",
        {
            "seeds": SEEDS,
            "labelled": len(found.result.splits.train),
            "options": OPTIONS,
            "unlabelled": unlabelled,
            "results": board,
            "gain_over_scratch": gain,
        },
    )
    show("imdb", f"{text}\n\nIts gain over `scratch`: {percent(*vars(duel.difference).values(), sign='+')} points.")
