"""How good are the defaults? Every contender on SST-2 (sentences) and TREC-6 (questions), three seeds each.

SST-2 uses its own train, dev and test; TREC has no dev, so a tenth of train is used. No option is set, and nothing was
chosen by looking at test rows.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks._common import ROOT, data, percent, record, show, table

SETS: dict[str, dict[str, str]] = {
    "sst2": {"train": "sst2_train", "validation": "sst2_dev", "test": "sst2_test"},
    "trec": {"train": "trec_train", "test": "trec_test"},
}


def main() -> None:
    """Run both comparisons (about an hour on 2 cores; rerun to resume) and write the record.

    Set ACCURACY_STRATEGY to run only linear and one fine-tuning strategy; the record then has its name.
    """
    from headstart import compare
    from headstart.contest import plan

    only = os.environ.get("ACCURACY_STRATEGY", "")

    results: dict[str, list[dict[str, Any]]] = {}
    for name, files in SETS.items():
        given = {part: data(file) for part, file in files.items()}
        comparison = compare(
            given["train"],
            validation=given.get("validation"),
            test=given["test"],
            contenders=("linear", "finetuned") if only else plan.CONTENDERS,
            strategies=(only,) if only else plan.STRATEGIES,
            sizes=("all",),
            out=ROOT / "runs" / f"benchmark-{name}",
        )
        results[name] = comparison.leaderboard
    record(f"accuracy-{only}" if only else "accuracy", {"seeds": 3, "results": results})
    if only:
        return
    lines = [
        [
            line["contender"],
            *(
                percent(entry["score"], entry["low"], entry["high"])
                for entry in (next(e for e in results[name] if e["contender"] == line["contender"]) for name in SETS)
            ),
        ]
        for line in results["sst2"]
    ]
    show("accuracy", table(["test accuracy, %", *SETS], lines))
