"""The contenders of a comparison."""

from __future__ import annotations

from collections.abc import Mapping

from headstart.core import rooms
from headstart.core.contracts import Contender, Value


def load(name: str, options: Mapping[str, Value] | None = None) -> Contender:
    """Build the contender of that file name, see `rooms.load`."""
    contender: Contender = rooms.load("contenders", name, dict(options or {}))
    return contender


def plugin(name: str) -> type[Contender]:
    """Import the contender of that file name, see `rooms.plugin`."""
    return rooms.plugin("contenders", name)
