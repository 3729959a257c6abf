"""Pipes and standard input, which can be read once, as files that can be read any number of times."""

from __future__ import annotations

import os
import select
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path

from headstart.core.errors import DataError
from headstart.core.files import make_folder, writing
from headstart.data._arrow import kind
from headstart.data._encoding import CHUNK, PACKINGS, after_line_end
from headstart.data._limits import PIPE, WRITER_SECONDS, check_unbroken

STDIN = "-"


def reread(path: Path) -> Path:
    """Return a file that can be read several times: the path itself, or a copy of the content of a pipe or '-'.

    The copy lasts as long as the process, and the same pipe gives the same copy. If its name does not show the format
    but its first bytes do, it gets a suffix.

    Raises:
        DataError: nobody writes to the pipe, or its content is too large to copy.
    """
    if str(path) == STDIN:
        return _copy(path, 0, 0)
    try:
        state = path.stat()
    except OSError:  # whoever opens the file reports what is wrong with its name
        return path
    return _copy(path, state.st_dev, state.st_ino) if stat.S_ISFIFO(state.st_mode) else path


@cache
def _copy(path: Path, device: int, inode: int) -> Path:
    name = "stdin" if str(path) == STDIN else path.name
    copy = Path(_folder().name, f"{device}-{inode}", name)
    make_folder(copy.parent)
    try:
        with writing(copy, instead="set TMPDIR to a folder that has room"), copy.open("wb") as file:
            for chunk in _bearable(name, _from_stdin() if str(path) == STDIN else _from_pipe(path)):
                file.write(chunk)
    except BaseException:
        copy.unlink(missing_ok=True)
        raise
    with copy.open("rb") as opened:
        head = opened.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    kind = ".parquet" if head.startswith(b"PAR1") else ".jsonl" if head.startswith((b'{"', b"[{", b"{'")) else ""
    return copy.rename(copy.with_name(name + kind)) if kind and not copy.suffix else copy


def _from_stdin() -> Iterator[bytes]:
    if sys.stdin is None or sys.stdin.closed:
        raise DataError("standard input is closed: give a file, or a pipe as in: COMMAND | headstart check -")
    yield from iter(partial(sys.stdin.buffer.read, CHUNK), b"")


def _from_pipe(path: Path) -> Iterator[bytes]:
    """Read a pipe, which must have a writer within some seconds."""
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as pipe:
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        ready.poll(WRITER_SECONDS * 1000)
        first = pipe.read(CHUNK)  # empty: no writer; None: one that has not written yet
        if first == b"":
            raise DataError(f"nothing came through the pipe {path}: start what writes to it, or name a file.")
        os.set_blocking(pipe.fileno(), True)
        if first:
            yield first
        while chunk := pipe.read(CHUNK):
            yield chunk


def _bearable(name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of a pipe, unless it has an endless line or is too large."""
    most = min(PIPE, shutil.disk_usage(_folder().name).free // 2)
    size = unbroken = 0
    packed = False
    for chunk in chunks:
        if not size:
            packed = bool(kind(chunk)) or chunk.startswith(tuple(PACKINGS))
        size += len(chunk)
        if size > most:
            raise DataError(f"{name} gives over {most // 2**20:,} MB: write that to a file and name the file.")
        if not packed:
            unbroken = after_line_end(chunk, unbroken)
            check_unbroken(name, unbroken)
        yield chunk


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="headstart-")
