"""What does every method add? All contenders and all strategies on SST-2, one seed, one command.

SST-2's own train, dev and test; no option is set, so the command is `headstart compare --contenders all --strategies
all --seeds 1 --sizes 690,all`. The result line of every method's page in the docs comes from here.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks._common import ROOT, data, record, show, table

# Shared with `accuracy` and `strategies`, so that trainings are not repeated. The minutes are those of the whole
# comparison if the folder did not exist before.
FOLDER = ROOT / "runs" / "benchmark-sst2"
SIZES = (690, "all")


def main() -> None:
    """Run the comparison (one to two hours on 2 cores; rerun to resume) and write the record."""
    from headstart import compare
    from headstart.core.results import deciding
    from headstart.metrics.format import plus_minus, signed
    from headstart.report import build
    from headstart.report._format import duration, milliseconds, parameters, size

    resumed = FOLDER.exists()
    began = time.monotonic()
    comparison = compare(
        data("sst2_train"),
        validation=data("sst2_dev"),
        test=data("sst2_test"),
        contenders=("all",),
        strategies=("all",),
        seeds=1,
        sizes=SIZES,
        out=FOLDER,
    )
    minutes = round((time.monotonic() - began) / 60, 1)
    fields: dict[str, Any] = build.as_json(comparison.result)
    recorded = {key: fields[key] for key in ("verdict", "standings", "ladder", "curve", "skipped")}
    record("ladder", {"minutes": minutes, "resumed": resumed, "sizes": SIZES, **recorded})
    lines, metric = [], deciding(comparison.result)
    for level in comparison.result.ladder:
        worth = level.worth
        needs = (f"{worth.labels.value:.0f}" if worth.labels else f"> {worth.beyond}") if worth else ""
        gain = (signed(metric, level.gain) + (", a tie" if level.ties else "")) if level.gain else ""
        lines.append([level.name, level.contender, plus_minus(metric, level.score), gain, level.over, needs])
    show("ladder", table(["level", "contender", "accuracy", "adds, points", "over", "which would need labels"], lines))
    for standing in comparison.result.standings:
        cost = standing.cost
        show(
            f"method {standing.contender.removeprefix('finetuned:')}",
            f"On SST-2 (6,920 sentences, one seed): {plus_minus(metric, standing.score)} test accuracy, "
            f"{parameters(cost.trained_parameters)} weights trained in {duration(cost.train_seconds)}, "
            f"{size(cost.peak_bytes)} more memory at most, {milliseconds(cost.latency_p50)} a text "
            "(`benchmarks/records/ladder.json`).",
        )
