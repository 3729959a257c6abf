"""What does each fine-tuning strategy reach, and at what cost? On SST-2, three seeds each, no option set.

The strategies that represent their level: `ladder` has the others, with one seed.

Score and trained weights of each, the difference from full fine-tuning on the same test sentences, and whether there is
evidence of one (paired, corrected for the number of comparisons as in `contest.rank`). Their requirements: `memory`.
"""

from __future__ import annotations

import os
from typing import Any

from benchmarks._common import ROOT, answers, data, paired, percent, record, show, table

STRATEGIES = ("full", "lora", "adapter", "partial", "frozen")
SEEDS = 3
LEVEL = 0.05


def main() -> None:
    """Run the comparison (hours on 2 cores; rerun to resume) and write the record.

    STRATEGY_ROWS tries it on so many training rows; no record is then written.
    """
    from headstart import compare
    from headstart.metrics import stats

    rows = int(os.environ.get("STRATEGY_ROWS", "0"))
    train, dev, test = (data(f"sst2_{part}") for part in ("train", "dev", "test"))
    if rows:
        train = train[0][:rows], train[1][:rows]
    comparison = compare(
        train,
        validation=dev,
        test=test,
        contenders=("finetuned",),
        strategies=STRATEGIES,
        seeds=SEEDS,
        sizes=("all",),
        # The folder of `accuracy` and `ladder`, so that trainings are not repeated.
        out=ROOT / "runs" / f"benchmark-sst2{rows or ''}",
    )
    result = comparison.result
    given = answers(result)
    full = given.pop("finetuned:full")
    compared_with_full = {
        name: paired(result.splits.test.targets, own, full, result.metric) for name, own in given.items()
    }
    p_values = stats.holm([compared.p_value for compared in compared_with_full.values()])
    corrected = dict(zip(compared_with_full, p_values, strict=True))
    lines = [dict(line) for line in comparison.leaderboard]
    for line in lines:
        name = line["contender"]
        if name in compared_with_full:
            line["from_full"] = vars(compared_with_full[name].difference)
            line["p_value"] = corrected[name]
            line["ties_with_full"] = corrected[name] > LEVEL
    shown = [
        [
            line["contender"].removeprefix("finetuned:"),
            percent(line["score"], line["low"], line["high"]),
            _difference(line),
            f"{line['trained_parameters']:,}",
        ]
        for line in lines
    ]
    header = ["strategy", "test accuracy, %", "from full, points", "trained weights"]
    if rows:
        print(table(header, shown))
        return
    record("strategies", {"seeds": SEEDS, "results": lines})
    show("strategies", table(header, shown))


def _difference(line: dict[str, Any]) -> str:
    if "from_full" not in line:
        return "–"
    return f"{percent(*line['from_full'].values(), sign='+')}{', ties' if line['ties_with_full'] else ''}"
