"""Run the trials of a plan: same split, same seeds, same limits; a finished trial is never repeated.

runs/NAME/trials/KEY.json        the record of a trial, written when everything else of it is done
runs/NAME/trials/KEY.jsonl       every test row's target, prediction and probabilities
runs/NAME/models/KEY/            for each contender on all rows, the model of the seed with the best validation score
runs/NAME/work/KEY/              checkpoints of the running trial; deleted when it has finished
runs/NAME/work/KEY.model/        a trial's model that later trials build on; deleted when all have finished
runs/NAME/work/shared/           data shared by trials, such as states of frozen layers; deleted when all have finished
runs/NAME/tracking/              output of the requested trackers, one folder per training
runs/NAME/test_openings.jsonl    one line each time a trained model was evaluated on the test rows
"""

from __future__ import annotations

import dataclasses
import functools
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from headstart import contenders
from headstart.checkpoints import contents
from headstart.contenders import _members
from headstart.contest import confidence, meter, models, openings, stress_records, thresholds
from headstart.contest.ledger import load_record, write_record
from headstart.contest.trials import Job, Terms, file_name, jobs, record_path, title, unlabelled_for
from headstart.core import device as devices
from headstart.core.contracts import Fitted, Task, metric_values
from headstart.core.errors import DiskError, HeadstartError, TrainingError
from headstart.core.files import make_folder
from headstart.core.records import Attempt, Cost, Predictions, Progress, Record, Run, Splits, Tracking, Trial
from headstart.data.split import nested
from headstart.saved import model_folder


@dataclass(frozen=True)
class Event:
    """A notification about a trial while the contest runs.

    kind: 'start', 'progress', 'finished', 'cached' (it was finished in an earlier run) or 'failed'.
    trial: the trial.
    index: the trial's number, from 1 to `total`.
    total: number of trials.
    progress: with the kind 'progress'.
    record: with the kinds 'finished' and 'cached'.
    reason: why it failed.
    """

    kind: str
    trial: Trial
    index: int
    total: int
    progress: Progress | None = None
    record: Record | None = None
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """The records of all finished trials, and why others failed.

    records: of the finished trials.
    failed: contender -> reason; 'contender on N rows' for a trial on fewer than all rows.
    models: contender -> folder of its model on all rows, of the seed with the best validation score.
    """

    records: tuple[Record, ...]
    failed: dict[str, str]
    models: dict[str, Path]


@dataclass(frozen=True)
class Contest:
    """What all jobs share.

    task: not fitted.
    failed: title of a trial -> why it failed; filled while the jobs run.
    wanted: keys of jobs that later ones build on.
    trained: folder -> its model, from the end of its training until it is judged, so that none is read back.
    asked: keys of jobs whose models also predict transformed test rows, see `contest.stress_records`.
    """

    splits: Splits
    task: Task
    terms: Terms
    failed: dict[str, str] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    trained: dict[Path, Fitted] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()

    @property
    def shared(self) -> Path:
        return self.terms.folder / "work" / "shared"


def run(
    splits: Splits, task: Task, trials: Sequence[Trial], terms: Terms, listen: Callable[[Event], None] = lambda _: None
) -> Outcome:
    """Run the trials that have no record yet, in order.

    A contender that fails at one number of rows is not tried there with further seeds, and is named in the outcome; its
    other sizes and the other contenders continue. A kill loses at most the running trial, which resumes from its last
    checkpoint. A model that later trials build on is stored until the end, so that none is trained twice; one that no
    longer exists, or belongs to no trial of the plan, is trained before them. A trial on all rows whose model should be
    kept and is missing or damaged runs again.

    Args:
        splits: the split of the data.
        task: the task, not fitted.
        trials: what to run; their options are those of the contenders' fields.
        terms: the settings common to all trials.
        listen: is called at every start, step and end.

    Raises:
        CheckpointError: the record of a finished trial is damaged.
        DiskError: something cannot be written; the same call resumes.
    """
    _commit()
    make_folder(terms.folder / "trials")
    named = jobs(splits, task, trials, terms)
    known = {job.key: load_record(path, splits) for job in named if (path := record_path(job, terms)).exists()}
    models.remove_leftovers(terms, _wanted(named, known))
    for key in tuple(_without_model(named, known, task, terms)):
        del known[key]
    asked = stress_records.asked(named, terms)
    unasked = frozenset(key for key in asked if key in known and not stress_records.complete(asked[key], terms))
    for key in unasked:
        if models.find(asked[key], terms) is None:
            del known[key]
    contest = Contest(splits, task, terms, wanted=_wanted(named, known), asked=frozenset(asked))
    records: list[Record] = []
    best: dict[str, Path] = {}
    for index, job in enumerate(named, start=1):
        event = functools.partial(Event, trial=job.trial, index=index, total=len(named))

        def progress(news: Progress, event: Callable[..., Event] = event) -> None:
            listen(event("progress", progress=news))

        where = title(job.trial)
        if job.key in known:
            if job.key in unasked:
                stress_records.ask_stored(job, terms)
            # The plan's trial: the same content may have had another name when it was trained.
            records.append(replace(known[job.key], trial=job.trial))
            listen(event("cached", record=records[-1]))
        elif where in contest.failed:
            listen(event("failed", reason=contest.failed[where]))
            continue
        else:
            listen(event("start"))
            try:
                for member in _all_members(job):
                    _make_ready(contest, member, progress)
                records.append(judge(contest, job, train(contest, job, progress), progress))
                listen(event("finished", record=records[-1]))
            except DiskError:
                raise  # every other trial would fail as well, and a result without them would mislead
            except HeadstartError as error:
                contest.failed[where] = str(error)
                listen(event("failed", reason=str(error)))
                continue
        if job.trial.size is None and (model := models.best_of(job, terms)):
            best[job.trial.contender] = model
    models.delete(contest.shared)
    # Also of members that no trial needed this time, since an earlier call was killed after their trainings.
    for member in {member.key: member for job in named for member in _all_members(job)}.values():
        models.delete(member.folder.with_suffix(".model"))
        if title(member.trial) not in contest.failed:
            shutil.rmtree(member.folder, ignore_errors=True)
    return Outcome(tuple(records), contest.failed, best)


def _wanted(named: Sequence[Job], known: Mapping[str, Record]) -> frozenset[str]:
    """Return the keys of the trials that those without a record build on."""
    return frozenset(member.key for job in named if job.key not in known for member in _all_members(job))


def _without_model(named: Sequence[Job], known: Mapping[str, Record], task: Task, terms: Terms) -> Iterator[str]:
    """Yield the keys of trials that run again: best of their seeds on validation, with a model missing or damaged."""
    for group in dict.fromkeys(job.group for job in named if job.trial.size is None):
        team = [job for job in named if job.group == group and job.key in known]
        best = max(team, key=lambda job: models.merit(known[job.key].validation, task, terms), default=None)
        if best is None:
            continue
        best_model = models.best_of(best, terms)
        score = models.merit(known[best.key].validation, task, terms)
        if best_model is None or models.note_of(best_model)["validation"] < score or not models.is_sound(best_model):
            yield best.key


def train(contest: Contest, job: Job, progress: Callable[[Progress], None] = lambda _: None) -> Path:
    """Train the model of a job and save it with a note of what the training took.

    Returns:
        the model's folder, beside `job.folder`.

    Raises:
        HeadstartError: the model could not be trained.
    """
    splits, terms, trial = contest.splits, contest.terms, job.trial
    rows = (
        splits.train if trial.size is None else nested(splits.train, contest.task, [trial.size], trial.seed)[trial.size]
    )
    contender = contenders.load(_members.divide(trial.contender)[0], trial.options)
    members = dict(zip(contender.members, job.members, strict=True))
    attempts: list[Attempt] = []
    earlier: list[float] = []  # seconds before interruptions
    run = Run(
        trial.seed,
        job.folder,
        terms.metric,
        terms.minutes,
        terms.device,
        progress,
        contest.shared,
        unlabelled_for(trial, terms),
        fitted=lambda name: _lend(contest, members[name]),
        attempted=attempts.append,
        resumed=earlier.append,
        tracking=Tracking(terms.track, terms.folder / "tracking" / file_name(job), job.folder),
        replace_others=True,  # the folder's name is a hash of settings, data and seed
    )
    with meter.measured() as fit:
        fitted = contender.fit(rows, splits.validation, contest.task.fitted(rows), run)
        fitted, temperature = confidence.calibrated(fitted, splits.validation)
        fitted = thresholds.chosen(fitted, splits.validation, terms.metric)
        _check_unchanged(job)
    saved = job.folder.with_suffix(".model")
    note = {
        "contender": trial.contender,
        "seed": trial.seed,
        "rows": len(rows),
        "seconds": fit.seconds + sum(earlier) + fitted.reused_seconds,
        "reused_seconds": fitted.reused_seconds,
        "peak_bytes": fit.peak_bytes,
        "attempts": [dataclasses.asdict(attempt) for attempt in attempts],
        "temperature": temperature,
    }
    models.save(fitted, saved, note)
    contest.trained[saved] = fitted
    return saved


def judge(contest: Contest, job: Job, saved: Path, progress: Callable[[Progress], None] = lambda _: None) -> Record:
    """Predict validation and test once with the model of a job, measure its costs, and write its record.

    Args:
        saved: the folder that :func:`train` returned.
    """
    splits, terms, trial = contest.splits, contest.terms, job.trial
    note = models.note_of(saved)
    fitted = contest.trained.pop(saved, None) or model_folder.open_model(saved)
    progress(Progress("judging", 1.0))
    held_out = fitted.judge(splits.validation)
    validation = metric_values(fitted.task, held_out, splits.validation)
    confidence.store(saved, held_out)
    openings.log(terms, job, job.key in contest.asked)
    with meter.measured() as bulk:
        predictions = fitted.judge(splits.test)
    if job.key in contest.asked:
        stress_records.write(job, terms, fitted)
    # Timed on validation texts: the test rows are predicted once.
    p50, p95 = meter.latency(fitted, splits.validation.inputs)
    disk_bytes = models.whole_bytes(saved)
    if trial.size is None:
        models.keep(job, terms, saved, {**note, "validation": models.merit(validation, fitted.task, terms)})
    attempts = [Attempt(**attempt) for attempt in note["attempts"]]
    record = Record(
        trial=trial,
        train_rows=note["rows"],
        scores=metric_values(fitted.task, predictions, splits.test),
        clean_scores=_without(splits, fitted.task, predictions),
        validation=validation,
        calibration=confidence.measured(fitted.task, predictions, splits.test, note.get("temperature", 1.0)),
        cost=Cost(
            train_seconds=note["seconds"],
            peak_bytes=note["peak_bytes"],
            parameters=fitted.parameters,
            trained_parameters=fitted.trained_parameters,
            disk_bytes=disk_bytes,
            latency_p50=p50,
            latency_p95=p95,
            throughput=len(splits.test) / bulk.seconds,
            cut_off=fitted.cut_off(splits.test.inputs),
            reused_seconds=note["reused_seconds"],
        ),
        data_sha256=splits.sha256,
        machine=devices.describe(terms.device),
        commit=_commit(),
        made=openings.now(),
        path=str(record_path(job, terms)),
        predictions=replace(predictions, parts=None),
        built_on=job.built_on,
        collapsed=bool(attempts and attempts[-1].collapsed),
        retried=any(attempt.rate_factor < 1 for attempt in attempts),
        rate_factor=min((attempt.rate_factor for attempt in attempts), default=1.0),
        collapse=next((attempt.collapsed for attempt in attempts if attempt.collapsed), ""),
    )
    write_record(record, splits.test)
    shutil.rmtree(job.folder, ignore_errors=True)
    if job.key not in contest.wanted:
        models.delete(saved)
    return record


def _check_unchanged(job: Job) -> None:
    """Check that what a model was trained from is still what its trial's key was computed from.

    Raises:
        TrainingError: a folder was changed in the meantime.
    """
    for model, known in job.built_on.items():
        if not model.startswith("hf://") and contents.sha256(model) != known:
            raise TrainingError(
                f"'{model}' changed while '{title(job.trial)}' was trained from it; run the comparison again."
            )


# --- models that others build on -------------------------------------------------------------------------------


def _all_members(job: Job) -> Iterator[Job]:
    """Yield all jobs that a trial builds on, directly or indirectly, each after those it builds on itself."""
    for member in job.members:
        yield from _all_members(member)
        yield member


def _make_ready(contest: Contest, job: Job, progress: Callable[[Progress], None]) -> None:
    """Train a model that another trial builds on, unless it exists or failed before."""
    name = title(job.trial)
    if models.find(job, contest.terms) is not None or name in contest.failed:
        return
    contender = job.trial.contender
    try:
        saved = train(contest, job, lambda news: progress(replace(news, stage=f"{contender}: {news.stage}")))
    except DiskError:
        raise
    except HeadstartError as error:
        contest.failed[name] = str(error)
        return
    del contest.trained[saved]
    shutil.rmtree(job.folder, ignore_errors=True)


def _lend(contest: Contest, job: Job) -> tuple[Fitted, float]:
    """Open the model of a trial; return it with the seconds of its training.

    Raises:
        TrainingError: it could not be trained.
    """
    folder = models.find(job, contest.terms)
    if folder is None:
        name = title(job.trial)
        raise TrainingError(f"'{name}' could not be trained, so nothing builds on it: {contest.failed[name]}")
    return model_folder.open_model(folder), models.note_of(folder)["seconds"]


def _without(splits: Splits, task: Task, predictions: Predictions) -> dict[str, float] | None:
    """Score on the test rows that do not occur in train or validation; None if there are no others."""
    unleaked = [place for place, name in enumerate(splits.test.ids) if name not in splits.leaked]
    if not splits.leaked or not unleaked:
        return None
    probabilities, likelihoods = predictions.probabilities, predictions.likelihoods
    some = replace(
        predictions,
        values=tuple(predictions.values[place] for place in unleaked),
        probabilities=None if probabilities is None else probabilities[unleaked],
        likelihoods=None if likelihoods is None else likelihoods[unleaked],
    )
    return metric_values(task, some, splits.test.take(unleaked))


@functools.cache
def _commit() -> str:
    """Return the commit of Headstart's own checkout, with '+' if files have changed since; '' outside one.

    Computed once at the start of the contest: the code in memory is from then, whatever is committed later.
    """
    here = Path(__file__).parent
    if not any((folder / ".git").exists() for folder in here.parents[:4]):
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
