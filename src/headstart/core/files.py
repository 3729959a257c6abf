"""Files and folders that are written atomically, whenever the process is killed.

All writing goes through here, so that a full or read-only disk gives one sentence everywhere.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headstart.core.errors import DiskError

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
ADVICE = {
    **dict.fromkeys(FULL, "free some space"),
    errno.EFBIG: "raise the limit on the size of files",
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make it writable"),
}
# In the names of folders that are being written, and of those that hold what a new one is about to replace. Nobody else
# names folders so: they may be deleted.
UNFINISHED, REPLACED = "headstart-unfinished-", "headstart-replaced-"


@contextmanager
def writing(path: Path, needed: int | None = None, *, place: Path | None = None, instead: str = "") -> Iterator[None]:
    """Turn what the system says of a file that cannot be written into one sentence.

    Args:
        path: what is written, a file or a folder.
        needed: the bytes it takes; None where that is not known, and the sentence says how many there were already.
        place: where it is written until it takes its name; None for `path`.
        instead: what a person can do otherwise, such as 'name another place with --out'.

    Raises:
        DiskError: the disk is full or read-only, a limit is reached, access is denied, or a folder is missing.
    """
    place = place or path
    try:
        yield
    except Exception as error:
        code, reason = _system_error(error)
        if not reason or not _concerns(error, path, place):
            raise
        raise DiskError(_sentence(path, place, code, reason, needed, instead)) from error


@contextmanager
def replacing(path: Path, suffix: str = "new", *, needed: int | None = None, instead: str = "") -> Iterator[Path]:
    """Yield a place beside `path` for a file that takes its name once the block ends without an error.

    Its content is on the disk before that. So that its name is too when this returns, call :func:`flush` with the
    folder: for files that end a piece of work, since that takes as long as writing one.

    Args:
        suffix: of the file's name until then. Where other processes may write the same file, one of this process alone.
        needed, instead: see :func:`writing`.

    Raises:
        DiskError: the file cannot be written.
    """
    fresh = path.with_name(f"{path.name}.{suffix}")
    try:
        with writing(path, needed, place=fresh, instead=instead):
            yield fresh
            sync(fresh)
            fresh.replace(path)
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically as UTF-8, lone surrogates included.

    Raises:
        DiskError: the file cannot be written.
    """
    content = text.encode("utf-8", "surrogatepass")
    with replacing(path, needed=len(content)) as fresh:
        fresh.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a file as UTF-8 into a folder that is renamed and flushed later, see :func:`replacing_folder`.

    Raises:
        DiskError: the file cannot be written.
    """
    content = text.encode("utf-8")
    with writing(path, len(content)):
        path.write_bytes(content)


def append_line(path: Path, line: str) -> None:
    """Add a line to a file of lines; where the disk has no room for it, the file stays as it was.

    Raises:
        DiskError: the file cannot be written.
    """
    content = f"{line}\n".encode()
    with writing(path, len(content)), path.open("ab", buffering=0) as file:
        before = file.seek(0, os.SEEK_END)
        try:
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(before)
            raise


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where it is missing.

    Raises:
        DiskError: it cannot be made.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on disk.

    Raises:
        DiskError: it cannot be written, see :func:`writing`.
    """
    with writing(path):
        sync(path)


def sync(path: Path) -> None:
    """Do what :func:`flush` does, inside :func:`writing`. Windows cannot open folders for this."""
    if path.is_dir() and os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- folders -------------------------------------------------------------------------------------------------


@contextmanager
def replacing_folder(folder: Path, *, flushed: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside `folder` that takes its name once the block ends without an error.

    Every file is on the disk before that, and the name when this returns. An existing `folder` is replaced; a process
    killed between the two renames leaves it aside, and the next :func:`remove_leftovers` puts it back.

    Args:
        flushed: whether the files that the block leaves are on the disk already, as links to such are.

    Raises:
        DiskError: it cannot be written.
    """
    folder = Path(folder)
    with unfinished_folder(folder) as fresh, writing(folder, place=fresh):
        yield fresh
        fresh.chmod(0o755)
        for path in [*fresh.rglob("*"), fresh]:
            if path.is_dir() or not flushed:
                sync(path)
        if folder.exists():
            with unfinished_folder(folder, REPLACED) as old:
                folder.rename(old / folder.name)
                fresh.rename(folder)
        else:
            fresh.rename(folder)
        sync(folder.parent)


@contextmanager
def unfinished_folder(folder: Path, mark: str = UNFINISHED, *, instead: str = "") -> Iterator[Path]:
    """Yield an empty folder beside `folder`, which is deleted when the block ends unless it was renamed.

    Those of killed processes for the same `folder` are deleted first. Other processes leave this one alone, since it is
    locked while this process lives.

    Args:
        mark: a part of its name. instead: see :func:`writing`.

    Raises:
        DiskError: it cannot be made.
    """
    with writing(folder, instead=instead):
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder.parent, folder.name)
        fresh, lock = _locked_folder(folder, mark)
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def remove_leftovers(parent: Path, name: str = "") -> None:
    """Delete the unfinished folders that killed processes left in a folder, and put back what one had set aside.

    Args:
        parent: the folder that holds them. name: of what they were to become; '' for any.
    """
    for mark in (REPLACED, UNFINISHED):
        for leftover in parent.glob(f".{glob.escape(name) or '*'}.{mark}*"):
            lock = _lock(leftover)
            if lock is None:
                continue  # a process that lives writes it, or nobody can know
            try:
                replaced = leftover / leftover.name[1:].rpartition(f".{mark}")[0]
                if mark == REPLACED and replaced.is_dir() and not (parent / replaced.name).exists():
                    replaced.rename(parent / replaced.name)
                shutil.rmtree(leftover, ignore_errors=True)
            finally:
                os.close(lock)


def _locked_folder(folder: Path, mark: str) -> tuple[Path, int | None]:
    while True:
        fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.{mark}", dir=folder.parent))
        lock = _lock(fresh, wait=True)
        if fresh.is_dir():
            return fresh, lock
        if lock is not None:
            os.close(lock)  # another process took it for a leftover before it was locked


def _lock(folder: Path, *, wait: bool = False) -> int | None:
    """Lock a folder until the returned handle is closed; None where others hold it or the system has no such locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle


# --- what the system says ------------------------------------------------------------------------------------


def system_error(text: str) -> int:
    """Find the number of the system's error in a message, such as one of Rust's or Arrow's; 0 where there is none.

    >>> system_error("I/O error: File too large (os error 27)"), system_error("[errno 28] Error writing")
    (27, 28)
    """
    match = re.search(r"os error (\d+)|\[[Ee]rrno (\d+)\]", text)
    return int(match[1] or match[2]) if match else 0


def _system_error(error: Exception) -> tuple[int, str]:
    """Return number and words of a failure to write; no words where `error` is something else."""
    if isinstance(error, BrokenPipeError):
        return 0, ""
    if isinstance(error, OSError):
        code = error.errno or system_error(str(error))
        # numpy says 'N requested and M written' and no number.
        short = errno.ENOSPC if re.fullmatch(r"\d+ requested and \d+ written", str(error)) else 0
        code = code or short
    else:  # safetensors has an error of its own
        code = system_error(str(error)) if type(error).__name__ == "SafetensorError" else 0
    return code, os.strerror(code) if code else ""


def _concerns(error: Exception, path: Path, place: Path) -> bool:
    """Say whether an error may be about what is written; one that names a file elsewhere is about that file."""
    names = (error.filename, error.filename2) if isinstance(error, OSError) else ()
    named = [Path(os.fsdecode(name)).absolute() for name in names if isinstance(name, str | bytes | os.PathLike)]
    ours = [path.absolute(), place.absolute()]
    beside = any(name.parent == ours[0].parent and name.name.startswith(f".{path.name}.") for name in named)
    return (
        not named
        or beside
        or any(one in (name, *name.parents) or name in one.parents for name, one in itertools.product(named, ours))
    )


def _sentence(path: Path, place: Path, code: int, reason: str, needed: int | None, instead: str) -> str:
    if code in (*FULL, errno.EFBIG):
        there = _bytes(place) if needed is None else needed
        reason += f"; {'more than ' if needed is None else ''}{there:,} bytes are needed" if there else ""
    if code == errno.ENOSPC and (free := _free(path)) is not None:
        reason += f", {free:,} are free"
    advice = ", or ".join(filter(None, (ADVICE.get(code, "fix this" if not instead else ""), instead)))
    return f"cannot write '{path}' ({reason}): {advice}, and rerun the same command."


def _bytes(place: Path) -> int:
    files = place.rglob("*") if place.is_dir() else [place]
    return sum(file.stat().st_size for file in files if file.is_file())


def _free(path: Path) -> int | None:
    for folder in path.absolute().parents:
        with contextlib.suppress(OSError):
            return shutil.disk_usage(folder).free
    return None
