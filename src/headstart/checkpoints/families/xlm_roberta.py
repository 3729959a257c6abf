"""XLM-RoBERTa checkpoints: RoBERTa's names of weights and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from headstart.checkpoints.families.roberta import Roberta


@dataclass(frozen=True)
class XlmRoberta(Roberta):
    """XLM-RoBERTa (Conneau et al. 2020): RoBERTa for a hundred languages."""

    model_type: ClassVar = "xlm-roberta"
    architecture: ClassVar = "XLMRoberta"


PLUGIN = XlmRoberta
