"""T5 checkpoints: names of weights and settings."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from headstart.checkpoints._generator import GeneratorFamily
from headstart.core.errors import CheckpointError
from headstart.nn.decoder import Decoder, Generator, LayerEncoder, TokenEmbeddings
from headstart.nn.layer import DecoderLayer, EncoderLayer, make_norm
from headstart.nn.positions import FAR

# 'feed_forward_proj' of config.json -> activation, and whether it is gated.
LAYERS = {"relu": ("relu", False), "gated-gelu": ("gelu_new", True), "gated-silu": ("silu", True)}


def _side(side: str, feed_forward: int) -> dict[str, tuple[str, ...]]:
    """Return the table of the layers of one side; the feed-forward layer is the part with this number."""
    start = f"{side}.block.*.layer."
    return {
        f"{side}.blocks.*.attention.qkv": tuple(f"{start}0.SelfAttention.{name}" for name in "qkv"),
        f"{side}.blocks.*.attention.output": (f"{start}0.SelfAttention.o",),
        f"{side}.blocks.*.attention_norm": (f"{start}0.layer_norm",),
        f"{side}.blocks.*.down": (f"{start}{feed_forward}.DenseReluDense.wo",),
        f"{side}.blocks.*.feed_forward_norm": (f"{start}{feed_forward}.layer_norm",),
        f"{side}.embeddings.distance": (f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias",),
    }


@dataclass(frozen=True)
class T5(GeneratorFamily):
    """T5 (Raffel et al. 2020): biases by distance, norms without a mean first, no other biases; also its version 1.1.

    gated: whether feed-forward layers are gated, as of version 1.1, which names of weights depend on.
    """

    gated: bool = False

    model_type: ClassVar = "t5"
    architecture: ClassVar = "T5ForConditionalGeneration"
    prefix: ClassVar = ""
    window: ClassVar = 512  # positions are relative, so that only memory limits it
    modules: ClassVar = {
        "encoder.embeddings.word": ("shared",),
        **_side("encoder", 1),
        "encoder.blocks.*.final_norm": ("encoder.final_layer_norm",),
        **_side("decoder", 2),
        "decoder.blocks.*.cross.query": ("decoder.block.*.layer.1.EncDecAttention.q",),
        "decoder.blocks.*.cross.states": tuple(f"decoder.block.*.layer.1.EncDecAttention.{name}" for name in "kv"),
        "decoder.blocks.*.cross.output": ("decoder.block.*.layer.1.EncDecAttention.o",),
        "decoder.blocks.*.cross_norm": ("decoder.block.*.layer.1.layer_norm",),
        "decoder.final_norm": ("decoder.final_layer_norm",),
        "decoder.output": ("lm_head",),
    }
    keys: ClassVar = {
        "vocabulary": "vocab_size",
        "width": "d_model",
        "size": "d_kv",
        "encoder_layers": "num_layers",
        "heads": "num_heads",
        "feed_forward": "d_ff",
        "distances": "relative_attention_num_buckets",
        "dropout": "dropout_rate",
        "epsilon": "layer_norm_epsilon",
    }
    fixed: ClassVar = {"is_encoder_decoder": True, "relative_attention_max_distance": FAR}
    expected: ClassVar = {"relative_attention_max_distance": FAR}
    defaults: ClassVar = {"dropout": 0.1, "epsilon": 1e-6, "distances": 32}

    def of(self, config: Mapping[str, Any]) -> Self:
        """Return the family of a version, whose feed-forward layers are gated or not.

        Raises:
            CheckpointError: the feed-forward layer is of another kind.
        """
        kind = config.get("feed_forward_proj", "relu")
        if kind not in LAYERS:
            raise CheckpointError(
                f"config.json: 'feed_forward_proj' is {reprlib.repr(kind)}, but must be one of {', '.join(LAYERS)}."
            )
        return dataclasses.replace(self, gated=LAYERS[kind][1])

    @property
    def table(self) -> Mapping[str, tuple[str, ...]]:
        """Our modules -> the file's modules."""
        parts = ("wi_0", "wi_1") if self.gated else ("wi",)
        up = {
            f"{side}.blocks.*.up": tuple(f"{side}.block.*.layer.{number}.DenseReluDense.{part}" for part in parts)
            for side, number in (("encoder", 1), ("decoder", 2))
        }
        return {**self.modules, **up}

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the arguments of :meth:`build`."""
        arguments = super().arguments(config)
        return arguments | {
            "layers": config.get("num_decoder_layers") or arguments["encoder_layers"],
            "kind": config.get("feed_forward_proj", "relu"),
            "tied": None,  # as the file has a matrix of the logits or not
            "scaled": self.scaled(config),
        }

    def scaled(self, config: Mapping[str, Any]) -> bool:
        """Return whether logits are computed from scaled states: in the first version, whose files say 'tied'.

        Version 1.1 does not scale them. Files of transformers 5 have a key of its own for it.
        """
        return config.get("scale_decoder_outputs", config.get("tie_word_embeddings", True)) is True

    def build(self, arguments: Mapping[str, Any]) -> Generator:
        """Build the model that the arguments describe; both sides share their word embeddings."""
        width, heads, epsilon = arguments["width"], arguments["heads"], arguments["epsilon"]
        activation, gated = LAYERS[arguments["kind"]]
        embeddings = [
            TokenEmbeddings(
                arguments["vocabulary"], width, arguments["dropout"], distances=arguments["distances"], heads=heads
            )
            for _ in range(2)
        ]
        embeddings[1].word = embeddings[0].word
        sizes = (width, heads, arguments["feed_forward"], arguments["dropout"], activation, epsilon)
        kind = {
            "norm_first": True,
            "rms": True,
            "bias": False,
            "gated": gated,
            "size": arguments["size"],
            "scaled": False,
        }
        encoder_layers = [EncoderLayer(*sizes, cross=False, **kind) for _ in range(arguments["encoder_layers"])]
        encoder_layers[-1].final_norm = make_norm(width, epsilon, True)
        decoder = Decoder(
            embeddings[1],
            [DecoderLayer(*sizes, cross=True, **kind) for _ in range(arguments["layers"])],
            final_norm=make_norm(width, epsilon, True),
            output=not arguments["tied"],
            output_scale=width**-0.5 if arguments["scaled"] else 1.0,
        )
        return Generator(LayerEncoder(embeddings[0], encoder_layers, width, self.window), decoder)

    def config(self, arguments: Mapping[str, Any], *rest: Any) -> dict[str, Any]:
        """Write the arguments as a complete config.json, with keys that old and new readers know."""
        activation, gated = LAYERS[arguments["kind"]]
        return super().config(arguments, *rest) | {
            "num_decoder_layers": arguments["layers"],
            "feed_forward_proj": arguments["kind"],
            "dense_act_fn": activation,
            "is_gated_act": gated,
            "tie_word_embeddings": arguments["scaled"],
            "scale_decoder_outputs": arguments["scaled"],
        }


PLUGIN = T5
