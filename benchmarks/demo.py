"""How long does `make demo` take, and what does it print? Draws the README's picture from what it found."""

from __future__ import annotations

import shutil
import time

from benchmarks._common import ROOT, record


def main() -> None:
    """Run the demonstration from nothing (a few minutes on 2 cores), write the record and docs/leaderboard.svg."""
    import headstart
    from headstart.report import build

    out = ROOT / "runs" / "benchmark-demo"
    shutil.rmtree(out, ignore_errors=True)
    began = time.perf_counter()
    found = headstart.demo("tweets", out=out)
    seconds = time.perf_counter() - began
    print(*found.verdict, f"{seconds:.0f} seconds", sep="\n")
    (ROOT / "docs" / "leaderboard.svg").write_text(build.picture(found.result), encoding="utf-8")
    record("demo", {"seconds": seconds, "leaderboard": found.leaderboard, "verdict": found.verdict})
