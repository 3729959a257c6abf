"""BERT checkpoints: names of weights and settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from headstart.checkpoints._family import BERT_KEYS, Family, bert_encoder


@dataclass(frozen=True)
class Bert(Family):
    """BERT (Devlin et al. 2019), and with it MiniLM and TinyBERT."""

    model_type: ClassVar = "bert"
    architecture: ClassVar = "Bert"
    modules: ClassVar = {
        **bert_encoder("bert."),
        "head.dense": ("bert.pooler.dense",),
        "head.output": ("classifier",),
        "head.words": ("cls.predictions",),
        "head.words.dense": ("cls.predictions.transform.dense",),
        "head.words.norm": ("cls.predictions.transform.LayerNorm",),
        "head.next": ("cls.seq_relationship",),
    }
    keys: ClassVar = BERT_KEYS
    fixed: ClassVar = {"attention_probs_dropout_prob": 0.0}


PLUGIN = Bert
