"""How long does start-up take? The commands that answer at once, and `import headstart`, compared with Python alone."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._common import record, show, table

RUNS, WARM = 10, 2
PYTHON = (sys.executable, "-c")
DATA = "reviews.csv"  # in the folder in which the commands run; only its beginning is read
# The code of the installed script, which may be anywhere on the path; it exits 9 if torch was loaded.
SCRIPT = ("import sys; from headstart import cli; cli.run(sys.argv[1:]); sys.exit(9 if 'torch' in sys.modules else 0)",)
COMMANDS = {
    "`headstart --help`": (*PYTHON, *SCRIPT, "--help"),
    "`headstart list`": (*PYTHON, *SCRIPT, "list"),
    "an unknown contender": (*PYTHON, *SCRIPT, "compare", DATA, "--contenders", "linaer"),
    "a wrong option": (*PYTHON, *SCRIPT, "compare", DATA, "--set", "finetuned.pooling=x"),
    "a missing file": (*PYTHON, *SCRIPT, "compare", "nowhere.csv"),
    "a wrong task": (*PYTHON, *SCRIPT, "compare", DATA, "--task", "clasification"),
    "an unknown command": (*PYTHON, *SCRIPT, "comprae"),
    "`import headstart`": (*PYTHON, "import headstart"),
    "Python alone": (*PYTHON, "pass"),
}
# How the sentences of the usage errors begin.
SENTENCES = {
    "an unknown contender": "headstart: no contender 'linaer'",
    "a wrong option": "headstart: option 'pooling' of contender 'finetuned' cannot be 'x'",
    "a missing file": "headstart: no file nowhere.csv",
    "a wrong task": "headstart: no task 'clasification'",
    "an unknown command": "headstart: No such command 'comprae'",
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
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, DATA).write_text("text,label\ngood,pos\nbad,neg\n")
        for turn in range(WARM + RUNS):
            for name, command in COMMANDS.items():
                began = time.perf_counter()
                done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder)
                spent = time.perf_counter() - began
                if done.returncode == 9:
                    sys.exit(f"{name} loads torch, which takes seconds: import it inside the functions that need it.")
                expected = done.stderr.startswith(SENTENCES[name]) if name in SENTENCES else not done.stderr
                if done.returncode or not expected:
                    sys.exit(f"{name} failed: {done.stderr}")
                if turn >= WARM:
                    taken[name].append(spent)
    return taken
