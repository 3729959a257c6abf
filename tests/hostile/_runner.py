"""Runs hostile cases and counts how they ended.

Each case has an empty folder of its own; two processes share the cases. One that ends a process, hangs it or fills the
memory is WRONG, and the others continue in a new process. Without names the counts become a record.
"""

from __future__ import annotations

import collections
import importlib
import importlib.util
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from benchmarks._common import record
from tests.hostile._common import Case, Outcome

# The least cases of each area.
AREAS = {"folders": 450, "files": 200, "kills": 200, "states": 300, "hubs": 28, "disks": 16, "records": 1}
VERDICTS = ("right", "clear error", "WRONG")
PROCESSES = 2
SECONDS = 240  # until a case counts as hung; the cases themselves judge what is too slow for a person
BYTES = 4 * 2**30  # that a process with a case may hold


def cases_of(area: str) -> dict[str, Case]:
    """List an area's cases by name; none where the area has no module."""
    if importlib.util.find_spec(f"tests.hostile.{area}") is None:
        return {}
    cases: dict[str, Case] = {}
    for case in importlib.import_module(f"tests.hostile.{area}").cases():
        if case.name in cases:
            sys.exit(f"area '{area}' has two cases '{case.name}': give each a different name.")
        cases[case.name] = case
    return cases


def _serve(pipe: Connection, scratch: str) -> None:
    """Run the cases that the pipe names, one after the other, in silence."""
    os.setsid()  # what a case starts ends with this process
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    known: dict[str, dict[str, Case]] = {}
    pipe.send(None)  # ready: the time of the first case begins
    while True:
        area, name = pipe.recv()
        if area not in known:
            known[area] = cases_of(area)
        with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder:
            try:
                outcome = known[area][name].run(Path(folder))
            except BaseException as error:  # a case must judge what it meets
                outcome = Outcome("WRONG", f"{type(error).__name__}: {error}")
        pipe.send(outcome)


class _Worker:
    """A process that runs one case at a time."""

    def __init__(self, scratch: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, scratch), daemon=False)
        self.process.start()
        theirs.close()
        self.pipe.recv()
        self.case: tuple[str, str] | None = None
        self.began = 0.0

    def give(self, case: tuple[str, str]) -> None:
        self.case, self.began = case, time.monotonic()
        self.pipe.send(case)

    def trouble(self) -> str:
        """Say what is wrong with the process while it has a case; '' for nothing."""
        import psutil

        if time.monotonic() - self.began > SECONDS:
            return f"no end after {SECONDS} seconds"
        try:
            held = psutil.Process(self.process.pid).memory_info().rss
        except psutil.NoSuchProcess:
            held = 0
        return f"holds {held / 2**30:.1f} GiB of memory" if held > BYTES else ""

    def stop(self) -> None:
        """End the process and all that its case started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:  # killed before it had a group
            self.process.kill()
        self.process.join()
        self.pipe.close()


def run(wanted: list[tuple[str, str]], scratch: str) -> Iterator[tuple[str, str, Outcome, float]]:
    """Run cases, named by area and name, and give each with its outcome and seconds as it ends."""
    waiting = collections.deque(wanted)
    workers: list[_Worker] = []
    try:
        while waiting or any(worker.case for worker in workers):
            idle = [worker for worker in workers if worker.case is None]
            while waiting and (idle or len(workers) < PROCESSES):
                if not idle:
                    idle.append(_Worker(scratch))
                    workers.append(idle[-1])
                idle.pop().give(waiting.popleft())
            busy = [worker for worker in workers if worker.case]
            ready = wait([worker.pipe for worker in busy], timeout=0.5)
            for worker in busy:
                outcome = _ended(worker) if worker.pipe in ready else None
                trouble = worker.trouble() if outcome is None else ""
                if trouble:
                    outcome = Outcome("WRONG", trouble)
                if outcome is None or worker.case is None:
                    continue
                yield *worker.case, outcome, time.monotonic() - worker.began
                worker.case = None
                if trouble or not worker.process.is_alive():
                    worker.stop()
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


def _ended(worker: _Worker) -> Outcome:
    """Read the outcome of a case whose process answered or ended."""
    try:
        outcome: Outcome = worker.pipe.recv()
    except EOFError:
        worker.process.join()
        return Outcome("WRONG", f"ended the process (exit code {worker.process.exitcode})")
    return outcome


def main(asked: list[str]) -> int:
    """Run the areas, print their counts and every WRONG; return the exit code."""
    for area in asked:
        if area not in AREAS:
            sys.exit(f"no area '{area}'; known: {', '.join(AREAS)}.")
    os.environ.update(OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", MPLBACKEND="Agg", HF_HUB_OFFLINE="1")
    areas = asked or list(AREAS)
    counts = {area: dict.fromkeys(("cases", *VERDICTS), 0) for area in areas}
    seconds = dict.fromkeys(areas, 0.0)
    wrong: list[dict[str, str]] = []
    slowest: dict[str, tuple[float, str]] = {}
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as scratch:
        os.environ["HEADSTART_CACHE"] = str(Path(scratch) / "cache")
        wanted = [(area, name) for area in areas for name in cases_of(area)]
        for area, name, outcome, took in run(wanted, scratch):
            counts[area]["cases"] += 1
            counts[area][outcome.verdict] += 1
            seconds[area] += took
            slowest[area] = max(slowest.get(area, (0.0, "")), (round(took, 1), name))
            if outcome.verdict == "WRONG":
                wrong.append({"area": area, "name": name, "reason": outcome.reason})
                print(f"WRONG {area}: {name}: {outcome.reason}", flush=True)
    summary: dict[str, Any] = {}
    for area, count in counts.items():
        summary[area] = {
            **count,
            "required": AREAS[area],
            "seconds": round(seconds[area], 1),
            "slowest": slowest.get(area),
        }
        few = f", of at least {AREAS[area]}" if count["cases"] < AREAS[area] else ""
        verdicts = ", ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS)
        print(f"{area}: {count['cases']} cases{few}: {verdicts} ({seconds[area]:.0f} s)")
    if not asked:
        record("hostile", {"areas": summary, "wrong": wrong})
    return int(bool(wrong) or any(count["cases"] < AREAS[area] for area, count in counts.items()))
