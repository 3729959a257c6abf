"""Where the real data is, and how a benchmark writes its record."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart.core import device
from headstart.core.results import Interval
from headstart.core.tally import named
from headstart.metrics import labels, stats
from headstart.metrics.stats import Comparison

ROOT = Path(__file__).parent.parent
RECORDS = Path(__file__).parent / "records"


def parquet(name: str) -> Path:
    """Return the file of a data set; exit if it is missing."""
    folder = Path(os.environ.get("HEADSTART_DATA", ROOT.parent / "shared" / "data"))
    path = folder / f"{name}.parquet"
    if not path.is_file():
        sys.exit(f"no {path}: set HEADSTART_DATA to the folder with the data sets.")
    return path


def data(name: str) -> tuple[list[str], list[str]]:
    """Read the texts and labels of a data set (no labels without such a column); exit if it is missing."""
    import pyarrow.parquet

    columns = pyarrow.parquet.read_table(parquet(name)).to_pydict()
    return columns["text"], columns.get("label", [])


def record(name: str, result: dict[str, Any]) -> None:
    """Write the JSON record of a benchmark, with the time, the machine and its speed.

    The speed is the rate of float32 matrix products with all threads, in GFLOP/s: the machines are shared, so the same
    code may take twice as long on another day.
    """
    RECORDS.mkdir(exist_ok=True)
    made = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    machine = {**device.describe(), "matrix_gflops": round(device.matrix_rate(), 1)}
    text = json.dumps({"benchmark": name, "made": made, "machine": machine, **result}, indent=1)
    (RECORDS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def paired(
    targets: Sequence[str], first: Sequence[Sequence[str]], second: Sequence[Sequence[str]], metric: str
) -> Comparison:
    """Compare the predicted labels of two contenders, one list per seed, see `metrics.stats.compare`."""
    teams = ([labels.tally(targets, predicted) for predicted in seeds] for seeds in (first, second))
    return stats.compare(*teams, named(labels.METRICS, metric))


def score_interval(targets: Sequence[str], seeds: Sequence[Sequence[str]], metric: str) -> Interval:
    """Estimate the mean score of predicted labels, one list per seed, see `metrics.stats.interval`."""
    return stats.interval([labels.tally(targets, predicted) for predicted in seeds], named(labels.METRICS, metric))


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of the packages that a benchmark compares with; '' for one that is not installed.

    >>> versions("no-such-package")
    {'no-such-package': ''}
    """
    installed = {}
    for name in packages:
        try:
            installed[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            installed[name] = ""
    return installed


def transformers() -> Any:
    """Import transformers with progress bars and reports turned off, which would add to its time."""
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def answers(result: Any, size: int | None = None) -> dict[str, list[tuple[str, ...]]]:
    """Return the predictions of each contender of a `Result` for the test rows, one tuple per seed.

    Args:
        result: the comparison.
        size: number of training rows, None for all.
    """
    by_contender: dict[str, list[tuple[str, ...]]] = {}
    trained = [entry for entry in result.records if entry.trial.size == size]
    for entry in sorted(trained, key=lambda entry: entry.trial.seed):
        by_contender.setdefault(entry.trial.contender, []).append(entry.predictions.values)
    return by_contender


def apart(name: str, *arguments: str) -> dict[str, Any]:
    """Call a benchmark's ``alone(*arguments)`` in a separate process; return its last line, parsed as JSON."""
    code = f"import sys; from benchmarks import {name}; {name}.alone(*sys.argv[1:])"
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name} failed at {' '.join(arguments)}.")
    printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return printed


def percent(value: float, low: float, high: float, sign: str = "") -> str:
    """Write an estimate with its interval; `sign` is '+' for a difference.

    >>> percent(0.021, -0.004, 0.046, "+")
    '+2.1 (-0.4 to +4.6)'
    """
    first, *ends = (f"{100 * number:{sign}.1f}" for number in (value, low, high))
    return f"{first} ({' to '.join(ends)})"


def table(header: list[str], lines: list[list[str]]) -> str:
    """Format a Markdown table.

    >>> print(table(["a", "b"], [["1", "2"]]))
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, *lines]).replace(
        "\n", "\n|" + "---|" * len(header) + "\n", 1
    )


def show(name: str, text: str) -> None:
    """Print a table and insert it into README or docs, between the two comments with its name."""
    print(text)
    begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        page = path.read_text(encoding="utf-8")
        if begin in page and end in page:
            before, rest = page.split(begin, 1)
            path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}", encoding="utf-8")
