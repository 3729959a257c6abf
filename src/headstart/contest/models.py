"""The models that a contest stores: the best of each contender permanently, and temporarily those that others build on.

runs/NAME/models/KEY/        a permanent model, and int8.json if its 8-bit version was compared
runs/NAME/models/KEY.json    its note: contender, group of sister trials, seed, seconds of training, validation score

A folder without its note is unfinished. The winner of a reported result is never deleted, so that the result predicts
as before after later comparisons.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from headstart.checkpoints import _rows, manifest
from headstart.contest import meter
from headstart.contest.trials import Job, Terms
from headstart.core import files, sealed
from headstart.core.contracts import Fitted, Task, Value
from headstart.core.errors import CheckpointError
from headstart.core.files import replacing_folder, write_text, writing
from headstart.core.tally import named
from headstart.saved import model_folder

ANNOUNCED = "announced"


def announce(model: Path, terms: Terms, card: Callable[[Path], str] = lambda _: "") -> None:
    """Link a model to ``best/`` with all its files, and protect it from later comparisons.

    Args:
        model: the model's folder.
        terms: the settings common to all trials.
        card: returns the text of its model card, given a folder with all its files; '' for none.

    Raises:
        CheckpointError: the model's folder is not what was saved; ``best/`` is then left unchanged.
    """
    with naming_record(model, terms):
        manifest.verify(model)
    sealed.write_note(model.with_suffix(".json"), {**note_of(model), ANNOUNCED: True})
    with replacing_folder(terms.folder / "best", flushed=True) as best:
        _copy(model, best)
        if model_folder.complete(best):
            # The winner no longer depends on any backbone, and shares its files with 'best'.
            with replacing_folder(model, flushed=True) as whole:
                _copy(best, whole)
        if text := card(best):
            manifest.remove(best, manifest.CARD)  # earlier versions listed it
            write_text(best / manifest.CARD, text)


@contextmanager
def naming_record(model: Path, terms: Terms) -> Iterator[None]:
    """Add to the error of a damaged model how to have it trained again.

    Raises:
        CheckpointError: it was raised inside.
    """
    try:
        yield
    except CheckpointError as error:
        record = terms.folder / "trials" / f"{model.name}.json"
        raise CheckpointError(
            f"{str(error).rstrip('.')}; or delete '{record}' and run the comparison again, which trains the model anew."
        ) from error


def keep(job: Job, terms: Terms, saved: Path, note: dict[str, Value]) -> None:
    """Store this model, unless a sister trial is at least as good on validation; delete those that are worse.

    Args:
        job: its trial.
        terms: the settings common to all trials.
        saved: the folder it was saved in.
        note: with its 'validation' score, of which higher is better.
    """
    others = _permanent(job.group, terms)
    if any(other["validation"] >= note["validation"] for model, other in others if model.name != job.key):
        return
    folder = terms.folder / "models" / job.key
    # A kill from here on leaves no note, so that the trial, when rerun, writes the model.
    announced = note_of(folder).get(ANNOUNCED, False)
    delete(folder)
    with writing(folder):
        _copy(saved, folder)
    sealed.write_note(folder.with_suffix(".json"), {**note, "group": job.group, ANNOUNCED: announced})
    for model, other in others:
        if model != folder and not other[ANNOUNCED]:
            delete(model)


def merit(validation: Mapping[str, float], task: Task, terms: Terms) -> float:
    """Return the score that decides among seeds, with its sign turned if lower is better.

    Args:
        validation: metric -> value on the validation rows.
        task: whose metrics these are.
        terms: with the metric that decides.
    """
    return named(task.metrics, terms.metric).sign * validation[terms.metric]


def best_of(job: Job, terms: Terms) -> Path | None:
    """Return the stored model with the best validation score of a trial and its sisters; None if there is none."""
    candidates = _permanent(job.group, terms)
    return max(candidates, key=lambda one: (one[1]["validation"], -one[1]["seed"]))[0] if candidates else None


def find(job: Job, terms: Terms) -> Path | None:
    """Return the model of a trial from the temporary or permanent models; None if it is missing or damaged."""
    for folder in (terms.folder / "work" / f"{job.key}.model", terms.folder / "models" / job.key):
        if folder.is_dir() and note_of(folder) and is_sound(folder):
            return folder
    return None


def is_sound(folder: Path) -> bool:
    """Say whether a model's folder is what was saved."""
    try:
        manifest.verify(folder)
    except CheckpointError:
        return False
    return True


def save(fitted: Fitted, folder: Path, note: dict[str, Value]) -> None:
    """Save a model and its note; of the word embeddings only the changed rows, see `checkpoints._rows`."""
    fitted.save(folder, whole=False)
    sealed.write_note(folder.with_suffix(".json"), note)


def whole_bytes(folder: Path) -> int:
    """Return the size of a saved model as if it had all its weights."""
    return meter.folder_bytes(folder) + _rows.left_out(folder)


def remove_leftovers(terms: Terms, wanted: Collection[str]) -> None:
    """Delete what killed runs left in the folder of a contest, which this process holds alone.

    That is folders that were not complete yet, models without a note, and work of trials that have a record.

    Args:
        wanted: keys of trials whose models are needed all the same.
    """
    work, permanent = terms.folder / "work", terms.folder / "models"
    for place in (terms.folder, permanent, work, work / "shared"):
        files.remove_leftovers(place)
    # Names that earlier versions gave.
    for leftover in (terms.folder / "best.new", *permanent.glob("*.whole"), *permanent.glob(".*"), *work.glob(".*")):
        shutil.rmtree(leftover, ignore_errors=True)
    for model in permanent.iterdir() if permanent.is_dir() else ():
        if model.is_dir() and not model.with_suffix(".json").is_file():
            shutil.rmtree(model, ignore_errors=True)
    for leftover in sorted(work.glob("*")):
        key = leftover.name.partition(".")[0]
        if key in wanted or not (terms.folder / "trials" / f"{key}.json").is_file():
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink()


def note_of(folder: Path) -> dict[str, Value]:
    """Read a model's note; empty if there is none or it is damaged, in which case it is deleted."""
    return sealed.take_note(folder.with_suffix(".json")) or {}


def delete(folder: Path) -> None:
    """Delete a folder, its note first."""
    for path in (folder.with_suffix(".json"), folder):
        sealed.remove(path)


def _permanent(group: str, terms: Terms) -> list[tuple[Path, dict[str, Value]]]:
    """Return the permanent models of sister trials, with their notes."""
    folders = [path.with_suffix("") for path in sorted((terms.folder / "models").glob("*.json"))]
    notes = [(folder, note_of(folder)) for folder in folders if folder.is_dir()]
    return [(folder, note) for folder, note in notes if note.get("group") == group]


def _copy(source: Path, target: Path) -> None:
    """Fill a folder with second names of a folder's files."""
    shutil.copytree(source, target, copy_function=_link, dirs_exist_ok=True)


def _link(source: str, target: str) -> None:
    """Hard-link a file; copy it if the file system does not support links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
