"""DistilBERT checkpoints: names of weights and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from headstart.checkpoints._family import Family


@dataclass(frozen=True)
class DistilBert(Family):
    """DistilBERT (Sanh et al. 2019): BERT without segments, its positions learned or sinusoidal."""

    model_type: ClassVar = "distilbert"
    architecture: ClassVar = "DistilBert"
    modules: ClassVar = {
        "encoder.embeddings.word": ("distilbert.embeddings.word_embeddings",),
        "encoder.embeddings.position": ("distilbert.embeddings.position_embeddings",),
        "encoder.embeddings.norm": ("distilbert.embeddings.LayerNorm",),
        "encoder.blocks.*.attention.qkv": (
            "distilbert.transformer.layer.*.attention.q_lin",
            "distilbert.transformer.layer.*.attention.k_lin",
            "distilbert.transformer.layer.*.attention.v_lin",
        ),
        "encoder.blocks.*.attention.output": ("distilbert.transformer.layer.*.attention.out_lin",),
        "encoder.blocks.*.attention_norm": ("distilbert.transformer.layer.*.sa_layer_norm",),
        "encoder.blocks.*.up": ("distilbert.transformer.layer.*.ffn.lin1",),
        "encoder.blocks.*.down": ("distilbert.transformer.layer.*.ffn.lin2",),
        "encoder.blocks.*.output_norm": ("distilbert.transformer.layer.*.output_layer_norm",),
        "head.dense": ("pre_classifier",),
        "head.output": ("classifier",),
    }
    keys: ClassVar = {
        "vocabulary": "vocab_size",
        "width": "dim",
        "layers": "n_layers",
        "heads": "n_heads",
        "feed_forward": "hidden_dim",
        "window": "max_position_embeddings",
        "dropout": "dropout",
        "activation": "activation",
        "sinusoidal": "sinusoidal_pos_embds",
    }
    fixed: ClassVar = {"attention_dropout": 0.0}
    always: ClassVar = {"types": 0, "epsilon": 1e-12}
    head_activation: ClassVar = "relu"
    head_dropout_key: ClassVar = "seq_classif_dropout"


PLUGIN = DistilBert
