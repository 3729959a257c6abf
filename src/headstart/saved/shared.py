"""Folders that several trainings share: made once, sealed, and made again if they are damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headstart.core import sealed
from headstart.core.alone import in_turn
from headstart.saved import model_folder


def made(place: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder, made now unless it exists undamaged; it is written atomically.

    If another process is making it, wait for that.

    Args:
        place: its name contains a hash of everything the content depends on.
        make: fills the folder it is given.
    """
    with in_turn(place):
        if sealed.is_sealed(place):
            return place
        if place.exists():
            sealed.discard(place)
        with model_folder.saving(place) as fresh:
            make(fresh)
            sealed.seal(fresh)
    return place
