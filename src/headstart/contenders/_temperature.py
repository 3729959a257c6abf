"""The temperature of probabilities as contenders save it that cannot make it part of their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError


def read_temperature(stored: Mapping[str, Value], path: Path) -> float:
    """Return the saved temperature; 1 if there is none, as in folders of earlier versions.

    Args:
        stored: the fields of a file.
        path: of the file, for messages.

    Raises:
        CheckpointError: it is not a number above 0.
    """
    temperature = stored.get("temperature", 1.0)
    if type(temperature) not in (int, float) or not 0 < temperature < math.inf:
        raise CheckpointError(
            f"'{path}' holds a temperature that is not a number above 0; copy the folder again, or save it again."
        )
    return float(temperature)
