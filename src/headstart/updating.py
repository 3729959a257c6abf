"""Continue a comparison's model with new rows or a new class, unless that makes it worse at what it knew.

The old training rows are trained on again beside the new ones, and the old test rows judge the result: what is lost on
them beyond noise refuses the update.
"""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from headstart import tasks
from headstart.checkpoints import manifest
from headstart.contenders import _continued
from headstart.contenders._neural import Neural
from headstart.contenders.linear import FittedLinear, Linear
from headstart.contest import confidence, thresholds
from headstart.core import checked
from headstart.core import device as devices
from headstart.core.contracts import Fitted, Task, Value, joined_texts
from headstart.core.errors import DataError, HeadstartError, UsageError, shown
from headstart.core.files import append_line
from headstart.core.records import Predictions, Rows, Run, Splits, Table
from headstart.core.results import Interval
from headstart.core.tally import Metric, named
from headstart.data import read as reading
from headstart.data._near import copies
from headstart.data.split import read_and_split
from headstart.metrics import format as form
from headstart.metrics import stats
from headstart.saved import model_folder
from headstart.tasks.classification import Classification

RESULT = "result.json"
SUFFIX = ".update.json"
TEST, VALIDATION = 0.2, 0.1  # of the new rows
FEWEST = 5  # rows of a new class


class UpdateRefusedError(HeadstartError):
    """The update makes the model worse at what it knew."""


@dataclass(frozen=True)
class Change:
    """The scores of a model on the same rows before and after an update.

    on: which rows: 'old test rows', 'new rows' of old classes, or 'new classes'.
    rows: their number.
    metric: the score.
    before: score before, with its 95 % interval.
    after: score after.
    difference: after minus before, paired by rows, so that a positive one is better whatever the metric.
    p_value: of no difference.
    """

    on: str
    rows: int
    metric: str
    before: Interval
    after: Interval
    difference: Interval
    p_value: float

    @property
    def worse(self) -> bool:
        """Whether the score is worse beyond noise."""
        return self.difference.high < 0


@dataclass(frozen=True)
class Update:
    """A finished update.

    folder: of the new model.
    record: file with everything below and the sources of the rows.
    changes: scores before and after.
    new_classes: classes that the model did not have.
    """

    folder: Path
    record: Path
    changes: tuple[Change, ...]
    new_classes: tuple[str, ...]


@dataclass(frozen=True)
class _Trained:
    """What is known of how a model was trained.

    result: the comparison's result.json.
    trial: the model's trial in it.
    """

    result: Mapping[str, Value]
    trial: Mapping[str, Value]


def update(
    model: str | Path,
    more: Any,
    *,
    data: Any = None,
    test: Any = None,
    validation: Any = None,
    group: str | None = None,
    time: str | None = None,
    encoding: str | None = None,
    out: str | Path | None = None,
    force: bool = False,
    device: str = "auto",
    seed: int = 0,
) -> Update:
    """Continue the model of a comparison with more rows, and save it if it is not worse on the old test rows.

    A Transformer is trained further from its weights, without new classes at a third of its learning rate; a linear
    model is fitted again.
    Both get all old training rows beside the new ones. A fifth of the new rows is held out for a test, a tenth for
    validation; copies of old test or validation rows are left out. The record is next to the new folder.

    Args:
        model: the model's folder in its comparison's, such as ``runs/NAME/best``.
        more: new rows, with the columns of the old ones.
        data: the data of the comparison; None to look for the file by its name. Must be the same rows.
        test: the test rows of the comparison, if it was given any.
        validation: likewise.
        group: as in the comparison.
        time: as in the comparison.
        encoding: of the files.
        out: the new folder; None for that of the model with '-updated' at its end.
        force: save the model even if it is worse on the old test rows.
        device: 'auto', 'cpu' or 'cuda'.
        seed: of the division of the new rows, and of the training.

    Raises:
        UsageError: the folder is no model of a comparison, or one that cannot be continued; the data is missing; or a
            new class has no costs where the others have.
        DataError: other rows than those of the comparison, or too few new ones.
        UpdateRefusedError: the model would be worse on the old test rows; nothing was written.
    """
    model = Path(model)
    fitted, trained = _opened(model)
    table, splits = _old_rows(model, trained, data, test, validation, group, time, encoding)
    rules = fitted.task  # with its costs
    new = reading.read(more, rules, encoding=encoding, like=table)
    parts, left_out = divide(new.rows, splits, rules, fitted.task.classes, seed)
    _check_costs(rules, new.rows.targets)
    train, held_out = (_joined(*pair) for pair in zip((splits.train, splits.validation), parts[:2], strict=True))
    task = replace(rules.fitted(train), input_columns=fitted.task.input_columns)
    tested = {"old test rows": splits.test, **_by_class(parts[2], fitted.task.classes)}
    before = {name: fitted.predict(rows.inputs) for name, rows in tested.items()}
    with tempfile.TemporaryDirectory(prefix="headstart-") as folder:
        run = Run(seed, Path(folder), metric=trained.result["metric"], device=devices.choose(device))
        updated = _trained_further(fitted, train, held_out, task, run, trained.trial)
        updated = thresholds.chosen(confidence.calibrated(updated, held_out)[0], held_out, run.metric)
        after = {name: updated.predict(rows.inputs) for name, rows in tested.items()}
        opening = {"when": _now(), "trial": f"update of {model.name}", "seed": seed}
        append_line(model.parent / "test_openings.jsonl", json.dumps(opening))
        changes = tuple(
            _change(name, rows, before[name], after[name], task, trained.result["metric"])
            for name, rows in tested.items()
        )
        _refuse_if_worse(changes, task, force)
        place = Path(out) if out is not None else model.with_name(f"{model.name}-updated")
        updated.save(place)
    classes = tuple(name for name in task.classes if name not in fitted.task.classes)
    record = place.with_name(f"{place.name}{SUFFIX}")
    values = {
        "model": str(model),
        "made": _now(),
        "forced": force and any(change.worse for change in changes),
        "new_classes": classes,
        "rows": {
            "old": {"train": len(splits.train), "validation": len(splits.validation), "test": len(splits.test)},
            "new": {name: len(rows) for name, rows in zip(("train", "validation", "test"), parts, strict=True)},
            "left_out_as_copies": left_out,
            "rejected": len(new.rejected),
        },
        "data": {"old_splits_sha256": splits.sha256, "new": new.name, "new_sha256": new.sha256},
        "changes": [asdict(change) for change in changes],
        "seed": seed,
        "machine": dict(devices.describe(run.device)),
    }
    checked.write(record, values)
    return Update(place, record, changes, classes)


def sentences(update: Update) -> list[str]:
    """Word an update, a line for each group of rows."""
    rules = model_folder.task_of(update.folder)
    lines = [worded(change, named(rules.metrics, change.metric)) for change in update.changes]
    if update.new_classes:
        lines.append(f"New: {', '.join(map(shown, update.new_classes))}.")
    return [*lines, f"Model: {update.folder}. Record: {update.record}."]


def worded(change: Change, metric: Metric) -> str:
    """Word one line: scores before and after, and their difference with its interval.

    >>> from headstart.metrics import labels
    >>> half, most = Interval(0.5, 0.4, 0.6), Interval(0.9, 0.8, 1.0)
    >>> worded(Change("new rows", 50, "accuracy", half, most, Interval(0.4, 0.3, 0.5), 0.001), labels.METRICS[0])
    'new rows (50): accuracy 50.0 ± 10.0 % before, 90.0 ± 10.0 % after; better by +40.0 (+30.0 to +50.0)'
    """
    return (
        f"{change.on} ({change.rows}): {metric.name} {form.plus_minus(metric, change.before)} before, "
        f"{form.plus_minus(metric, change.after)} after; better by {form.signed(metric, change.difference)}"
    )


def divide(
    new: Rows, splits: Splits, task: Task, known: Sequence[str], seed: int
) -> tuple[tuple[Rows, Rows, Rows], int]:
    """Divide new rows into train, validation and test, with the same shares of each class and copies in one part.

    Copies of old training rows are training rows.

    Args:
        new: the new rows.
        splits: the old ones; new rows that are copies of their test or validation rows are left out.
        task: gives texts and classes of rows.
        known: the model's classes.
        seed: random seed.

    Returns:
        the three parts, and the number of rows that were left out.

    Raises:
        DataError: too few rows of a new class, or too few for any to be held out.
    """
    texts = joined_texts(task, new.inputs)
    old = [joined_texts(task, part.inputs) for part in (splits.train, splits.validation, splits.test)]
    near = copies([*texts, *(text for part in old for text in part)]).near
    trained, held_out = {near[text] for text in old[0]}, {near[text] for part in old[1:] for text in part}
    usable = [place for place, text in enumerate(texts) if near[text] not in held_out]
    by_class: dict[str, dict[int, list[int]]] = {}  # class -> group of copies -> places
    for place in usable:
        by_class.setdefault(new.targets[place], {}).setdefault(near[texts[place]], []).append(place)
    chance = np.random.default_rng(seed)
    sides: dict[int, int] = dict.fromkeys(trained, 0)  # group -> part
    for label, groups in sorted(by_class.items()):
        count = sum(map(len, groups.values()))
        if label not in known and count < FEWEST:
            raise DataError(f"only {count} usable rows of the new class {shown(label)}; give at least {FEWEST}.")
        free = [group for group in groups if group not in sides]
        wanted = {2: round(TEST * count), 1: round(VALIDATION * count)}
        if label not in known:
            wanted = {part: max(size, 1) for part, size in wanted.items()}
        for group in chance.permutation(free).tolist():
            part = next((part for part, size in wanted.items() if size > 0), 0)
            sides[group] = part
            wanted[part] = wanted.get(part, 0) - len(groups[group])
    parts = tuple(new.take([p for p in usable if sides[near[texts[p]]] == part]) for part in range(3))
    if not parts[0] or not parts[2]:
        raise DataError(
            f"{len(new)} new rows, of which {len(usable)} are no copies of old test or validation rows, are too few to "
            "train and to test with; give more."
        )
    return (parts[0], parts[1], parts[2]), len(new) - len(usable)


def _opened(model: Path) -> tuple[Fitted, _Trained]:
    """Open a model that can be continued, and find out how it was trained."""
    fitted = model_folder.open_model(model)
    if fitted.task.kind != "label":
        raise UsageError(f"'{model}' is for another kind of task; only models with one label per text can be updated.")
    if fitted.task.tabular.names:
        raise UsageError(f"'{model}' reads columns beside the text, which no update does; compare again with all rows.")
    if not isinstance(fitted, Neural | FittedLinear):
        contender = manifest.read(model).contender
        raise UsageError(
            f"a model of '{contender}' cannot be continued, only a Transformer or 'linear'; compare again with all "
            "rows."
        )
    if model.with_name(f"{model.name}{SUFFIX}").exists():
        raise UsageError(
            f"'{model}' is an update itself, of which not all rows are known; update the comparison's model with all "
            "new rows in one file."
        )
    if model.absolute().name != "best" or not (model.parent / RESULT).is_file():
        raise UsageError(f"'{model}' is not the model of a comparison; name one such as runs/NAME/best.")
    result = checked.read(model.parent / RESULT, "run the comparison again: it trains nothing twice")
    trial = next(
        one["trial"]
        for one in result["trials"]
        if one["trial"]["size"] is None and one["trial"]["contender"] == result["best"]
    )
    return fitted, _Trained(result, trial)


def _old_rows(
    model: Path,
    trained: _Trained,
    data: Any,
    test: Any,
    validation: Any,
    group: str | None,
    time: str | None,
    encoding: str | None,
) -> tuple[Table, Splits]:
    """Read and split the data of the comparison again."""
    known = trained.result["data"]
    if data is None:
        places = [Path(known["name"]), model.parent.parent / known["name"], model.parent.parent.parent / known["name"]]
        data = next((place for place in places if place.is_file()), None)
        if data is None:
            raise UsageError(f"the data of the comparison, {shown(known['name'])}, is not here; name it with --data.")
    table, splits = read_and_split(
        data,
        tasks.load(trained.result["task"]),
        test,
        validation,
        columns=known["columns"],
        group=group,
        time=time,
        encoding=encoding,
        seed=min(trial["trial"]["seed"] for trial in trained.result["trials"]),
    )
    if splits.sha256 != trained.result["splits"]["sha256"]:
        what = "its split" if table.sha256 == known["sha256"] else "the data"
        raise DataError(
            f"{table.name} does not give {what} of the comparison in '{model.parent}'; name the same data with --data, "
            "and the same --test, --validation, --group and --time."
        )
    return table, splits


def _check_costs(task: Task, targets: Sequence[str]) -> None:
    if not isinstance(task, Classification) or not task.costs.values:
        return
    for name in sorted(set(targets) - set(task.costs.classes)):
        raise UsageError(
            f"the model's errors have costs, and the new class {shown(name)} has none; compare again with all rows and "
            "a larger file of costs."
        )


def _by_class(rows: Rows, known: Sequence[str]) -> dict[str, Rows]:
    """Divide rows into those of old classes and those of new ones; neither without rows."""
    old = np.isin(np.array(rows.targets, dtype=object), list(known))
    parts = {"new rows": rows.take(np.flatnonzero(old)), "new classes": rows.take(np.flatnonzero(~old))}
    return {name: part for name, part in parts.items() if len(part)}


def _joined(old: Rows, new: Rows) -> Rows:
    return Rows((*old.ids, *new.ids), (*old.inputs, *new.inputs), (*old.targets, *new.targets))


def _trained_further(
    fitted: Fitted, train: Rows, validation: Rows, task: Task, run: Run, trial: Mapping[str, Value]
) -> Fitted:
    if isinstance(fitted, Neural):
        return _continued.fit(fitted, train, validation, task, run, options=trial["options"], tuning=trial["tuning"])
    return Linear(features=trial["options"]["features"]).fit(train, validation, task, run)


def _change(on: str, rows: Rows, before: Predictions, after: Predictions, task: Task, metric: str) -> Change:
    """Score the same rows before and after; of a new class it only matters how many of its rows are recognised."""
    names = [one.name for one in task.metrics]
    chosen = named(task.metrics, "accuracy" if on == "new classes" and "accuracy" in names else metric)
    tallies = [[task.tally(predictions, rows.targets)] for predictions in (after, before)]
    groups = stats.group_numbers(rows)
    compared = stats.difference(stats.joint(tallies, chosen, groups=groups), 0, 1)
    new, old = (stats.interval(team, chosen, groups=groups) for team in tallies)
    return Change(on, len(rows), chosen.name, old, new, compared.difference, compared.p_value)


def _refuse_if_worse(changes: Sequence[Change], task: Task, force: bool) -> None:
    worse = next((change for change in changes if change.on == "old test rows" and change.worse), None)
    if worse is None or force:
        return
    lines = "; ".join(worded(change, named(task.metrics, change.metric)) for change in changes)
    raise UpdateRefusedError(
        f"the update was not saved, since it is worse beyond noise on what the model knew: {lines}. Give more rows, "
        "check their labels, compare again with all rows, or save it all the same with --force."
    )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
