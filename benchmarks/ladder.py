"""What does every way to get a head start add? All contenders and all strategies on SST-2, one seed, one command.

SST-2's own train, dev and test; no option is set, so the whole is `headstart compare --contenders all --strategies all
--seeds 1 --sizes 690,all`. Every method's page in the docs takes its line from here.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks._common import ROOT, data, record, show, table

# Shared with `accuracy` and `strategies`: what one has trained, the others do not train again. The minutes are those of
# the whole where the folder was not there before.
FOLDER = ROOT / "runs" / "benchmark-sst2"
SIZES = (690, "all")


def main() -> None:
    """Run the comparison (one to two hours on 2 cores; an interrupted one goes on) and write the record."""
    from headstart import compare
    from headstart.report import build
    from headstart.report._format import duration, milliseconds, parameters, plus_minus, signed, size

    resumed = FOLDER.exists()
    began = time.monotonic()
    found = compare(
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
    told: dict[str, Any] = build.as_json(found.result)
    kept = {key: told[key] for key in ("verdict", "standings", "ladder", "curve", "skipped")}
    record("ladder", {"minutes": minutes, "resumed": resumed, "sizes": SIZES, **kept})
    lines = []
    for rung in found.result.ladder:
        worth = rung.worth
        needs = (f"{worth.labels.value:.0f}" if worth.labels else f"> {worth.beyond}") if worth else ""
        gain = (signed(rung.gain) + (", a tie" if rung.ties else "")) if rung.gain else ""
        lines.append([rung.name, rung.contender, plus_minus(rung.score), gain, rung.over, needs])
    show("ladder", table(["rung", "contender", "accuracy", "adds, points", "over", "which would need labels"], lines))
    for standing in found.result.standings:
        cost = standing.cost
        show(
            f"method {standing.contender.removeprefix('finetuned:')}",
            f"On SST-2 (6,920 sentences, one seed): {plus_minus(standing.score)} test accuracy, "
            f"{parameters(cost.trained_parameters)} weights trained in {duration(cost.train_seconds)}, "
            f"{size(cost.peak_bytes)} more memory at most, {milliseconds(cost.latency_p50)} a text "
            "(`benchmarks/records/ladder.json`).",
        )
