"""ALBERT checkpoints: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import BERT_KEYS, DEFAULTS, EXPECTED, Family, bert_encoder
from headstart.core.errors import CheckpointError

_LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0."


@dataclass(frozen=True)
class Albert(Family):
    """ALBERT (Lan et al. 2020): BERT with one block for all layers and narrow embeddings."""

    model_type: ClassVar = "albert"
    architecture: ClassVar = "Albert"
    modules: ClassVar = {
        **{ours: theirs for ours, theirs in bert_encoder("albert.").items() if "blocks" not in ours},
        "encoder.embeddings.project": ("albert.encoder.embedding_hidden_mapping_in",),
        "encoder.blocks.*.attention.qkv": (
            f"{_LAYER}attention.query",
            f"{_LAYER}attention.key",
            f"{_LAYER}attention.value",
        ),
        "encoder.blocks.*.attention.output": (f"{_LAYER}attention.dense",),
        "encoder.blocks.*.attention_norm": (f"{_LAYER}attention.LayerNorm",),
        "encoder.blocks.*.up": (f"{_LAYER}ffn",),
        "encoder.blocks.*.down": (f"{_LAYER}ffn_output",),
        "encoder.blocks.*.output_norm": (f"{_LAYER}full_layer_layer_norm",),
        "head.dense": ("albert.pooler",),
        "head.output": ("classifier",),
    }
    keys: ClassVar = {**BERT_KEYS, "embedding_width": "embedding_size"}
    fixed: ClassVar = {"attention_probs_dropout_prob": 0.0, "num_hidden_groups": 1, "inner_group_num": 1}
    expected: ClassVar = {**EXPECTED, "num_hidden_groups": 1, "inner_group_num": 1}
    defaults: ClassVar = {**DEFAULTS, "dropout": 0.0, "activation": "gelu_new", "head_dropout": 0.1}
    always: ClassVar = {"one_block": True}
    head_dropout_key: ClassVar = "classifier_dropout_prob"

    def check(self, arguments: Mapping[str, Any]) -> None:
        """Refuse an encoder that the family's files cannot represent.

        Raises:
            CheckpointError: as for any family, or there is no projection from its embeddings to its block.
        """
        super().check(arguments)
        if arguments["embedding_width"] is None:
            raise CheckpointError("the albert family needs an embedding_width; save as another family.")


PLUGIN = Albert
