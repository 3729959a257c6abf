"""Is this tree slower or less accurate than another one? The same comparison in both at the same time, on two cores.

``python -m benchmarks._paired OTHER [demo] [sst2] [trec]``, with the folder of another checkout. Each comparison runs
twice, and the trees swap cores in between; each tree has a cache of its own and one thread. The record has processor
seconds, so it says little if other programs use the same cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from benchmarks._common import ROOT, parquet, record

HERE, OTHER = "this tree", "the other"
FULL = ("--contenders", "linear,finetuned", "--strategies", "full", "--seeds", "1", "--sizes", "all", "--json")
# Comparison -> arguments, where a data set is in braces.
COMMANDS = {
    "demo": ("demo", "tweets", "--json"),
    "sst2": ("compare", "{sst2_train}", "--validation", "{sst2_dev}", "--test", "{sst2_test}", *FULL),
    "trec": ("compare", "{trec_train}", "--test", "{trec_test}", *FULL),
}
RUN = "import sys; from headstart import cli; sys.exit(cli.run(sys.argv[1:]))"


def main(other: Path, names: list[str]) -> None:
    """Run the comparisons in this tree and the other (half an hour each) and write the record."""
    trees = {HERE: ROOT, OTHER: other}
    commits = {name: _git(tree, "rev-parse", "--short", "HEAD") for name, tree in trees.items()}
    path = ROOT / "benchmarks" / "records" / "paired.json"
    results = json.loads(path.read_text(encoding="utf-8"))["results"] if path.is_file() else {}
    for name in names:
        command = tuple(str(parquet(part[1:-1])) if part[0] == "{" else part for part in COMMANDS[name])
        turns = [both(trees, command, cores) for cores in ((0, 1), (1, 0))]
        seconds = {tree: round(sum(turn[tree]["seconds"] for turn in turns), 1) for tree in trees}
        scores = {tree: turns[0][tree]["scores"] for tree in trees}
        ratio = round(seconds[HERE] / seconds[OTHER], 4)
        results[name] = {"commits": commits, "seconds": seconds, "ratio": ratio, "scores": scores, "turns": turns}
        print(name, seconds, ratio, scores)
        record("paired", {"results": results})


def both(trees: dict[str, Path], command: tuple[str, ...], cores: tuple[int, int]) -> dict[str, dict[str, Any]]:
    """Run a command in both trees at the same time, each on its core; processor seconds and scores of each tree."""
    done: dict[str, dict[str, Any]] = {}

    def run(name: str, core: int) -> None:
        done[name] = {"core": core, **alone(trees[name], command, core)}

    threads = [threading.Thread(target=run, args=place) for place in zip(trees, cores, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done


def alone(tree: Path, command: tuple[str, ...], core: int) -> dict[str, Any]:
    """Run a command of a tree on one core, in an empty folder; processor seconds and the score of each contender."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "PYTHONPATH": str(tree / "src"),
            "HEADSTART_CACHE": f"{folder}/cache",
            "OMP_NUM_THREADS": "1",
            "OMP_WAIT_POLICY": "passive",
        }
        with Path(folder, "out").open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", RUN, *command, "--threads", "1"],
                cwd=folder,
                env={**os.environ, **settings},
                stdout=out,
                stderr=subprocess.DEVNULL,
            )
            os.sched_setaffinity(process.pid, {core})
            _, status, used = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{tree}: headstart {' '.join(command)} failed.")
        result = json.loads(Path(folder, "out").read_bytes())
    scores = {line["contender"]: line["score"]["value"] for line in result["standings"]}
    return {"seconds": round(used.ru_utime + used.ru_stime, 1), "scores": scores}


def _git(tree: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(tree), *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2:] or list(COMMANDS))
