"""Comparisons killed while they write, once or twice, and run again: they find what an undisturbed one finds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.hostile import _compare, states
from tests.hostile._common import Case, Outcome
from tests.hostile._compare import Moment

CASES = 208
TWICE = 4  # every so many cases, the run that resumes is killed too


def cases(seed: int = 0) -> Iterator[Case]:
    """Yield kills spread evenly over all calls that write, as many of each kind of comparison."""
    each = CASES // len(_compare.KINDS)
    for kind in _compare.KINDS:
        count = _compare.moments(kind)
        for number in range(each):
            call = 1 + (number * count + seed) // each
            twice = number % TWICE == 0
            name = f"{kind}: at call {call} of {count}{' and again' if twice else ''}"
            yield Case("kills", name, partial(judge, kind, call, twice))


def judge(kind: str, call: int, twice: bool, folder: Path) -> Outcome:
    """Kill a comparison at one of its calls, perhaps again a few calls into the next run, then let it end."""
    out = folder / "run"
    for moment in (call, 1 + call // 3) if twice else (call,):
        ended = _compare.run(out, kind, Moment(moment))
        if ended.code not in (0, -9):
            return Outcome("WRONG", f"exit code {ended.code}: {ended.err[-300:]}")
    outcome = states.verdict(kind, out)
    return outcome if outcome.verdict == "right" else Outcome("WRONG", outcome.reason)
