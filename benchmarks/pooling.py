"""First token or mean of all tokens: what should the head of a pretrained encoder read? SST-2 and TREC-6, paired.

The same trainings twice, which differ only in what the head reads; differences are paired over the same test rows and
account for seeds as in `metrics.stats.compare`.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks._common import ROOT, answers, data, paired, percent, record, show, table
from benchmarks.accuracy import SETS

STRATEGIES = tuple(os.environ.get("POOLING_STRATEGIES", "frozen,partial,lora,full").split(","))
POOLINGS = ("first", "mean")
SEEDS = int(os.environ.get("POOLING_SEEDS", "3"))


def main() -> None:
    """Run both comparisons of both data sets (two hours on 2 cores; rerun to resume) and write the record.

    POOLING_SEEDS and POOLING_STRATEGIES reduce the number of trainings.
    """
    from headstart import compare

    lines: list[dict[str, Any]] = []
    for name, files in SETS.items():
        given = {part: data(file) for part, file in files.items()}
        results = {
            pooling: compare(
                given["train"],
                validation=given.get("validation"),
                test=given["test"],
                contenders=("linear", "finetuned"),
                strategies=STRATEGIES,
                options={"finetuned.pooling": pooling},
                sizes=("all",),
                seeds=SEEDS,
                out=ROOT / "runs" / f"benchmark-{name}",
            ).result
            for pooling in POOLINGS
        }
        targets, metric = results["mean"].splits.test.targets, results["mean"].metric
        first, mean = (answers(results[pooling]) for pooling in POOLINGS)
        for contender in mean:
            if contender == "linear":
                continue
            compared = paired(targets, mean[contender], first[contender], metric)
            scores = {
                pooling: next(s.score.value for s in results[pooling].standings if s.contender == contender)
                for pooling in results
            }
            lines.append(
                {
                    "data": name,
                    "contender": contender,
                    "linear": next(s.score.value for s in results["mean"].standings if s.contender == "linear"),
                    **scores,
                    "difference": vars(compared.difference),
                    "p_value": compared.p_value,
                }
            )
    record("pooling", {"seeds": SEEDS, "results": lines})
    shown = [
        [
            line["data"],
            line["contender"].removeprefix("finetuned:"),
            f"{100 * line['first']:.1f}",
            f"{100 * line['mean']:.1f}",
            percent(*line["difference"].values(), sign="+"),
        ]
        for line in lines
    ]
    show("pooling", table(["data", "strategy", "first token, %", "mean, %", "difference, points"], shown))
