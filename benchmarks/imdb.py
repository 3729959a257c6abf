"""What is pretraining on one's own text worth without external weights? IMDB reviews, its own test rows.

A fifth of the training rows, or 500 of these, are labelled for all contenders. `selfpretrained` reads the texts of all
training rows and 50,000 more, without labels, for five minutes, and is fine-tuned; `scratch` and `linear` read only the
labelled rows. No contender reads test rows before the evaluation.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks._common import ROOT, answers, data, paired, percent, record, score_interval, show, table

SEEDS = 1
PART = 5  # every fifth of the training rows is labelled
FEW = 500
# For a dry run: only every so many rows.
EVERY = int(os.environ.get("HEADSTART_EVERY", "1"))
OPTIONS: dict[str, Any] = {"pretraining_minutes": 5.0}


def main() -> None:
    """Run the comparison (20 minutes on 2 cores; rerun to resume) and write the record."""
    from headstart import compare
    from headstart.data._near import normalise

    train, test = (tuple(column[::EVERY] for column in data(name)) for name in ("imdb_train", "imdb_test"))
    # Reviews that also occur in the test rows are left out; both sizes then share one pretraining.
    judged = set(map(normalise, test[0]))
    texts, labels = zip(*(pair for pair in zip(*train, strict=True) if normalise(pair[0]) not in judged), strict=True)
    comparison = compare(
        (texts[::PART], labels[::PART]),
        test=test,
        unlabelled=[*texts, *data("imdb_unlabelled")[0][::EVERY]],
        contenders=("linear", "scratch", "selfpretrained"),
        options={f"selfpretrained.{name}": value for name, value in OPTIONS.items()},
        sizes=(FEW, "all"),
        seeds=SEEDS,
        out=ROOT / "runs" / f"benchmark-imdb{EVERY if EVERY > 1 else ''}",
    )
    splits, metric = comparison.result.splits, comparison.result.metric
    targets = splits.test.targets
    lines, gains = [], {}
    for size in (FEW, None):
        given = answers(comparison.result, size)
        labelled = size or len(splits.train)
        for entry in comparison.result.records:
            if entry.trial.size == size:
                score = score_interval(targets, given[entry.trial.contender], metric)
                lines.append(
                    [
                        f"{labelled:,}",
                        entry.trial.contender,
                        percent(score.value, score.low, score.high),
                        f"{entry.cost.train_seconds / 60:.1f}",
                        f"{entry.cost.parameters / 1e6:.1f}",
                    ]
                )
        compared = paired(targets, given["selfpretrained"], given["scratch"], metric)
        gains[labelled] = {**vars(compared.difference), "p_value": compared.p_value}
    text = table(["labels", "contender", "test accuracy, %", "minutes", "million weights"], lines)
    if EVERY > 1:
        print(text, gains)
        return
    audit = next(f.sentence for f in comparison.result.audit.findings if f.kind == "unlabelled")
    results = [
        {"contender": e.trial.contender, "labels": e.train_rows, "scores": e.scores, "cost": vars(e.cost)}
        for e in comparison.result.records
    ]
    record(
        "imdb",
        {"seeds": SEEDS, "options": OPTIONS, "unlabelled": audit, "results": results, "gain_over_scratch": gains},
    )
    gains_text = " and ".join(
        f"{percent(gain['value'], gain['low'], gain['high'], '+')} with {labelled:,} labels"
        for labelled, gain in gains.items()
    )
    show("imdb", f"{text}\n\nIts gain over `scratch`, in points: {gains_text}.")
