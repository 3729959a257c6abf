"""How long does start-up take? `headstart --help` and `import headstart`, compared with Python alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks._common import record, show, table

RUNS, WARM = 10, 2
PYTHON = (sys.executable, "-c")
HELP = "import sys; from headstart import cli; code = cli.run(['--help'])"
COMMANDS = {
    # The code of the installed script, which may be anywhere on the path.
    "`headstart --help`": (*PYTHON, "import sys; from headstart.cli import main; sys.argv[1:] = ['--help']; main()"),
    "`import headstart`": (*PYTHON, "import headstart"),
    "Python alone": (*PYTHON, "pass"),
}
# Maximum seconds of each.
LIMITS = {"`headstart --help`": 0.3, "`import headstart`": 0.5}


def main() -> None:
    """Start each command, alternating (a few seconds), and write the record; exit with an error if torch was loaded."""
    loaded = torch_loaded()
    times = measure()
    seconds = {name: round(statistics.median(taken), 4) for name, taken in times.items()}
    slowest = {name: round(max(taken), 4) for name, taken in times.items()}
    record(
        "startup",
        {"runs": RUNS, "seconds": seconds, "slowest": slowest, "limits": LIMITS, "torch_loaded_by_help": loaded},
    )
    lines = [
        [name, f"{value:.2f}", f"{slowest[name]:.2f}", f"{LIMITS[name]:.1f}" if name in LIMITS else ""]
        for name, value in seconds.items()
    ]
    show("startup", table(["command", "seconds", "slowest", "at most"], lines))
    if loaded:
        sys.exit("`headstart --help` loads torch, which takes seconds: import it inside the commands that need it.")


def measure() -> dict[str, list[float]]:
    """Run every command, alternating, each time in a new process; wall-clock seconds of each run."""
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(WARM + RUNS):
        for name, command in COMMANDS.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if turn >= WARM:
                taken[name].append(time.perf_counter() - began)
    return taken


def torch_loaded() -> bool:
    """Return whether the help text imports torch."""
    done = subprocess.run((*PYTHON, f"{HELP}; sys.exit(9 if 'torch' in sys.modules else code)"), capture_output=True)
    if done.returncode not in (0, 9):
        sys.exit(f"`headstart --help` failed: {done.stderr.decode(errors='replace')}")
    return done.returncode == 9
