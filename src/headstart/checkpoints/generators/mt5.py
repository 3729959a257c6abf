"""mT5 checkpoints: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints.generators.t5 import T5


@dataclass(frozen=True)
class MT5(T5):
    """mT5 (Xue et al. 2021): T5 of version 1.1 in many languages."""

    model_type: ClassVar = "mt5"
    architecture: ClassVar = "MT5ForConditionalGeneration"

    def scaled(self, config: Mapping[str, Any]) -> bool:
        """Return that states are not scaled, whatever the file says."""
        return False


PLUGIN = MT5
