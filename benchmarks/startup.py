"""How long does start-up take? The commands that answer at once, and `import headstart`, compared with Python alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks._common import ROOT, record, show, table

RUNS, WARM = 10, 2
PYTHON = (sys.executable, "-c")
DATA = str(ROOT / "pyproject.toml")  # a file that is there; it is never read
# The code of the installed script, which may be anywhere on the path; it exits 9 if torch was loaded.
SCRIPT = ("import sys; from headstart import cli; cli.run(sys.argv[1:]); sys.exit(9 if 'torch' in sys.modules else 0)",)
COMMANDS = {
    "`headstart --help`": (*PYTHON, *SCRIPT, "--help"),
    "`headstart list`": (*PYTHON, *SCRIPT, "list"),
    "an unknown contender": (*PYTHON, *SCRIPT, "compare", DATA, "--contenders", "linaer"),
    "a wrong option": (*PYTHON, *SCRIPT, "compare", DATA, "--set", "finetuned.pooling=x"),
    "a missing file": (*PYTHON, *SCRIPT, "compare", "nowhere.csv"),
    "`import headstart`": (*PYTHON, "import headstart"),
    "Python alone": (*PYTHON, "pass"),
}
# Maximum seconds of each.
LIMITS = {name: 0.3 if "help" in name else 0.5 for name in COMMANDS if name != "Python alone"}


def main() -> None:
    """Start each command, alternating (half a minute), and write the record; exit with an error if torch was loaded."""
    times = measure()
    seconds = {name: round(statistics.median(taken), 4) for name, taken in times.items()}
    slowest = {name: round(max(taken), 4) for name, taken in times.items()}
    record("startup", {"runs": RUNS, "seconds": seconds, "slowest": slowest, "limits": LIMITS})
    lines = [
        [name, f"{value:.2f}", f"{slowest[name]:.2f}", f"{LIMITS[name]:.1f}" if name in LIMITS else ""]
        for name, value in seconds.items()
    ]
    show("startup", table(["command", "seconds", "slowest", "at most"], lines))


def measure() -> dict[str, list[float]]:
    """Run every command, alternating, each time in a new process; wall-clock seconds of each run."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(WARM + RUNS):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if done.returncode == 9:
                sys.exit(f"{name} loads torch, which takes seconds: import it inside the functions that need it.")
            if done.returncode or "Traceback" in done.stderr:
                sys.exit(f"{name} failed: {done.stderr}")
            if turn >= WARM:
                taken[name].append(time.perf_counter() - began)
    return taken
