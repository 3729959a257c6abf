"""Do memory and time depend on the number of trained weights? One epoch of SST-2, each strategy in a separate process.

Memory is the peak of the process minus its memory before the training, as in a comparison. A step's time is the median
over steps, so evaluations do not count. No option is set but the one epoch.
"""

from __future__ import annotations

import itertools
import json
import statistics
import tempfile
from pathlib import Path

from benchmarks._common import apart, data, record, show, table

STRATEGIES = ("full", "gradual", "partial", "lora", "adapter", "bitfit", "frozen")


def main() -> None:
    """Train with every strategy (eight minutes on 2 cores) and write the record."""
    results = [{"strategy": strategy, **apart("memory", strategy)} for strategy in STRATEGIES]
    record("memory", {"results": results})
    lines = [
        [one["strategy"], f"{one['trained']:,}", f"{one['ms']:.0f}", f"{one['peak_bytes'] / 1e6:.0f}"]
        for one in results
    ]
    show("memory", table(["strategy", "trained weights", "ms a step", "memory, MB"], lines))


def alone(strategy: str) -> None:
    """Train in this process, and print time and memory as JSON."""
    from headstart.contest import meter
    from headstart.core import rooms
    from headstart.core.records import Rows, Run

    train, dev = (
        Rows(tuple(map(str, range(len(texts)))), tuple(texts), tuple(labels))
        for texts, labels in (data("sst2_train"), data("sst2_dev"))
    )
    task = rooms.load("tasks", "classification").fitted(train)
    with tempfile.TemporaryDirectory() as place:
        contender = rooms.load("contenders", "finetuned", {"strategy": strategy, "epochs": 1})
        with meter.measured() as reading:
            fitted = contender.fit(train, dev, task, Run(0, Path(place)))
        seconds = [json.loads(line)["seconds"] for line in (Path(place) / "metrics.jsonl").open(encoding="utf-8")]
    ms = 1000 * statistics.median(after - before for before, after in itertools.pairwise(seconds))
    result = {"trained": fitted.trained_parameters, "ms": round(ms, 1), "steps": len(seconds)}
    print(json.dumps({**result, "peak_bytes": reading.peak_bytes}))
