"""Checkpoints of Llama's kind, such as SmolLM2: names of weights and settings."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import read_argument
from headstart.checkpoints._generator import GeneratorFamily
from headstart.core.errors import CheckpointError
from headstart.nn.decoder import Decoder, Generator, TokenEmbeddings
from headstart.nn.layer import DecoderLayer, make_norm


@dataclass(frozen=True)
class Llama(GeneratorFamily):
    """Llama (Touvron et al. 2023): rotary positions, gated layers, norms without a mean, shared keys; no biases."""

    model_type: ClassVar = "llama"
    architecture: ClassVar = "LlamaForCausalLM"
    modules: ClassVar = {
        "decoder.embeddings.word": ("model.embed_tokens",),
        "decoder.blocks.*.attention_norm": ("model.layers.*.input_layernorm",),
        "decoder.blocks.*.attention.qkv": tuple(f"model.layers.*.self_attn.{name}_proj" for name in "qkv"),
        "decoder.blocks.*.attention.output": ("model.layers.*.self_attn.o_proj",),
        "decoder.blocks.*.feed_forward_norm": ("model.layers.*.post_attention_layernorm",),
        "decoder.blocks.*.up": ("model.layers.*.mlp.gate_proj", "model.layers.*.mlp.up_proj"),
        "decoder.blocks.*.down": ("model.layers.*.mlp.down_proj",),
        "decoder.final_norm": ("model.norm",),
        "decoder.output": ("lm_head",),
    }
    keys: ClassVar = {
        "vocabulary": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "window": "max_position_embeddings",
        "activation": "hidden_act",
        "epsilon": "rms_norm_eps",
    }
    fixed: ClassVar = {"attention_bias": False, "mlp_bias": False}
    expected: ClassVar = {"attention_bias": False, "mlp_bias": False}
    defaults: ClassVar = {"activation": "silu", "epsilon": 1e-6}

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the arguments of :meth:`build`.

        Raises:
            CheckpointError: as for any family, or heads that do not fit, or rotations of other kinds.
        """
        arguments = super().arguments(config)
        heads = arguments["heads"]
        key_heads = read_argument(config, "key_heads", "num_key_value_heads", {"key_heads": heads})
        if heads % key_heads:
            raise CheckpointError(
                f"config.json: {key_heads} heads of keys cannot be shared by {heads} attention heads."
            )
        size = config.get("head_dim") or arguments["width"] // heads
        if type(size) is not int or size < 2 or size % 2:
            raise CheckpointError(f"config.json: rotary positions need heads of even width, not {reprlib.repr(size)}.")
        tied = config.get("tie_word_embeddings", False)
        return arguments | {"key_heads": key_heads, "size": size, "tied": tied is True, "theta": _theta(config)}

    def build(self, arguments: Mapping[str, Any]) -> Generator:
        """Build the model that the arguments describe."""
        width, epsilon = arguments["width"], arguments["epsilon"]
        layers = [
            DecoderLayer(
                width,
                arguments["heads"],
                arguments["feed_forward"],
                0.0,
                arguments["activation"],
                epsilon,
                cross=False,
                norm_first=True,
                rms=True,
                bias=False,
                gated=True,
                size=arguments["size"],
                key_heads=arguments["key_heads"],
            )
            for _ in range(arguments["layers"])
        ]
        return Generator(
            None,
            Decoder(
                TokenEmbeddings(arguments["vocabulary"], width, 0.0),
                layers,
                final_norm=make_norm(width, epsilon, True),
                theta=arguments["theta"],
                output=not arguments["tied"],
            ),
        )

    def config(self, arguments: Mapping[str, Any], *rest: Any) -> dict[str, Any]:
        """Write the arguments as a complete config.json, with keys that old and new readers know."""
        return super().config(arguments, *rest) | {
            "num_key_value_heads": arguments["key_heads"],
            "head_dim": arguments["size"],
            "tie_word_embeddings": arguments["tied"],
            "rope_theta": arguments["theta"],
            "rope_parameters": {"rope_type": "default", "rope_theta": arguments["theta"]},
        }


def _theta(config: Mapping[str, Any]) -> float:
    """Read the base of the rotation.

    Raises:
        CheckpointError: it is not a number above 1, or the rotation is scaled.
    """
    rotation = config.get("rope_parameters") or config.get("rope_scaling") or {}
    plain = isinstance(rotation, dict) and rotation.get("rope_type", rotation.get("type", "default")) == "default"
    if not plain:
        raise CheckpointError(
            f"config.json: the rotation is {reprlib.repr(rotation)}; only the plain one is supported."
        )
    theta = rotation.get("rope_theta", config.get("rope_theta", 10_000.0))
    if type(theta) not in (int, float) or not 1 < theta < 1e12:
        raise CheckpointError(f"config.json: 'rope_theta' is {reprlib.repr(theta)}, but must be a number above 1.")
    return float(theta)


PLUGIN = Llama
