"""Folders that several trainings use: made once, sealed, and made again where they are no longer what was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headstart.contenders import _saved
from headstart.core import sealed
from headstart.core.alone import in_turn


def made(place: Path, make: Callable[[Path], None]) -> Path:
    """Return a folder, made now unless it is there and sound; it appears whole or not at all.

    A process that finds another one making it waits for that.

    Args:
        place: its name holds a hash of all that the content depends on.
        make: fills the folder it is given.
    """
    with in_turn(place):
        if sealed.is_sealed(place):
            return place
        if place.exists():
            sealed.discard(place)
        with _saved.saving(place) as fresh:
            make(fresh)
            sealed.seal(fresh)
    return place
