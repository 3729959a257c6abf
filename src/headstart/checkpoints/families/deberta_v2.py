"""DeBERTa checkpoints, versions 2 and 3: names of weights and settings."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import BERT_KEYS, EXPECTED, Family, bert_encoder, read_argument, with_defaults
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn.disentangled import DisentangledEncoder
from headstart.nn.encoder import Stack

LAYER = "deberta.encoder.layer.*.attention.self."


@dataclass(frozen=True)
class DebertaV2(Family):
    """DeBERTa (He et al. 2021, 2023), versions 2 and 3: attention by words and by distances, separately."""

    model_type: ClassVar = "deberta-v2"
    architecture: ClassVar = "DebertaV2"
    modules: ClassVar = {
        **bert_encoder("deberta."),
        "encoder.embeddings.project": ("deberta.embeddings.embed_proj",),
        "encoder.embeddings.distance": ("deberta.encoder.rel_embeddings",),
        "encoder.embeddings.distance_norm": ("deberta.encoder.LayerNorm",),
        "encoder.blocks.*.attention.qkv": (f"{LAYER}query_proj", f"{LAYER}key_proj", f"{LAYER}value_proj"),
        "encoder.blocks.*.attention.position_key": (f"{LAYER}pos_key_proj",),
        "encoder.blocks.*.attention.position_query": (f"{LAYER}pos_query_proj",),
        "encoder.blocks.*.convolution.filter": ("deberta.encoder.conv.conv",),
        "encoder.blocks.*.convolution.norm": ("deberta.encoder.conv.LayerNorm",),
        "head.dense": ("pooler.dense",),
        "head.output": ("classifier",),
    }
    keys: ClassVar = {name: key for name, key in BERT_KEYS.items() if name != "types"}
    fixed: ClassVar = {
        "attention_probs_dropout_prob": 0.0,
        "pooler_dropout": 0.0,
        "pooler_hidden_act": "gelu",
        "relative_attention": True,
    }
    expected: ClassVar = {**EXPECTED, "pooler_hidden_act": "gelu"}
    defaults: ClassVar = {"dropout": 0.1, "activation": "gelu", "epsilon": 1e-7}
    neutral: ClassVar = {}
    head_activation: ClassVar = "gelu"
    head_dropout_key: ClassVar = "cls_dropout"

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the encoder's arguments.

        Raises:
            CheckpointError: as for any family, or the file asks for attention or a pooler of another kind.
        """
        arguments = super().arguments(config)
        width = arguments["width"]
        only = {
            "relative_attention": True,
            "pooler_hidden_size": width,
            "attention_head_size": width // arguments["heads"],
        }
        for key, value in only.items():
            if config.get(key, False if key == "relative_attention" else value) != value:
                raise CheckpointError(
                    f"config.json: '{key}' is {reprlib.repr(config.get(key))}; only {value!r} is supported."
                )
        kinds = config.get("pos_att_type") or []
        kinds = [kind.strip() for kind in kinds.lower().split("|")] if isinstance(kinds, str) else kinds
        if not isinstance(kinds, list) or any(kind not in ("c2p", "p2c") for kind in kinds):
            raise CheckpointError(
                f"config.json: 'pos_att_type' is {reprlib.repr(kinds)}; only 'c2p' and 'p2c' are supported."
            )
        norm = config.get("norm_rel_ebd", "none")
        if norm not in ("none", "layer_norm"):
            raise CheckpointError(
                f"config.json: 'norm_rel_ebd' is {reprlib.repr(norm)}, but must be 'none' or 'layer_norm'."
            )
        own = read_argument(config, "embedding_width", "embedding_size", {"embedding_width": width})
        window = arguments["window"]
        buckets, farthest = _count(config, "position_buckets"), _count(config, "max_relative_positions") or window
        if buckets and not 1 <= buckets // 2 < farthest - 1:
            raise CheckpointError(
                f"config.json: 'position_buckets' is {buckets} with distances up to {farthest}; only 2 or more are "
                "supported, and less than twice the distances."
            )
        return arguments | {
            "types": _count(config, "type_vocab_size"),
            "embedding_width": None if own == width else own,
            "absolute": _switch(config, "position_biased_input", True),
            "buckets": buckets,
            "farthest": farthest,
            "keys": "c2p" in kinds,
            "queries": "p2c" in kinds,
            "own": not _switch(config, "share_att_key", False),
            "distance_norm": norm == "layer_norm",
            **_convolution(config, width),
        }

    def encoder(self, arguments: Mapping[str, Any]) -> Stack:
        """Build the encoder for some arguments, with random weights."""
        return DisentangledEncoder(**arguments)

    def config(
        self, arguments: Mapping[str, Any], head: HeadPlan | None, head_dropout: float, pad: int
    ) -> dict[str, Any]:
        """Write the arguments as a complete config.json."""
        arguments = with_defaults(DisentangledEncoder, arguments)
        written = super().config(arguments, head, head_dropout, pad) | {
            "type_vocab_size": arguments["types"],
            "embedding_size": arguments["embedding_width"] or arguments["width"],
            "pooler_hidden_size": arguments["width"],
            "position_biased_input": arguments["absolute"],
            "position_buckets": arguments["buckets"] or -1,
            "max_relative_positions": arguments["farthest"],
            "pos_att_type": [kind for kind, name in (("c2p", "keys"), ("p2c", "queries")) if arguments[name]],
            "share_att_key": not arguments["own"],
            "norm_rel_ebd": "layer_norm" if arguments["distance_norm"] else "none",
        }
        if arguments["convolution"]:
            written |= {
                "conv_kernel_size": arguments["convolution"],
                "conv_groups": arguments["convolution_groups"],
                "conv_act": arguments["convolution_activation"],
            }
        return written


def _count(config: Mapping[str, Any], key: str) -> int:
    """Read a count; 0 if the file has none or says -1."""
    value = config.get(key, 0)
    if type(value) is not int or not -1 <= value <= 1_000_000:
        raise CheckpointError(
            f"config.json: '{key}' is {reprlib.repr(value)}, but must be a whole number up to 1,000,000, or -1."
        )
    return max(value, 0)


def _switch(config: Mapping[str, Any], key: str, usual: bool) -> bool:
    value = config.get(key, usual)
    if not isinstance(value, bool):
        raise CheckpointError(f"config.json: '{key}' is {reprlib.repr(value)}, but must be true or false.")
    return value


def _convolution(config: Mapping[str, Any], width: int) -> dict[str, Any]:
    """Read the convolution of the first block; nothing if there is none."""
    size = _count(config, "conv_kernel_size")
    if not size:
        return {}
    groups = read_argument(config, "groups", "conv_groups", {"groups": 1})
    if size % 2 == 0 or width % groups:
        raise CheckpointError(
            f"config.json: a convolution over {size} tokens in {groups} groups is not supported; 'conv_kernel_size' "
            f"must be odd and 'conv_groups' divide the width, {width}."
        )
    activation = read_argument(config, "activation", "conv_act", {"activation": "tanh"})
    return {"convolution": size, "convolution_groups": groups, "convolution_activation": activation}


PLUGIN = DebertaV2
