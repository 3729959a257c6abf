"""Disks that are full, read-only or limited, at any write of a comparison, a prediction, a conversion."""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from tests.hostile import _runs
from tests.hostile._common import Case, Outcome

from headstart import api
from headstart.checkpoints import _pickles
from headstart.core.errors import DiskError, HeadstartError

AREA = "disks"
SENTENCE = re.compile(r"cannot write '.+' \(.+\): .+ rerun the same command\.")
COMMAND = [sys.executable, "-m", "headstart.cli"]
# Writes at which a comparison is stopped; it has about 330 of them.
WRITES = range(1, 340, 6)


class Disk:
    """Counts what needs room on a disk, and refuses it from the n-th time on."""

    def __init__(self, root: Path, full_from: int, code: int = errno.ENOSPC) -> None:
        self.root, self.full_from, self.code, self.count = str(root), full_from, code, 0

    def take(self, *paths: object) -> None:
        """Count a write to one of these paths."""
        inside = [os.fsdecode(path) for path in paths if isinstance(path, str | bytes | os.PathLike)]
        if not any(path.startswith(self.root) for path in inside):
            return
        self.count += 1
        if self.count >= self.full_from:
            raise OSError(self.code, os.strerror(self.code), *inside[:1])


class _Raw(io.FileIO):
    disk: Disk

    def write(self, content: Any) -> int:
        try:
            self.disk.take(self.name)
        except OSError as error:
            raise OSError(error.errno, error.strerror) from None  # the system names no file here
        return super().write(content)


@contextmanager
def full(root: Path, full_from: int, code: int = errno.ENOSPC) -> Iterator[Disk]:
    """Let files below `root` be written until the n-th write, and none from there on."""
    disk = Disk(root, full_from, code)
    plain = {
        name: getattr(os, name) for name in ("mkdir", "link", "rename", "replace", "fsync", "open", "posix_fallocate")
    }
    opened = io.open

    def open_(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
        inside = isinstance(file, str | bytes | os.PathLike) and os.fsdecode(file).startswith(disk.root)
        if not inside or not set(mode) & set("wax+"):
            return opened(file, mode, buffering, *rest, **named)
        if not os.path.exists(file):
            disk.take(file)
        raw = _Raw(os.fspath(file), mode.replace("b", "").replace("t", ""))
        raw.disk = disk
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *rest, **named)

    def counted(name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            disk.take(*arguments[:2])
            return plain[name](*arguments, **named)

        return call

    def of_handle(name: str) -> Callable[..., Any]:
        def call(handle: int, *arguments: Any) -> Any:
            try:
                disk.take(os.readlink(f"/proc/self/fd/{handle}") if os.path.isdir("/proc/self/fd") else disk.root)
            except OSError as error:
                raise OSError(error.errno, error.strerror) from None
            return plain[name](handle, *arguments)

        return call

    def open_handle(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_CREAT and not os.path.exists(path):
            disk.take(path)
        return int(plain["open"](path, flags, *rest, **named))

    def serialized(library: Any) -> Callable[..., Any]:
        serialize = library.serialize_file

        def call(tensors: Any, path: Any, *rest: Any, **named: Any) -> Any:
            try:
                disk.take(path)
            except OSError as error:
                sentence = f"Error while serializing: I/O error: {error.strerror} (os error {error.errno})"
                raise safetensors.SafetensorError(sentence) from None
            return serialize(tensors, path, *rest, **named)

        return call

    with (
        mock.patch.object(io, "open", open_),
        mock.patch.object(builtins, "open", open_),
        mock.patch.object(os, "open", open_handle),
        mock.patch.object(safetensors.torch, "serialize_file", serialized(safetensors.torch)),
        mock.patch.object(safetensors.numpy, "serialize_file", serialized(safetensors.numpy)),
        mock.patch.multiple(
            os,
            **{name: counted(name) for name in ("mkdir", "link", "rename", "replace")},
            **{name: of_handle(name) for name in ("fsync", "posix_fallocate")},
        ),
    ):
        yield disk


def judged(root: Path, run: Callable[[], object], check: Callable[[], str], full_from: int, code: int) -> Outcome:
    """Run something on a disk that is full from the n-th write on, and then again with room.

    Args:
        check: runs it again, and says what is wrong with what it finds; '' for nothing.
    """
    sentence = ""
    with full(root, full_from, code) as disk:
        try:
            run()
        except DiskError as error:
            sentence = str(error)
        except HeadstartError as error:
            return Outcome("WRONG", f"another error than that of the disk: {error}")
        except Exception as error:
            return Outcome("WRONG", f"{type(error).__name__}: {error}")
    if sentence and not (SENTENCE.fullmatch(sentence) and str(root) in sentence):
        return Outcome("WRONG", f"no sentence that names the file: {sentence}")
    if not sentence and disk.count >= full_from and (wrong := check()):
        return Outcome("WRONG", f"in silence: {wrong}")
    if wrong := check():
        return Outcome("WRONG", f"run again with room: {wrong}")
    return Outcome("clear error", sentence) if sentence else Outcome("right")


def comparison(full_from: int, code: int = errno.ENOSPC) -> Callable[[Path], Outcome]:
    """Give a case of a comparison whose disk is full from the n-th write on."""

    def run(place: Path) -> Outcome:
        out = place / "run"
        wanted = _runs.expected(_runs.CONTENDERS)

        def check() -> str:
            if _runs.facts(_runs.compare(out)) != wanted:
                return "other results"
            if left := _runs.leftovers(out):
                return f"left behind: {', '.join(left)}"
            return "" if api.read_result(out)["best"] else "no best"

        return judged(place, lambda: _runs.compare(out), check, full_from, code)

    return run


def prediction(ending: str, full_from: int) -> Callable[[Path], Outcome]:
    """Give a case of a prediction whose output does not fit."""

    def run(place: Path) -> Outcome:
        source, out, whole = place / "texts.csv", place / f"out{ending}", place / f"whole{ending}"
        source.write_text("text\n" + "".join(f"{text}\n" for text in _runs.data(3000)[0]), encoding="utf-8")
        model = _runs.compare(place / "run", ("majority", "linear")).model
        api.predict_file(model, source, whole, report=lambda _: None)
        out.write_text("old")

        def check() -> str:
            if out.read_bytes() not in (b"old", whole.read_bytes()):
                return "half an output"
            api.predict_file(model, source, out, report=lambda _: None)
            left = _runs.leftovers(place)
            return "" if out.read_bytes() == whole.read_bytes() and not left else f"other output, or {left}"

        return judged(
            out.parent,
            lambda: api.predict_file(model, source, out, report=lambda _: None),
            check,
            full_from,
            errno.ENOSPC,
        )

    return run


def pretraining(full_from: int) -> Callable[[Path], Outcome]:
    """Give a case of a pretraining whose disk is full from the n-th write on."""

    def pretrain(place: Path) -> bytes:
        text = place / "text.txt"
        text.write_text("\n\n".join(_runs.data()[0]), encoding="utf-8")
        api.pretrain([text], place / "model", size="tiny", vocabulary=100, window=16, epochs=1, batch_tokens=512)
        return (place / "model" / "model.safetensors").read_bytes()

    def run(place: Path) -> Outcome:
        (place / "whole").mkdir()
        whole, mine = pretrain(place / "whole"), place / "mine"
        mine.mkdir()

        def check() -> str:
            return "" if pretrain(mine) == whole else "other weights"

        # The text itself is there before.
        (mine / "text.txt").write_text("")
        return judged(mine, lambda: pretrain(mine), check, full_from + 1, errno.ENOSPC)

    return run


def limited(command: list[str], size: int, wanted: str, again: bool = True) -> Callable[[Path], Outcome]:
    """Give a case of a command in a process that may write no file larger than so many bytes."""

    def run(place: Path) -> Outcome:
        import resource

        texts, labels = _runs.data()
        rows = "".join(f"{text},{label}\n" for text, label in zip(texts, labels, strict=True))
        (place / "reviews.csv").write_text("text,label\n" + rows, encoding="utf-8")
        torch.save({"a": torch.zeros(50_000)}, place / "weights.bin")

        def start(limit: int | None) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                command,
                cwd=place,
                capture_output=True,
                text=True,
                timeout=120,
                preexec_fn=lambda: limit and resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "HEADSTART_CACHE": str(place / "cache")},
            )

        done = start(size)
        said = [line for line in done.stderr.splitlines() if line.startswith("headstart: ")]
        if done.returncode == 0 or "Traceback" in done.stderr or len(said) != 1 or not re.search(wanted, said[0]):
            return Outcome("WRONG", f"exit code {done.returncode}: {done.stderr[-500:]}")
        if again and (more := start(None)).returncode != 0:
            return Outcome("WRONG", f"again without a limit: {more.stderr[-500:]}")
        return Outcome("clear error", said[0])

    return run


def output_full(*command: str) -> Callable[[Path], Outcome]:
    """Give a case of a command whose standard output is full."""

    def run(place: Path) -> Outcome:
        for buffered in ("", "1"):
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": buffered}
            with Path("/dev/full").open("w") as device:
                done = subprocess.run(
                    [*COMMAND, *command], stdout=device, stderr=subprocess.PIPE, text=True, env=environment, cwd=place
                )
            said = "headstart: No space left on device (standard output): fix this and rerun the same command.\n"
            if (done.returncode, done.stderr) != (1, said):
                return Outcome("WRONG", f"exit code {done.returncode}: {done.stderr}")
        return Outcome("clear error", said.strip())

    return run


def small_disk(megabytes: float) -> Callable[[Path], Outcome]:
    """Give a case of a comparison on a real disk that is too small for it, and then large enough."""

    def run(place: Path) -> Outcome:
        wanted = _runs.expected(_runs.CONTENDERS)
        disk = place / "disk"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o"]
        subprocess.run([*mount, f"size={int(megabytes * 2**20)}", "none", str(disk)], check=True)
        try:
            try:
                _runs.compare(disk / "run")
                return Outcome("WRONG", "it fitted")
            except DiskError as error:
                sentence = str(error)
            if not SENTENCE.fullmatch(sentence) or "bytes are needed" not in sentence:
                return Outcome("WRONG", f"no bytes: {sentence}")
            subprocess.run([*mount, "remount,size=64m", str(disk)], check=True)
            same = _runs.facts(_runs.compare(disk / "run")) == wanted and not _runs.leftovers(disk)
            return Outcome("clear error", sentence) if same else Outcome("WRONG", "other results, or something left")
        finally:
            subprocess.run(["umount", str(disk)], check=True)

    return run


def _conversion(place: Path) -> Outcome:
    """Convert pickled weights into a cache on a disk without room; the process that converts has the same disk."""
    torch.save({"a": torch.zeros(50_000)}, place / "weights.bin")
    cache = place / "cache"
    with mock.patch.dict(os.environ, HEADSTART_CACHE=str(cache)):
        return judged(cache, lambda: _pickles.converted([place / "weights.bin"]), lambda: "", 2, errno.ENOSPC)


def _can_mount() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("mount") is not None


def cases(seed: int = 0) -> Iterator[Case]:
    """List the cases; `seed` moves the writes at which comparisons are stopped."""
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
    for place, number in enumerate(WRITES):
        moved = number + seed % WRITES.step
        code = codes[place % len(codes)] if place % 2 else errno.ENOSPC
        yield Case(AREA, f"comparison, {errno.errorcode[code]} from write {moved}", comparison(moved, code))
    for ending in (".csv", ".jsonl", ".parquet"):
        for number in (1, 2, 4):
            yield Case(AREA, f"prediction to {ending}, full from write {number}", prediction(ending, number))
    for number in (1, 4, 9, 16, 25, 36, 49):
        yield Case(AREA, f"pretraining, full from write {number}", pretraining(number))
    compare = [*COMMAND, "compare", "reviews.csv", "--contenders", "majority,linear", "--seeds", "1"]
    needed = r"cannot write '.*' \(File too large; .*bytes are needed\): raise the limit"
    for size in (100, 1000, 4000):
        yield Case(AREA, f"files of {size} bytes at most", limited(compare, size, needed))
    convert = [
        *(sys.executable, "-c"),
        "import pathlib, sys\nfrom headstart import cli\nfrom headstart.checkpoints import _pickles\n"
        "def convert():\n    _pickles.converted([pathlib.Path('weights.bin')])\n"
        "from headstart import usage\nusage.catalogue = convert\nsys.exit(cli.run(['list']))",
    ]
    yield Case(
        AREA, "converted weights, files of 100,000 bytes at most", limited(convert, 100_000, needed, again=False)
    )
    yield Case(AREA, "conversion, cache full", _conversion)
    if Path("/dev/full").exists():
        yield Case(AREA, "standard output full: list", output_full("list"))
        yield Case(AREA, "standard output full: help", output_full("--help"))
    if _can_mount():
        for size in (0.02, 0.06, 0.1):
            yield Case(AREA, f"a disk of {size} MiB", small_disk(size))
