"""The models that a contest keeps: the best of each contender for good, and until it ends those that others build on.

Beside each folder lies a note of the same name with '.json': contender, seed, seconds of training, and the score on
validation where it is kept for good. A folder without its note was not written to its end.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headstart.contest.ledger import write_whole
from headstart.contest.trials import Terms, key
from headstart.core.errors import CheckpointError
from headstart.core.records import Record, Splits, Trial


def kept_model(splits: Splits, records: Sequence[Record], terms: Terms, contender: str) -> Path:
    """Return the folder with the model of a contender on all rows: of its seeds, the one that did best on validation.

    Raises:
        CheckpointError: the contender has no such model, or it was deleted.
    """
    trials = (record.trial for record in records if record.trial.contender == contender and record.trial.size is None)
    trial = next(trials, None)
    model = _model_folder(splits, trial, terms) if trial else terms.folder / "models" / "nothing"
    if not model.is_dir():
        raise CheckpointError(
            f"'{terms.folder}' holds no model of '{contender}' on all rows; compare again with another --out."
        )
    return model


def keep_best(model: Path, terms: Terms) -> Path:
    """Lay a model at ``best/`` with all that is in its folder, without copying anything."""
    best, fresh = terms.folder / "best", terms.folder / "best.new"
    shutil.rmtree(fresh, ignore_errors=True)
    shutil.copytree(model, fresh, copy_function=_link)
    shutil.rmtree(best, ignore_errors=True)
    fresh.rename(best)
    return best


def keep(splits: Splits, trial: Trial, terms: Terms, saved: Path, note: dict[str, Any]) -> None:
    """Keep this model if no seed before did better on validation."""
    folder = _model_folder(splits, trial, terms)
    if note_of(folder).get("validation", float("-inf")) >= note["validation"]:
        return
    folder.parent.mkdir(exist_ok=True)
    # A kill from here on leaves no note, so that the trial, run again, writes the model.
    delete(folder)
    shutil.copytree(saved, folder, copy_function=_link)
    write_whole(folder.with_suffix(".json"), json.dumps(note))


def find(splits: Splits, trial: Trial, terms: Terms) -> Path | None:
    """Find the model of a trial where this contest keeps it, or among those kept for good."""
    here = terms.folder / "work" / f"{key(splits, trial, terms)}.model"
    if here.is_dir() and note_of(here):
        return here
    kept = _model_folder(splits, trial, terms)
    note = note_of(kept) if trial.size is None else {}
    return kept if note.get("seed") == trial.seed and "seconds" in note else None


def lay_down(fitted: Any, folder: Path, note: dict[str, Any]) -> None:
    """Save a model, and beside it what is to be known of it."""
    fitted.save(folder)
    write_whole(folder.with_suffix(".json"), json.dumps(note))


def note_of(folder: Path) -> dict[str, Any]:
    """Read the note beside a model; empty where there is none."""
    path = folder.with_suffix(".json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def delete(folder: Path) -> None:
    """Delete a folder, the note beside it first."""
    folder.with_suffix(".json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _model_folder(splits: Splits, trial: Trial, terms: Terms) -> Path:
    return terms.folder / "models" / key(splits, trial, terms, with_seed=False)


def _link(source: str, target: str) -> None:
    """Give a file a second name; copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
