"""The log of openings of the test rows: one line each time that a trained model predicted them."""

from __future__ import annotations

import datetime
import json

from headstart.contest.trials import Job, Terms
from headstart.core.files import append_line


def log(terms: Terms, job: Job, stressed: bool) -> None:
    """Add a line.

    Args:
        terms: of the comparison.
        job: whose model predicts the test rows.
        stressed: whether it predicts their transformed copies too, whose number is then in the line.
    """
    entry = {"trial": job.key, "contender": job.trial.contender, "seed": job.trial.seed}
    more = {"stressed": terms.stress.changed} if stressed and terms.stress is not None else {}
    append_line(terms.folder / "test_openings.jsonl", json.dumps({"when": now(), **entry, **more}))


def now() -> str:
    """Return the time as ISO 8601, in UTC and seconds."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
