"""How long do `make demo` and `make demo-zh` take, and what do they print? Draws the pictures of both READMEs."""

from __future__ import annotations

import shutil
import time

from benchmarks._common import ROOT, record

PICTURES = {"tweets": "leaderboard.svg", "hotel": "leaderboard-zh.svg"}
RECORDS = {"tweets": "demo", "hotel": "demo-hotel"}


def main() -> None:
    """Run the demonstrations from scratch (minutes on 2 cores), write their records and the pictures in docs."""
    import headstart
    from headstart.report import build

    for name, picture in PICTURES.items():
        out = ROOT / "runs" / f"benchmark-demo-{name}"
        shutil.rmtree(out, ignore_errors=True)
        began = time.perf_counter()
        comparison = headstart.demo(name, out=out)
        seconds = time.perf_counter() - began
        print(*comparison.verdict, f"{seconds:.0f} seconds", sep="\n")
        (ROOT / "docs" / picture).write_text(build.picture(comparison.result), encoding="utf-8")
        record(
            RECORDS[name], {"seconds": seconds, "leaderboard": comparison.leaderboard, "verdict": comparison.verdict}
        )
