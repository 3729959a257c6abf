"""The cache folder for data made once from a model's files: converted pickles, unpacked packages."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from headstart.core import sealed
from headstart.core.alone import in_turn
from headstart.core.files import sync, unfinished_folder, writing
from headstart.core.terminal import say

INSTEAD = "set HEADSTART_CACHE to a folder of your own that has room"  # where the cache cannot be written


def root() -> Path:
    """Return the cache folder: ``HEADSTART_CACHE``, or ``headstart`` in the user's cache (XDG base directories)."""
    own = os.environ.get("HEADSTART_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "headstart"


def holds(path: Path) -> bool:
    """Return whether a file is in the cache, where files never change."""
    return path.absolute().is_relative_to(root())


def find(name: str) -> Path | None:
    """Return a folder of the cache; None if it does not exist, or was damaged, in which case it is deleted."""
    folder = root() / name
    if folder.exists() and not sealed.is_sealed(folder):
        with in_turn(folder):  # another process may have made it again by now
            if not sealed.is_sealed(folder):
                sealed.discard(folder)
    return folder if folder.exists() else None


def made_once(name: str, make: Callable[[Path], None], sentence: str) -> Path:
    """Return a folder of the cache, made now unless it exists undamaged; it is written atomically.

    Args:
        name: contains a hash of everything the content depends on.
        make: fills the folder it is given.
        sentence: printed on standard error after the folder was made.

    Raises:
        DiskError: the cache cannot be written; and what `make` raises.
    """
    known = find(name)
    if known is not None:
        return known
    folder = root() / name
    with unfinished_folder(folder, instead=INSTEAD) as fresh, writing(folder, place=fresh, instead=INSTEAD):
        make(fresh)
        sealed.seal(fresh)
        fresh.chmod(0o755)
        for path in fresh.rglob("*"):
            if path.is_file():
                sync(path)
        try:
            fresh.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was faster, and its folder has the same content
                raise
        sync(folder.parent)
    say(f"headstart: {sentence} ({folder})")
    return folder
