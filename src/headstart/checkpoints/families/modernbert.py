"""ModernBERT checkpoints: names of weights and settings."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import EXPECTED, Family, read_argument, with_defaults
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn.encoder import Stack
from headstart.nn.modern import ModernEncoder

FAR, NEAR = "full_attention", "sliding_attention"
# Our argument -> the key of files up to transformers 4, the kind of layer that newer ones have it under, and what is
# meant where it is in neither.
THETAS = {"far_theta": ("global_rope_theta", FAR, 160_000.0), "near_theta": ("local_rope_theta", NEAR, 10_000.0)}


@dataclass(frozen=True)
class ModernBert(Family):
    """ModernBERT (Warner et al. 2024): rotary positions, local and global attention, gated layers, no biases."""

    model_type: ClassVar = "modernbert"
    architecture: ClassVar = "ModernBert"
    modules: ClassVar = {
        "encoder.embeddings.word": ("model.embeddings.tok_embeddings",),
        "encoder.embeddings.norm": ("model.embeddings.norm",),
        "encoder.blocks.*.attention_norm": ("model.layers.*.attn_norm",),
        "encoder.blocks.*.attention.qkv": ("model.layers.*.attn.Wqkv",),
        "encoder.blocks.*.attention.output": ("model.layers.*.attn.Wo",),
        "encoder.blocks.*.feed_forward_norm": ("model.layers.*.mlp_norm",),
        "encoder.blocks.*.up": ("model.layers.*.mlp.Wi",),
        "encoder.blocks.*.down": ("model.layers.*.mlp.Wo",),
        "encoder.blocks.*.final_norm": ("model.final_norm",),
        "head.dense": ("head.dense",),
        "head.norm": ("head.norm",),
        "head.output": ("classifier",),
    }
    keys: ClassVar = {
        "vocabulary": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "window": "max_position_embeddings",
        "dropout": "mlp_dropout",
        "activation": "hidden_activation",
        "epsilon": "norm_eps",
    }
    fixed: ClassVar = {"attention_dropout": 0.0, "classifier_activation": "gelu"}
    expected: ClassVar = {
        **EXPECTED,
        **dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"), False),
        "classifier_activation": "gelu",
    }
    defaults: ClassVar = {"dropout": 0.0, "activation": "gelu", "epsilon": 1e-5, "reach": 128, "head_dropout": 0.0}
    neutral: ClassVar = {}
    head_activation: ClassVar = "gelu"
    head_norm: ClassVar = True
    head_modules: ClassVar = {}

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the encoder's arguments.

        Raises:
            CheckpointError: as for any family, or the file asks for biases, rotations or layers of other kinds.
        """
        arguments = super().arguments(config)
        if arguments["width"] // arguments["heads"] % 2:
            raise CheckpointError(
                f"config.json: rotary positions need heads of even width, not "
                f"{arguments['width'] // arguments['heads']}."
            )
        arguments["reach"] = read_argument(config, "reach", "local_attention", self.defaults) // 2
        arguments["far_every"] = _far_every(config, arguments["layers"])
        return arguments | {name: _theta(config, *where) for name, where in THETAS.items()}

    def encoder(self, arguments: Mapping[str, Any]) -> Stack:
        """Build the encoder that the arguments describe, with random weights."""
        return ModernEncoder(**arguments)

    def pooling(self, config: Mapping[str, Any]) -> str:
        """Read what the classifier reads, 'first' or 'mean'.

        Raises:
            CheckpointError: it is something else.
        """
        pooling = config.get("classifier_pooling", "cls")
        if pooling not in ("cls", "mean"):
            raise CheckpointError(
                f"config.json: 'classifier_pooling' is {reprlib.repr(pooling)}, but must be 'cls' or 'mean'."
            )
        return "mean" if pooling == "mean" else "first"

    def pooling_key(self, pooling: str) -> dict[str, str]:
        """Write what the classifier reads."""
        return {"classifier_pooling": "cls" if pooling == "first" else pooling}

    def config(
        self, arguments: Mapping[str, Any], head: HeadPlan | None, head_dropout: float, pad: int
    ) -> dict[str, Any]:
        """Write the arguments as a complete config.json, with keys that old and new readers know."""
        arguments = with_defaults(ModernEncoder, arguments)
        every = arguments["far_every"]
        return {
            **super().config(arguments, head, head_dropout, pad),
            "embedding_dropout": arguments["dropout"],
            "local_attention": 2 * arguments["reach"],
            "global_attn_every_n_layers": every,
            "layer_types": [NEAR if number % every else FAR for number in range(arguments["layers"])],
            "rope_parameters": {
                kind: {"rope_type": "default", "rope_theta": arguments[name]} for name, (_, kind, _) in THETAS.items()
            },
            **{key: arguments[name] for name, (key, _, _) in THETAS.items()},
        }


def _far_every(config: Mapping[str, Any], layers: int) -> int:
    """Read how often a block attends to the whole text."""
    kinds = config.get("layer_types")
    if kinds is None:
        return int(read_argument(config, "every", "global_attn_every_n_layers", {"every": 3}))
    for every in range(1, layers + 1):
        if kinds == [NEAR if number % every else FAR for number in range(layers)]:
            return every
    raise CheckpointError(
        f"config.json: 'layer_types' must name {layers} layers, the first of them and then every so many '{FAR}' and "
        f"the others '{NEAR}'."
    )


def _theta(config: Mapping[str, Any], old: str, kind: str, usual: float) -> float:
    """Read the theta of one kind of layer."""
    theta, scaling = config.get(old, usual), config.get("rope_scaling")
    rotations = config.get("rope_parameters") or {}
    rotation = rotations.get(kind) if isinstance(rotations, dict) else rotations
    if rotation is not None:
        plain = isinstance(rotation, dict) and rotation.get("rope_type", "default") == "default"
        theta, scaling = (rotation.get("rope_theta", theta), scaling) if plain else (theta, rotation)
    if scaling is not None:
        raise CheckpointError(
            f"config.json: the rotation of '{kind}' is {reprlib.repr(scaling)}; only the plain one is supported."
        )
    if type(theta) not in (int, float) or not 1 < theta < 1e12:
        raise CheckpointError(f"config.json: theta of '{kind}' is {reprlib.repr(theta)}, but must be a number above 1.")
    return float(theta)


PLUGIN = ModernBert
