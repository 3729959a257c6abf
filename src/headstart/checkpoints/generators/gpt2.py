"""GPT-2 checkpoints: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._generator import GeneratorFamily, check_heads
from headstart.nn.decoder import Decoder, Generator, TokenEmbeddings
from headstart.nn.layer import DecoderLayer, make_norm


@dataclass(frozen=True)
class Gpt2(GeneratorFamily):
    """GPT-2 (Radford et al. 2019): a decoder with learned positions, norms first; matrices are stored transposed."""

    model_type: ClassVar = "gpt2"
    architecture: ClassVar = "GPT2LMHeadModel"
    prefix: ClassVar = "transformer."
    modules: ClassVar = {
        "decoder.embeddings.word": ("transformer.wte",),
        "decoder.embeddings.position": ("transformer.wpe",),
        "decoder.blocks.*.attention_norm": ("transformer.h.*.ln_1",),
        "decoder.blocks.*.attention.qkv": ("transformer.h.*.attn.c_attn",),
        "decoder.blocks.*.attention.output": ("transformer.h.*.attn.c_proj",),
        "decoder.blocks.*.feed_forward_norm": ("transformer.h.*.ln_2",),
        "decoder.blocks.*.up": ("transformer.h.*.mlp.c_fc",),
        "decoder.blocks.*.down": ("transformer.h.*.mlp.c_proj",),
        "decoder.final_norm": ("transformer.ln_f",),
    }
    transposed: ClassVar = frozenset(
        f"decoder.blocks.*.{name}" for name in ("attention.qkv", "attention.output", "up", "down")
    )
    keys: ClassVar = {
        "vocabulary": "vocab_size",
        "width": "n_embd",
        "layers": "n_layer",
        "heads": "n_head",
        "window": "n_positions",
        "dropout": "resid_pdrop",
        "activation": "activation_function",
        "epsilon": "layer_norm_epsilon",
    }
    fixed: ClassVar = {"attn_pdrop": 0.0}
    expected: ClassVar = {
        "scale_attn_weights": True,
        "scale_attn_by_inverse_layer_idx": False,
        "add_cross_attention": False,
        "tie_word_embeddings": True,
    }
    defaults: ClassVar = {"dropout": 0.1, "activation": "gelu_new", "epsilon": 1e-5}

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the arguments of :meth:`build`; the feed-forward layer is four times as wide."""
        arguments = super().arguments(config)
        check_heads(arguments)
        return arguments | {"feed_forward": config.get("n_inner") or 4 * arguments["width"]}

    def build(self, arguments: Mapping[str, Any]) -> Generator:
        """Build the model that the arguments describe."""
        width, dropout, epsilon = arguments["width"], arguments["dropout"], arguments["epsilon"]
        layer = (width, arguments["heads"], arguments["feed_forward"], dropout, arguments["activation"], epsilon)
        return Generator(
            None,
            Decoder(
                TokenEmbeddings(arguments["vocabulary"], width, dropout, window=arguments["window"]),
                [DecoderLayer(*layer, cross=False, norm_first=True) for _ in range(arguments["layers"])],
                final_norm=make_norm(width, epsilon, False),
            ),
        )

    def config(self, arguments: Mapping[str, Any], *rest: Any) -> dict[str, Any]:
        """Write the arguments as a complete config.json."""
        return super().config(arguments, *rest) | {
            "n_inner": arguments["feed_forward"],
            "embd_pdrop": arguments["dropout"],
        }


PLUGIN = Gpt2
