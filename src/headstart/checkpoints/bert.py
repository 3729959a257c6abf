"""BERT checkpoints: names of weights and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from headstart.checkpoints._family import Family


@dataclass(frozen=True)
class Bert(Family):
    """BERT (Devlin et al. 2019), and with it MiniLM and TinyBERT."""

    model_type: ClassVar = "bert"
    architecture: ClassVar = "Bert"
    modules: ClassVar = {
        "encoder.embeddings.word": ("bert.embeddings.word_embeddings",),
        "encoder.embeddings.position": ("bert.embeddings.position_embeddings",),
        "encoder.embeddings.segment": ("bert.embeddings.token_type_embeddings",),
        "encoder.embeddings.norm": ("bert.embeddings.LayerNorm",),
        "encoder.blocks.*.attention.qkv": (
            "bert.encoder.layer.*.attention.self.query",
            "bert.encoder.layer.*.attention.self.key",
            "bert.encoder.layer.*.attention.self.value",
        ),
        "encoder.blocks.*.attention.output": ("bert.encoder.layer.*.attention.output.dense",),
        "encoder.blocks.*.attention_norm": ("bert.encoder.layer.*.attention.output.LayerNorm",),
        "encoder.blocks.*.up": ("bert.encoder.layer.*.intermediate.dense",),
        "encoder.blocks.*.down": ("bert.encoder.layer.*.output.dense",),
        "encoder.blocks.*.output_norm": ("bert.encoder.layer.*.output.LayerNorm",),
        "head.dense": ("bert.pooler.dense",),
        "head.output": ("classifier",),
    }
    keys: ClassVar = {
        "vocabulary": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "window": "max_position_embeddings",
        "types": "type_vocab_size",
        "dropout": "hidden_dropout_prob",
        "activation": "hidden_act",
        "epsilon": "layer_norm_eps",
    }
    # The encoder never drops attention weights.
    fixed: ClassVar = {"attention_probs_dropout_prob": 0.0}


PLUGIN = Bert
