"""Where the real data lies, and how a benchmark leaves its record."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from headstart.core import device

ROOT = Path(__file__).parent.parent
RECORDS = Path(__file__).parent / "records"


def data(name: str) -> tuple[list[str], list[str]]:
    """Read one data set's texts and labels, none where it has no such column; end clearly where it is not at hand."""
    folder = Path(os.environ.get("HEADSTART_DATA", ROOT.parent / "shared" / "data"))
    path = folder / f"{name}.parquet"
    if not path.is_file():
        sys.exit(f"no {path}: set HEADSTART_DATA to the folder with the data sets.")
    import pyarrow.parquet

    columns = pyarrow.parquet.read_table(path).to_pydict()
    return columns["text"], columns.get("label", [])


def record(name: str, result: dict[str, Any]) -> None:
    """Write a benchmark's one JSON record, with the time, the machine and its pace at the end beside the figures.

    The pace is the rate of float32 matrix products with all threads, in GFLOP/s: the machines are shared, and one day's
    minutes are another's half.
    """
    RECORDS.mkdir(exist_ok=True)
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    machine = {**device.describe(), "matrix_gflops": round(device.matrix_rate(), 1)}
    text = json.dumps({"benchmark": name, "made": made, "machine": machine, **result}, indent=1)
    (RECORDS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def versions(*packages: str) -> dict[str, str]:
    """Give the versions of the packages a benchmark compares us with; '' for one that is not installed.

    >>> versions("no-such-package")
    {'no-such-package': ''}
    """
    found = {}
    for name in packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = ""
    return found


def transformers() -> Any:
    """Import the peer, with its progress bars and reports switched off: they would cost time that is not its own."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def answers(result: Any, size: int | None = None) -> dict[str, list[tuple[str, ...]]]:
    """List what each contender of a `Result` answered to the test rows, one answer to all of them a seed.

    size: after how many training rows, None for all.
    """
    found: dict[str, list[tuple[str, ...]]] = {}
    trained = [entry for entry in result.records if entry.trial.size == size]
    for entry in sorted(trained, key=lambda entry: entry.trial.seed):
        found.setdefault(entry.trial.contender, []).append(entry.predictions.values)
    return found


def apart(name: str, *arguments: str) -> dict[str, Any]:
    """Call a benchmark's ``alone(*arguments)`` in a process of its own; return what it printed last, which is JSON."""
    code = f"import sys; from benchmarks import {name}; {name}.alone(*sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name} failed at {' '.join(arguments)}.")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def percent(value: float, low: float, high: float, sign: str = "") -> str:
    """Write an estimate with its interval; `sign` is '+' for a difference.

    >>> percent(0.021, -0.004, 0.046, "+")
    '+2.1 (-0.4 to +4.6)'
    """
    first, *ends = (f"{100 * number:{sign}.1f}" for number in (value, low, high))
    return f"{first} ({' to '.join(ends)})"


def table(header: list[str], lines: list[list[str]]) -> str:
    """Format a Markdown table, as the docs show it.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, *lines]).replace(
        "\n", "\n|" + "---|" * len(header) + "\n", 1
    )


def show(name: str, text: str) -> None:
    """Print a table and put it where README or docs hold its place, between two comments that name it."""
    print(text)
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        page = path.read_text(encoding="utf-8")
        if begin in page and end in page:
            before, rest = page.split(begin, 1)
            path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")
