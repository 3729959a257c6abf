"""The key of a trial: a hash of everything its result depends on, so that a finished trial is found again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headstart import contenders
from headstart.checkpoints import contents
from headstart.contenders import _members
from headstart.contest.stress import Stressed
from headstart.core import device as devices
from headstart.core import rooms
from headstart.core.contracts import Task, Value
from headstart.core.errors import HeadstartError
from headstart.core.records import Splits, Trial
from headstart.data import corpus

# Options that name a model to build on, which is read from a folder, a package or the hub.
SOURCES = ("backbone", "teacher")


@dataclass(frozen=True)
class Terms:
    """The settings common to all trials of a contest.

    unlabelled: texts for contenders with `reads_unlabelled`; none of them in the test rows.
    track: trackers of every training; they do not affect results.
    stress: transformed test rows for the first model of each contender; None for none.
    """

    folder: Path
    metric: str
    minutes: float | None = None
    device: str = "cpu"
    unlabelled: tuple[str, ...] = ()
    track: tuple[str, ...] = ()
    stress: Stressed | None = None


@dataclass(frozen=True)
class Job:
    """A trial with its key and files, computed once.

    trial: the trial.
    key: a hash of everything the result depends on: data, task, options, seed, versions, and the content of the models
        it builds on, wherever they are.
    group: the same without the seed: that of its sister trials.
    folder: for its checkpoints while it is trained; the model is saved beside it.
    members: jobs whose models it builds on.
    built_on: model as the options name it -> SHA-256 of its content.
    """

    trial: Trial
    key: str
    group: str
    folder: Path
    members: tuple[Job, ...] = ()
    built_on: Mapping[str, str] = dataclasses.field(default_factory=dict)


def jobs(splits: Splits, task: Task, trials: Sequence[Trial], terms: Terms) -> tuple[Job, ...]:
    """Compute the keys of trials, each once though several others build on it; what they share is hashed once.

    Args:
        splits: the split of the data.
        task: not fitted; its fields are its options.
        trials: the trials.
        terms: the settings common to all trials.
    """
    common = {
        "data": splits.sha256,
        "task": [rooms.name_of(type(task)), dataclasses.asdict(task)],
        "metric": terms.metric,
        "minutes": terms.minutes,
        "device": terms.device,
        "packages": dict(devices.versions()),
    }
    unlabelled = corpus.of_texts(terms.unlabelled).sha256 if terms.unlabelled else ""
    hashes: dict[str, str] = {}  # model -> SHA-256 of its content
    made: dict[str, Job] = {}  # a trial, spelt out -> its job

    def parts(trial: Trial, with_seed: bool) -> dict[str, Value]:
        # Without the name of its backbone, whose content is among the options.
        name = trial.contender.partition("@")[0]
        content: dict[str, Value] = {"contender": name, "size": trial.size, "tuning": dict(trial.tuning)}
        content["options"] = {
            **trial.options,
            **{name: _content(model, hashes) for name, model in sources(trial).items()},
        }
        content["unlabelled"] = unlabelled if _reads_unlabelled(trial) else ""
        content["members"] = [parts(member, with_seed) for member in trial.members]
        return {**content, "seed": trial.seed} if with_seed else content

    def job(trial: Trial) -> Job:
        spelt = repr(trial)
        if spelt not in made:
            key, group = (_hash({**common, **parts(trial, with_seed)}) for with_seed in (True, False))
            built_on = {model: hashes[model] for model in sources(trial).values()}
            members = tuple(job(member) for member in trial.members)
            made[spelt] = Job(trial, key, group, terms.folder / "work" / key, members, built_on)
        return made[spelt]

    return tuple(job(trial) for trial in trials)


def sources(trial: Trial) -> dict[str, str]:
    """Return the options of a trial that name a model to read, with the model."""
    named = {name: trial.options[name] for name in SOURCES if trial.options.get(name)}
    if "teacher" in named:
        # A teacher that is a contender is among the members, with the backbone that it starts from.
        return {} if trial.members or named["teacher"] == "none" else {"teacher": named["teacher"]}
    return named


def all_sources(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Return the models that trials and their members read, each once, in order."""
    models: dict[str, None] = {}
    for trial in trials:
        models |= dict.fromkeys((*sources(trial).values(), *all_sources(trial.members)))
    return tuple(models)


def file_name(job: Job) -> str:
    """Return a readable file name for a trial, such as 'linear-all-rows-seed-0-1a2b3c4d'."""
    rows = "all" if job.trial.size is None else str(job.trial.size)
    named = f"{job.trial.contender}-{rows}-rows-seed-{job.trial.seed}-{job.key[:8]}"
    return re.sub(r"[^\w.+-]+", "-", named)


def title(trial: Trial) -> str:
    """Return a readable name for a trial, such as 'linear on 200 rows'."""
    return trial.contender if trial.size is None else f"{trial.contender} on {trial.size} rows"


def record_path(job: Job, terms: Terms) -> Path:
    """Return the path of the record of a trial."""
    return terms.folder / "trials" / f"{job.key}.json"


def unlabelled_for(trial: Trial, terms: Terms) -> tuple[str, ...]:
    """Return the unlabelled texts for a trial's contender."""
    return terms.unlabelled if _reads_unlabelled(trial) else ()


def _reads_unlabelled(trial: Trial) -> bool:
    return contenders.plugin(_members.divide(trial.contender)[0]).reads_unlabelled


def _content(model: str, hashes: dict[str, str]) -> str:
    """Hash a model once; one that cannot be found has no content, and its trial will report why."""
    if model not in hashes:
        try:
            hashes[model] = contents.sha256(model)
        except HeadstartError:
            hashes[model] = ""
    return hashes[model]


def _hash(parts: Mapping[str, Value]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
