"""What a trial is called: by all that its result depends on, so that a finished one is found again."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.core import device as devices
from headstart.core import rooms
from headstart.core.records import Splits, Trial
from headstart.data import corpus


@dataclass(frozen=True)
class Terms:
    """What is the same for every trial of a contest.

    unlabelled: texts for contenders that say `reads_unlabelled`; none of them of the test rows.
    """

    folder: Path
    metric: str
    minutes: float | None = None
    device: str = "cpu"
    unlabelled: tuple[str, ...] = ()


def key(splits: Splits, trial: Trial, terms: Terms, *, with_seed: bool = True) -> str:
    """Name a trial by all that its result depends on; without its seed, the group of its sister trials."""
    parts = {
        **_parts(trial, terms, with_seed),
        "data": splits.sha256,
        "metric": terms.metric,
        "minutes": terms.minutes,
        "device": terms.device,
        "packages": {name: importlib.metadata.version(name) for name in devices.PACKAGES},
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def title(trial: Trial) -> str:
    """Name a trial for a person, such as 'linear on 200 rows'."""
    return trial.contender if trial.size is None else f"{trial.contender} on {trial.size} rows"


def record_path(splits: Splits, trial: Trial, terms: Terms) -> Path:
    """Say where the record of a trial lies once it has finished."""
    return terms.folder / "trials" / f"{key(splits, trial, terms)}.json"


def unlabelled_for(trial: Trial, terms: Terms) -> tuple[str, ...]:
    """Return the texts that a trial's contender reads beside its rows."""
    reads = getattr(rooms.plugin("contenders", trial.contender.partition(":")[0]), "reads_unlabelled", False)
    return terms.unlabelled if reads else ()


def _parts(trial: Trial, terms: Terms, with_seed: bool) -> dict[str, Any]:
    parts: dict[str, Any] = {"contender": trial.contender, "options": dict(trial.options), "size": trial.size}
    if texts := unlabelled_for(trial, terms):
        parts["unlabelled"] = _sha256(texts)
    if with_seed:
        parts["seed"] = trial.seed
    if trial.tuning:
        parts["tuning"] = dict(trial.tuning)
    if trial.members:
        parts["members"] = [_parts(member, terms, with_seed) for member in trial.members]
    return parts


@functools.lru_cache(maxsize=1)
def _sha256(texts: tuple[str, ...]) -> str:
    return corpus.of_texts(texts).sha256
