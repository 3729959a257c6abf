"""What the contracts of contenders share: options that make each of them tiny."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from headstart.core import rooms

SMALL: dict[str, dict[str, Any]] = {
    "scratch": {"vocabulary": 120, "layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "window": 16},
    "selfpretrained": {"size": "tiny", "vocabulary": 120, "window": 16, "pretraining_epochs": 1, "epochs": 1},
    "decoder": {"vocabulary": 280, "layers": 1, "width": 16, "heads": 2, "window": 16, "epochs": 1},
    "seq2seq": {"vocabulary": 280, "layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "window": 32, "epochs": 1},
    "ensemble": {"members": "majority+linear"},
    "cascade": {"cheap": "majority", "expensive": "linear"},
    "distilled": {"student": "1x16", "matching_epochs": 2, "epochs": 2},
}


@pytest.fixture(scope="session")
def tiny_options(backbone) -> Callable[[str], dict[str, Any]]:
    """Options that make a contender small enough for a test; a new one without an entry runs on its defaults."""

    def options(name: str) -> dict[str, Any]:
        fields = {field.name for field in dataclasses.fields(rooms.plugin("contenders", name))}
        return {**SMALL.get(name, {}), **({"backbone": backbone} if "backbone" in fields else {})}

    return options
