"""Tiny comparisons in processes of their own, which end by themselves or are killed at a chosen moment."""

from __future__ import annotations

import atexit
import builtins
import csv
import gc
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.hostile._common import exit_code

CPU_SECONDS, SECONDS = 30, 200  # of a run: what takes longer hangs; the second where many processes share the machine
STEPS = 8  # of every training, with a checkpoint after each
WORDS = {"good": ["love", "great", "fine", "happy"], "bad": ["hate", "poor", "broken", "sad"]}
LETTERS = "vwxyz"
# Where several processes of the suite share what is made once.
SHARED = "HEADSTART_HOSTILE"
# What the operating system is asked for when something is written; each call is a moment to be killed at.
CALLS = ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir", "link", "posix_fallocate")

SCRATCH = ("--set", "scratch.layers=1", "--set", "scratch.width=16", "--set", "scratch.heads=2")
KINDS: dict[str, tuple[str, ...]] = {
    "linear": ("--contenders", "majority,linear", "--sizes", "20,all"),
    "frozen": ("--contenders", "finetuned:frozen", "--sizes", "20,all"),
    "partial": ("--contenders", "finetuned:partial", "--sizes", "20,all", "--set", "partial.blocks=1"),
    "full": ("--contenders", "finetuned:full", "--seeds", "2"),
    "collapsed": ("--contenders", "scratch", *SCRATCH, "--set", "scratch.learning_rate=30"),
    "distilled": (
        *("--contenders", "distilled", "--set", "distilled.student=1x16"),
        *("--set", "distilled.teacher=finetuned:full"),
    ),
    "selfpretrained": ("--contenders", "selfpretrained", "--set", "selfpretrained.vocabulary=60"),
    "ensemble": ("--contenders", "ensemble", *SCRATCH, "--set", "ensemble.members=linear+scratch"),
}


@dataclass(frozen=True)
class Ended:
    """How a run ended: its exit code (-9: killed, None: too slow), standard error, and the moments that it passed."""

    code: int | None
    err: str
    moments: int = 0


@dataclass(frozen=True)
class Moment:
    """When a run is killed: at its nth call that writes, or once a progress of this contender and stage is so far."""

    call: int = 0
    contender: str = ""
    stage: str = ""
    done: float = 0.0


@cache
def shared() -> Path:
    """Return the folder of what is made once, such as the backbone and the data."""
    known = os.environ.get(SHARED)
    if known:
        return Path(known)
    folder = Path(tempfile.mkdtemp(prefix="hostile-runs-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ[SHARED] = str(folder)
    _make_backbone(folder / "backbone")
    _make_data(folder / "texts.csv")
    return folder


def run(out: Path, kind: str, moment: Moment | None = None) -> Ended:
    """Run a kind of comparison in a forked process, as the command line does, and wait for its end."""
    place = shared()
    _warm_up()
    with tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as counted:
        child = os.fork()
        if child == 0:
            code = 70
            try:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(err.fileno(), 2)
                code = _in_child(place, out, kind, moment, counted.fileno())
            finally:
                os._exit(code)
        code = exit_code(child, SECONDS)
        err.seek(0)
        counted.seek(0)
        return Ended(code, err.read().decode("utf-8", "replace"), int(counted.read() or b"0"))


def results(out: Path) -> dict[str, Any]:
    """Read what a comparison found: scores, predictions and models, without what depends on time."""
    found: dict[str, Any] = {}
    for path in sorted((out / "trials").glob("*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        kept = ("trial", "scores", "clean_scores", "validation", "calibration", "collapsed", "retried", "collapse")
        found[f"trial {path.stem}"] = {name: values[name] for name in kept}
    for path in sorted((out / "trials").iterdir()):
        if path.suffix != ".json":
            found[f"predictions {path.name}"] = path.read_bytes()
    for folder in (*(path for path in sorted((out / "models").iterdir()) if path.is_dir()), out / "best"):
        # The card and the measurement of int8 hold times.
        timed = {"int8.json", "README.md"}
        weights = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in timed]
        found[f"model {folder.name}"] = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in weights
        }
    left = [name for name in ("result.json", "report.html") if not (out / name).is_file()]
    found["missing"] = left + [path.name for path in (out / "work").glob("[!.]*")]
    return found


@cache
def undisturbed(kind: str) -> dict[str, Any]:
    """Return what a kind of comparison finds that nobody disturbs."""
    return results(finished(kind))


@cache
def finished(kind: str) -> Path:
    """Return the folder of a comparison that nobody disturbed."""
    return _made(f"finished-{kind}", kind, None)


def moments(kind: str) -> int:
    """Return how many moments there are at which a kind of comparison can be killed."""
    finished(kind)
    return int((shared() / f"finished-{kind}.moments").read_text())


def killed(name: str, kind: str, moment: Moment) -> Path:
    """Return the folder that a comparison left which was killed at a moment."""
    return _made(f"killed-{name}", kind, moment)


def _made(name: str, kind: str, moment: Moment | None) -> Path:
    place = shared() / name
    if not place.is_dir():
        fresh = Path(tempfile.mkdtemp(dir=shared()))
        ended = run(fresh, kind, moment)
        if ended.code != (0 if moment is None else -signal.SIGKILL):
            raise RuntimeError(f"{name} ended with {ended.code}: {ended.err}")
        if moment is None:
            place.with_name(f"{name}.moments").write_text(str(ended.moments))
        fresh.rename(place)
    return place


# --- inside the child ----------------------------------------------------------------------------------------


def _in_child(place: Path, out: Path, kind: str, moment: Moment | None, counter: int) -> int:
    from headstart import cli
    from headstart.report import live

    _make_short(kind == "collapsed")
    passed = _count_calls(moment.call if moment else 0)
    if moment and moment.stage:
        take = live.Watch.__call__

        def watch(self: live.Watch, event: Any) -> None:
            news = event.progress
            here = news and event.trial.contender == moment.contender and news.stage.startswith(moment.stage)
            if here and news.done >= moment.done:
                os.kill(os.getpid(), signal.SIGKILL)
            take(self, event)

        live.Watch.__call__ = watch  # type: ignore[method-assign]  # replaced in this process alone
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    every = ("--seeds", "1", "--sizes", "all", "--backbone", place / "backbone", "--device", "cpu", "--out", out)
    code = cli.run([*map(str, ("compare", place / "texts.csv", *every)), *KINDS[kind]])
    os.write(counter, str(passed()).encode())
    return code


def _make_short(may_collapse: bool) -> None:
    """Leave out what takes time and keeps no state."""
    from headstart.contest import meter
    from headstart.report import build
    from headstart.training import collapse, loop

    meter.LATENCY_CALLS = 2
    if not may_collapse:
        collapse.reason = lambda *arguments, **named: ""
    build.html = lambda *arguments: "a report"
    loop.Settings.steps = lambda self, rows: STEPS  # type: ignore[method-assign]  # replaced in this process
    loop.train.__kwdefaults__["checkpoint_seconds"] = 0.0


def _count_calls(die_at: int) -> Callable[[], int]:
    """Count calls that write, and kill this process at one of them; return what gives the count so far.

    A file that is opened for writing gets its first bytes before the kill.
    """
    count = 0

    def passes() -> bool:
        nonlocal count
        count += 1
        return count == die_at

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def instead(*arguments: Any, **named: Any) -> Any:
            if passes():
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return instead

    usual = io.open

    def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        found = usual(file, mode, *arguments, **named)
        if set(mode) & set("wax") and passes():
            os.write(found.fileno(), b'{"st')
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    os.fsync = lambda handle: None  # a killed process loses nothing that it has written, and waiting takes long
    for name in CALLS:
        setattr(os, name, counted(getattr(os, name)))
    io.open = builtins.open = opened  # type: ignore[assignment]  # replaced in this process
    return lambda: count


# --- around it -----------------------------------------------------------------------------------------------


@cache
def _warm_up() -> None:
    """Import what a comparison needs, so that forked processes have it; they have one thread each."""
    import torch

    from headstart import api, cli  # noqa: F401 (loaded once, before the fork)
    from headstart.contenders import distilled, ensemble, finetuned, linear, scratch, selfpretrained  # noqa: F401 (as above)
    from headstart.contest import run as contest

    torch.set_num_threads(1)
    contest._commit()
    torch.optim.AdamW([torch.zeros(1, requires_grad=True)])  # loads torch's compiler
    gc.collect()
    gc.freeze()  # a comparison collects garbage often, and need not walk through all that was imported


def _make_backbone(place: Path) -> None:
    import torch

    from headstart.checkpoints import folder
    from headstart.nn.encoder import Encoder
    from headstart.text import vocabulary

    words = [word for listed in WORDS.values() for word in listed]
    tokenizer = vocabulary.train([" ".join([*words, *LETTERS])] * 2, 80, window=16)
    arguments: dict[str, Any] = {
        "vocabulary": tokenizer.size,
        "width": 16,
        "layers": 3,
        "heads": 2,
        "feed_forward": 16,
        "window": 16,
        "dropout": 0.1,
    }
    torch.manual_seed(0)
    place.mkdir()
    folder.save(place, Encoder(**arguments), tokenizer, "bert", arguments, None)


def _make_data(path: Path) -> None:
    import numpy as np

    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(80):
            label = ("good", "bad")[number % 2]
            writer.writerow([" ".join([*random.choice(WORDS[label], 2), *random.choice(list(LETTERS), 3)]), label])
