"""Pipes and standard input, which give their bytes once, as files that can be read as often as needed."""

from __future__ import annotations

import shutil
import stat
import sys
import tempfile
from functools import cache
from pathlib import Path

STDIN = "-"


def reread(path: Path) -> Path:
    """Return a file that can be read several times: the path itself, or a copy of what a pipe or '-' gives.

    The copy lasts as long as the process, and the same pipe gives the same copy. Where its name says nothing of the
    format and its first bytes do, it gets an ending.
    """
    if str(path) == STDIN:
        return _copy(path, 0, 0)
    try:
        state = path.stat()
    except OSError:  # whoever opens the file says what is wrong with its name
        return path
    return _copy(path, state.st_dev, state.st_ino) if stat.S_ISFIFO(state.st_mode) else path


@cache
def _copy(path: Path, device: int, inode: int) -> Path:
    name = "stdin" if str(path) == STDIN else path.name
    copy = Path(_folder().name, f"{device}-{inode}", name)
    copy.parent.mkdir(exist_ok=True)
    with copy.open("wb") as file:
        if str(path) == STDIN:
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with path.open("rb") as pipe:
                shutil.copyfileobj(pipe, file)
    with copy.open("rb") as found:
        head = found.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
    kind = ".parquet" if head.startswith(b"PAR1") else ".jsonl" if head.startswith((b'{"', b"[{", b"{'")) else ""
    return copy.rename(copy.with_name(name + kind)) if kind and not copy.suffix else copy


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="headstart-")
