"""MPNet checkpoints: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import BERT_KEYS, EXPECTED, bert_encoder
from headstart.checkpoints.families.roberta import Roberta

# The reference uses this number of buckets of distances and this padding id, whatever config.json says.
BUCKETS, PADDING = 32, 1


@dataclass(frozen=True)
class MpNet(Roberta):
    """MPNet (Song et al. 2020): RoBERTa without segments whose attention depends on distances too."""

    model_type: ClassVar = "mpnet"
    architecture: ClassVar = "MPNet"
    modules: ClassVar = {
        **bert_encoder("mpnet."),
        "encoder.embeddings.distance": ("mpnet.encoder.relative_attention_bias",),
        "encoder.blocks.*.attention.qkv": tuple(f"mpnet.encoder.layer.*.attention.attn.{name}" for name in "qkv"),
        "encoder.blocks.*.attention.output": ("mpnet.encoder.layer.*.attention.attn.o",),
        "encoder.blocks.*.attention_norm": ("mpnet.encoder.layer.*.attention.LayerNorm",),
        "head.dense": ("classifier.dense",),
        "head.output": ("classifier.out_proj",),
    }
    keys: ClassVar = {name: key for name, key in BERT_KEYS.items() if name != "types"}
    fixed: ClassVar = {"attention_probs_dropout_prob": 0.0, "relative_attention_num_buckets": BUCKETS}
    expected: ClassVar = {**EXPECTED, "relative_attention_num_buckets": BUCKETS}
    always: ClassVar = {"types": 0, "position_offset": PADDING + 1, "distance_buckets": BUCKETS}

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the encoder's arguments; where positions begin is no setting in this family.

        Raises:
            CheckpointError: as for RoBERTa.
        """
        return super().arguments({**config, "pad_token_id": PADDING})


PLUGIN = MpNet
