"""Do the tests notice faults? Each of `MUTANTS` is put into a copy of the source, and its tests are run."""

from __future__ import annotations

import gc
import importlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import _mutants, _mutants_of_tasks, _mutants_of_training, _mutants_of_writing
from benchmarks._mutants import SURVIVORS, Mutant

ROOT = Path(__file__).parent.parent
RECORDS = Path(__file__).parent / "records"
SOURCE = Path("src", "headstart")
COPIED = ("src", "tests", "pyproject.toml", "README.md", "CONTRIBUTING.md", "docs")
MUTANTS = (
    *_mutants_of_tasks.MUTANTS,
    *_mutants.MUTANTS,
    *_mutants_of_training.MUTANTS,
    *_mutants_of_writing.MUTANTS,
)
# The least share of mutants that tests have to notice, and the seconds after which tests that hang are ended.
LEAST, MOST_SECONDS = 0.9, 900
# What the tests import besides the source: loaded once, so that no mutant waits for it.
LOADED = (
    "torch",
    "sklearn.linear_model",
    "sklearn.feature_extraction.text",
    "sklearn.metrics",
    "scipy.stats",
    "safetensors.torch",
    "transformers.modeling_utils",
    "hypothesis",
    "pytest",
)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    mutant: its name. killed: whether a test failed; time that runs out is no failure. test: the one that failed, ''
    for none. seconds: wall-clock time of its tests.
    """

    mutant: str
    killed: bool
    test: str
    seconds: float


def main() -> None:
    """Run the tests of every mutant, one after the other (ten minutes), and write the record.

    Ends with an error where a mutant's text has changed, a test fails without any mutant, or too few are killed.
    """
    verdicts = []
    for verdict in verdicts_on(MUTANTS):
        verdicts.append(verdict)
        print(f"{'killed  ' if verdict.killed else 'SURVIVED'} {verdict.mutant} {verdict.test}", flush=True)
    from benchmarks._common import record, show, table  # loads the source

    share = sum(verdict.killed for verdict in verdicts) / len(verdicts)
    survived = {verdict.mutant: SURVIVORS.get(verdict.mutant, "") for verdict in verdicts if not verdict.killed}
    record(
        "mutants",
        {
            "mutants": len(verdicts),
            "killed": sum(verdict.killed for verdict in verdicts),
            "share": round(share, 4),
            "survivors": survived,
            "verdicts": [vars(verdict) for verdict in verdicts],
        },
    )
    lines = [[room, str(len(caught)), str(sum(caught))] for room, caught in _by_room(verdicts).items()]
    show("mutants", table(["in", "faults", "noticed by a test"], lines))
    print(f"{share:.1%} of {len(verdicts)} mutants are killed.")
    if share < LEAST:
        sys.exit(f"fewer than {LEAST:.0%} are killed.")


def verdicts_on(mutants: Sequence[Mutant]) -> Iterator[Verdict]:
    """Yield what the tests say of each mutant; at last make sure that those which failed pass on the source as it is.

    The test that noticed a mutant in the last record runs first. Each run of tests is a fork of this process, which has
    loaded what they import, and never the source itself.
    """
    stale = [mutant.name for mutant in mutants if occurrences(mutant) != 1]
    if stale:
        sys.exit(f"the text of these mutants does not occur exactly once; write them anew: {'; '.join(stale)}.")
    for name in LOADED:
        importlib.import_module(name)
    assert "headstart" not in sys.modules
    gc.collect()
    gc.freeze()  # or each fork would copy all of it when it collects garbage
    last = _last_tests()
    noticed: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place)
        for name in COPIED:
            _copy(ROOT / name, copy / name)
        for number, mutant in enumerate(mutants):
            began = time.monotonic()
            with _inserted(mutant, copy, number):
                first = [[last[mutant.name]]] if mutant.name in last else []
                _, test = _run_tests(copy, [*first, [f"tests/{name}" for name in mutant.tests]])
            noticed |= {test: None} if test else {}
            yield Verdict(mutant.name, bool(test), test, round(time.monotonic() - began, 1))
        for file in {test.partition("::")[0] for test in noticed}:
            code, test = _run_tests(copy, [[test for test in noticed if test.partition("::")[0] == file]])
            if code:
                sys.exit(
                    f"{test or file} does not pass on the source as it is, so what it says of mutants is worth nothing."
                )


def occurrences(mutant: Mutant) -> int:
    """Count how often a mutant's old text occurs in its file; 0 if there is no such file."""
    path = ROOT / SOURCE / mutant.file
    return path.read_text(encoding="utf-8").count(mutant.old) if path.is_file() else 0


@contextmanager
def _inserted(mutant: Mutant, copy: Path, number: int) -> Iterator[None]:
    """Put a fault into the copy while the block runs."""
    path = copy / SOURCE / mutant.file
    before, times = path.read_text(encoding="utf-8"), path.stat()
    path.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    # Compiled modules are recognised by the second of the change and by their size.
    os.utime(path, (times.st_atime, times.st_mtime + 2 + number))
    try:
        yield
    finally:
        path.write_text(before, encoding="utf-8")
        os.utime(path, (times.st_atime, times.st_mtime))


def _run_tests(copy: Path, parts: Sequence[Sequence[str]]) -> tuple[int, str]:
    """Run some tests after others in a fork up to the first failure; return the exit code and the test that failed.

    Out of time, or where tests could not be run, the code is not 0 and there is no such test.
    """
    output = copy / "output.txt"
    child = os.fork()
    if child == 0:
        _be_pytest(copy, output, parts)
    began = time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            break
        if time.monotonic() - began > MOST_SECONDS:
            os.kill(child, 9)
            os.waitpid(child, 0)
            return -9, ""
        time.sleep(0.05)
    # A file that cannot be read has no '::' and is no test that noticed something.
    said = output.read_text(encoding="utf-8", errors="replace")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", said, re.MULTILINE)
    return code, failed[1] if failed else ""


def _be_pytest(copy: Path, output: Path, parts: Sequence[Sequence[str]]) -> None:
    """Turn this process into a run of pytest on the copy; never returns."""
    import pytest

    code = 99
    try:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        os.chdir(copy)
        sys.path.insert(0, str(copy / "src"))
        os.environ["PYTHONPATH"] = str(copy / "src")
        for part in parts:
            code = int(pytest.main(["-x", "-q", "--tb=line", "-p", "no:cacheprovider", "-p", "no:xdist", *part]))
            if code not in (pytest.ExitCode.OK, pytest.ExitCode.USAGE_ERROR):  # the latter for a test that is gone
                break
    finally:
        sys.stdout.flush()
        os._exit(code)


def _last_tests() -> dict[str, str]:
    """Read from the last record which test noticed which mutant; tests that are no longer there are left out."""
    path = RECORDS / "mutants.json"
    verdicts = json.loads(path.read_text(encoding="utf-8"))["verdicts"] if path.is_file() else []
    tests = {verdict["mutant"]: str(verdict["test"]) for verdict in verdicts}
    return {name: test for name, test in tests.items() if _is_there(test)}


def _is_there(test: str) -> bool:
    file, _, name = test.partition("::")
    path = ROOT / file
    return bool(name) and path.is_file() and f"def {name.partition('[')[0]}(" in path.read_text(encoding="utf-8")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    else:
        shutil.copy2(source, target)


def _by_room(verdicts: Sequence[Verdict]) -> dict[str, list[bool]]:
    """Group verdicts by the room of the mutant's file, whether it was killed."""
    rooms = {mutant.name: mutant.file.partition("/")[0].removesuffix(".py") for mutant in MUTANTS}
    by_room: dict[str, list[bool]] = {}
    for verdict in verdicts:
        by_room.setdefault(rooms[verdict.mutant], []).append(verdict.killed)
    return by_room
