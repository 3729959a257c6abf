"""The names that a call can use, and checks for usage errors, before torch and scikit-learn are loaded (seconds).

These functions only call, earlier, the same checks that the call itself makes later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

from headstart import tasks, trackers
from headstart.checkpoints import hub, manifest
from headstart.contenders._choices import Size
from headstart.contest import backbones, plan, windows
from headstart.core import device as devices
from headstart.core import rooms
from headstart.core.abstain import parse
from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.core.tally import named
from headstart.data.roles import Given, given_columns
from headstart.data.tabular import Named
from headstart.data.tabular import reading as with_columns
from headstart.export import place

ROOMS = ("contenders", "strategies", "tasks", "trackers", "stress")
MANY_ROWS = 10**9  # no size of a learning curve is larger


def catalogue() -> dict[str, dict[str, str]]:
    """Return the names of all contenders, strategies, tasks and packaged models, each with a description."""
    plugins = {room: {name: rooms.promise(room, name) for name in rooms.names(room)} for room in ROOMS}
    return {**plugins, "models": {name: model.description for name, model in hub.PACKAGED.items()}}


def check_compare(
    sources: Sequence[str | None],
    unlabelled: str | None,
    *,
    task: str | None,
    columns: Given,
    features: Named = None,
    costs: str | None = None,
    encoding: str | None,
    contenders: Sequence[str] | None,
    strategies: Sequence[str] | None,
    backbone: str,
    options: Mapping[str, str],
    sizes: Sequence[str] | None,
    metric: str | None,
    augment: str,
    device: str,
    track: str | None,
) -> None:
    """Check the arguments of `api.compare`.

    Args:
        sources: files with data besides `unlabelled`, the first with the training rows; None is skipped.
        columns: role -> named columns, those of `text` and `label` too.
        The others: as in `api.compare`.

    Raises:
        UsageError: an unknown name, option, value or device.
        DataError: no such file, or a file of costs that cannot be used.
    """
    from headstart import reading

    check_sources([*sources, unlabelled])
    trackers.known(track)
    devices.check(device)
    rules = reading.task(task or reading.guess(sources[0], encoding, columns, features), features, costs, metric)
    given_columns(rules.columns, columns)
    if metric is not None:
        named(rules.metrics, metric)
    planned = plan.plan(
        task=rules,
        train_rows=MANY_ROWS,
        contenders=contenders or plan.default_contenders(rules),
        strategies=strategies or plan.STRATEGIES,
        backbone=backbone,
        options=options,
        sizes=(*(sizes or ()), "all"),
        augment=augment,
    )
    if unlabelled is not None:
        plan.check_reads_unlabelled(planned.trials)
    for trial in planned.trials:
        for part in (trial, *trial.members):
            if "strategy" in part.options:
                hub.check(part.options["backbone"])


def check_check(
    sources: Sequence[str | None],
    *,
    task: str | None,
    columns: Given,
    features: Named = None,
    encoding: str | None,
    backbone: str,
    options: Mapping[str, str],
) -> None:
    """Check the arguments of `api.check`. Raises: as :func:`check_compare`."""
    from headstart import reading

    check_sources(sources)
    windows.readers(options)
    rules = with_columns(tasks.load(task or reading.guess(sources[0], encoding, columns, features)), features)
    given_columns(rules.columns, columns)
    for source in backbones.read(backbone):
        hub.check(source)


def check_pretrain(files: Sequence[Path], *, size: str, start: str, device: str, track: str | None) -> None:
    """Check the arguments of `api.pretrain`. Raises: as :func:`check_compare`."""
    check_sources([str(file) for file in files])
    if size not in get_args(Size):
        raise UsageError(f"no size {shown(size)}; {did_you_mean(size, get_args(Size))}")
    if start:
        hub.check(start)
    trackers.known(track)
    devices.check(device)


def check_demo(name: str) -> None:
    """Check the argument of `api.demo`. Raises: as :func:`check_compare`."""
    from headstart.data import demo as demos

    if name not in demos.NAMES:
        raise UsageError(f"no demonstration {shown(name)}; {did_you_mean(name, demos.NAMES)}")


def check_predict(model: str, file: Path, columns: Given, abstain: str | None = None) -> None:
    """Check the arguments of `prediction.predict_file`.

    Raises:
        DataError: no such file.
        CheckpointError: no such model folder, or one whose manifest is damaged.
        UsageError: a role that the model's task does not have, or a rule of abstaining that cannot be parsed.
    """
    check_sources([str(file)])
    if abstain is not None:
        parse(abstain)
    task = manifest.read(Path(model)).task
    if task in rooms.names("tasks"):  # of another, the model itself says what is wrong
        given_columns([column for column in tasks.load(task).columns if not column.target], columns)


def check_chat(model: str) -> None:
    """Check the model of the command chat, see `chatting.open_model`.

    Raises:
        CheckpointError: a model folder whose manifest is damaged.
        UsageError: no such model, or one that was trained for another task.
    """
    hub.check(model)
    folder = Path(model).expanduser()
    if model not in hub.PACKAGED and folder.is_dir() and manifest.there(folder):
        task = manifest.read(folder).task
        if task != "generation":
            raise UsageError(
                f"'{model}' was trained for the task '{task}', and conversations need a model of the task generation; "
                "headstart predict predicts with it."
            )


def check_stress(model: str, file: Path, only: Sequence[str] | None) -> None:
    """Check the arguments of `prediction.stress_file`.

    Raises:
        DataError: no such file.
        CheckpointError: no such model folder, or one whose manifest is damaged.
        UsageError: no such transformation.
    """
    check_sources([str(file)])
    manifest.read(Path(model))
    for name in only or ():
        rooms.plugin("stress", name)


def check_explain(model: str, file: Path | None, texts: Sequence[str], method: str | None, columns: Given) -> None:
    """Check the arguments of the command explain.

    Raises:
        DataError: no such file.
        CheckpointError: no such model folder, or one whose manifest is damaged.
        UsageError: a file and texts, or neither; no method of this name, or a role that the model's task does not have.
    """
    from headstart import explain

    if (file is None) == (not texts):
        raise UsageError("give a FILE or a text with --text: one of them, not both.")
    if method is not None:
        explain.check_method(method)
    check_sources([None if file is None else str(file)])
    task = manifest.read(Path(model)).task
    if task in rooms.names("tasks"):  # of another, the model itself says what is wrong
        given_columns(tasks.load(task).columns, columns)


def check_export(model: str, out: Path, *, to: str, data: str | None) -> None:
    """Check the arguments of `export.job.export`.

    Raises:
        DataError: no such file.
        CheckpointError: no such model folder, or one whose manifest is damaged.
        UsageError: no such format, or a folder with other content.
    """
    check_sources([data])
    place.check(to, out)
    manifest.read(Path(model))


def check_sources(sources: Sequence[str | None]) -> None:
    """Make sure that files with data exist; addresses on the hub and standard input are skipped.

    Raises:
        DataError: no such file.
    """
    from headstart.data import _hub
    from headstart.data._files import check_exists
    from headstart.data._spool import STDIN

    for source in sources:
        if source is not None and source != STDIN and not source.startswith(_hub.PREFIX):
            check_exists(Path(source))
