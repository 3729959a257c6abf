"""BART checkpoints: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._generator import GeneratorFamily, check_heads
from headstart.nn.decoder import Decoder, Generator, LayerEncoder, TokenEmbeddings
from headstart.nn.layer import DecoderLayer, EncoderLayer, make_norm


def sides(own: Mapping[str, str], decoder: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Return the table of BART's encoder and decoder, which several families share.

    Args:
        own: our module of either side -> the file's, besides the layers.
        decoder: our module of a decoder -> the file's, besides those.
    """
    layer = {
        "attention.qkv": tuple(f"self_attn.{name}_proj" for name in "qkv"),
        "attention.output": ("self_attn.out_proj",),
        "attention_norm": ("self_attn_layer_norm",),
        "cross.query": ("encoder_attn.q_proj",),
        "cross.states": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
        "cross.output": ("encoder_attn.out_proj",),
        "cross_norm": ("encoder_attn_layer_norm",),
        "up": ("fc1",),
        "down": ("fc2",),
        "feed_forward_norm": ("final_layer_norm",),
    }
    table = {"encoder.embeddings.word": ("model.shared",), **decoder}
    for side in ("encoder", "decoder"):
        for ours, names in layer.items():
            table[f"{side}.blocks.*.{ours}"] = tuple(f"model.{side}.layers.*.{name}" for name in names)
        for ours, name in own.items():
            table[f"{side}.{ours}"] = (f"model.{side}.{name}",)
    return table


BART_KEYS = {
    "vocabulary": "vocab_size",
    "width": "d_model",
    "encoder_layers": "encoder_layers",
    "layers": "decoder_layers",
    "encoder_heads": "encoder_attention_heads",
    "heads": "decoder_attention_heads",
    "encoder_feed_forward": "encoder_ffn_dim",
    "feed_forward": "decoder_ffn_dim",
    "window": "max_position_embeddings",
    "dropout": "dropout",
    "activation": "activation_function",
}


@dataclass(frozen=True)
class Bart(GeneratorFamily):
    """BART (Lewis et al. 2020): an encoder and a decoder with learned positions, norms after residuals."""

    model_type: ClassVar = "bart"
    architecture: ClassVar = "BartForConditionalGeneration"
    norm_first: ClassVar = False
    modules: ClassVar = sides({"embeddings.position": "embed_positions", "embeddings.norm": "layernorm_embedding"}, {})
    whole: ClassVar = {"decoder.output_bias": "final_logits_bias"}
    keys: ClassVar = BART_KEYS
    fixed: ClassVar = {"attention_dropout": 0.0, "activation_dropout": 0.0, "is_encoder_decoder": True}
    expected: ClassVar = {"tie_word_embeddings": True}
    defaults: ClassVar = {"dropout": 0.1, "activation": "gelu"}

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the arguments of :meth:`build`."""
        arguments = super().arguments(config)
        check_heads(arguments)
        check_heads({**arguments, "heads": arguments["encoder_heads"]})
        return arguments | {"scaled": config.get("scale_embedding") is True}

    def build(self, arguments: Mapping[str, Any]) -> Generator:
        """Build the model that the arguments describe; both sides share their word embeddings."""
        width = arguments["width"]
        encoder_embeddings, embeddings = (self.embeddings(arguments) for _ in range(2))
        embeddings.word = encoder_embeddings.word
        rest = (arguments["dropout"], arguments["activation"], 1e-5)
        sizes = (width, arguments["encoder_heads"], arguments["encoder_feed_forward"])
        encoder_layers = [
            EncoderLayer(*sizes, *rest, cross=False, norm_first=self.norm_first)
            for _ in range(arguments["encoder_layers"])
        ]
        if self.norm_first:
            encoder_layers[-1].final_norm = make_norm(width, 1e-5, False)
        sizes = (width, arguments["heads"], arguments["feed_forward"])
        layers = [
            DecoderLayer(*sizes, *rest, cross=True, norm_first=self.norm_first) for _ in range(arguments["layers"])
        ]
        final_norm = make_norm(width, 1e-5, False) if self.norm_first else None
        return Generator(
            LayerEncoder(encoder_embeddings, encoder_layers, width, arguments["window"]),
            Decoder(embeddings, layers, final_norm=final_norm, output_bias=True),
        )

    def embeddings(self, arguments: Mapping[str, Any]) -> TokenEmbeddings:
        """Build the embeddings of one side, with learned positions from 2 on, normalised."""
        width = arguments["width"]
        return TokenEmbeddings(
            arguments["vocabulary"],
            width,
            arguments["dropout"],
            window=arguments["window"],
            offset=2,
            scale=width**0.5 if arguments["scaled"] else 1.0,
            epsilon=1e-5,
        )

    def config(self, arguments: Mapping[str, Any], *rest: Any) -> dict[str, Any]:
        """Write the arguments as a complete config.json."""
        return super().config(arguments, *rest) | {"scale_embedding": arguments["scaled"]}


PLUGIN = Bart
