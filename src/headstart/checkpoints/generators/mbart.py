"""mBART checkpoints: names of weights and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from headstart.checkpoints.generators.bart import Bart, sides

NORMS = {"embeddings.position": "embed_positions", "embeddings.norm": "layernorm_embedding"}


@dataclass(frozen=True)
class MBart(Bart):
    """mBART (Liu et al. 2020): BART in many languages, with norms first."""

    model_type: ClassVar = "mbart"
    architecture: ClassVar = "MBartForConditionalGeneration"
    norm_first: ClassVar = True
    modules: ClassVar = {
        **sides(NORMS, {"decoder.final_norm": ("model.decoder.layer_norm",)}),
        "encoder.blocks.*.final_norm": ("model.encoder.layer_norm",),
    }


PLUGIN = MBart
