"""ELECTRA checkpoints: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import BERT_KEYS, Family, bert_encoder
from headstart.core.contracts import HeadPlan


@dataclass(frozen=True)
class Electra(Family):
    """ELECTRA (Clark et al. 2020): BERT whose embeddings may be narrower than its blocks."""

    model_type: ClassVar = "electra"
    architecture: ClassVar = "Electra"
    modules: ClassVar = {
        **bert_encoder("electra."),
        "encoder.embeddings.project": ("electra.embeddings_project",),
        "head.dense": ("classifier.dense",),
        "head.output": ("classifier.out_proj",),
    }
    keys: ClassVar = {**BERT_KEYS, "embedding_width": "embedding_size"}
    fixed: ClassVar = {"attention_probs_dropout_prob": 0.0}
    head_activation: ClassVar = "gelu"
    dropout_first: ClassVar = True

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the encoder's arguments; embeddings as wide as the blocks need no matrix.

        Raises:
            CheckpointError: as for any family.
        """
        arguments = super().arguments(config)
        wide = arguments["embedding_width"] == arguments["width"]
        return {**arguments, "embedding_width": None if wide else arguments["embedding_width"]}

    def config(
        self, arguments: Mapping[str, Any], head: HeadPlan | None, head_dropout: float, pad: int
    ) -> dict[str, Any]:
        """Write the arguments as config.json, which always contains the embeddings' width.

        Raises:
            CheckpointError: the family cannot express the encoder.
        """
        width = arguments.get("embedding_width") or arguments["width"]
        return super().config({**arguments, "embedding_width": width}, head, head_dropout, pad)


PLUGIN = Electra
