"""Checkpoints of an encoder and a decoder that are both BERTs: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from headstart.checkpoints._family import BERT_KEYS, bert_encoder
from headstart.checkpoints._generator import GeneratorFamily
from headstart.checkpoints.families.bert import Bert
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError
from headstart.nn.decoder import Decoder, Generator, TokenEmbeddings, Transform
from headstart.nn.encoder import Encoder
from headstart.nn.generate import Search
from headstart.nn.layer import DecoderLayer


def _decoder() -> dict[str, tuple[str, ...]]:
    """Return the table of a BERT with cross attention and logits of words."""
    renamed = {"encoder.": "decoder.", "output_norm": "feed_forward_norm"}
    table = {}
    for ours, theirs in bert_encoder("decoder.bert.").items():
        name = ours
        for old, new in renamed.items():
            name = name.replace(old, new)
        table[name] = theirs
    cross = "decoder.bert.encoder.layer.*.crossattention"
    return table | {
        "decoder.blocks.*.cross.query": (f"{cross}.self.query",),
        "decoder.blocks.*.cross.states": (f"{cross}.self.key", f"{cross}.self.value"),
        "decoder.blocks.*.cross.output": (f"{cross}.output.dense",),
        "decoder.blocks.*.cross_norm": (f"{cross}.output.LayerNorm",),
        "decoder.final_norm.dense": ("decoder.cls.predictions.transform.dense",),
        "decoder.final_norm.norm": ("decoder.cls.predictions.transform.LayerNorm",),
    }


@dataclass(frozen=True)
class EncoderDecoder(GeneratorFamily):
    """Two BERTs, of which the second also attends to the first (Rothe et al. 2020); each has its own vocabulary."""

    model_type: ClassVar = "encoder-decoder"
    architecture: ClassVar = "EncoderDecoderModel"
    prefix: ClassVar = ""
    modules: ClassVar = {**bert_encoder("encoder."), **_decoder()}
    whole: ClassVar = {"decoder.output_bias": "decoder.cls.predictions.bias"}
    rows: ClassVar = frozenset({"decoder.output_bias"})
    keys: ClassVar = {}

    def arguments(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Turn config.json into the arguments of :meth:`build`: those of the decoder, and 'encoder'.

        Raises:
            CheckpointError: a side is missing or no BERT, or their widths differ.
        """
        sides = {}
        for side in ("encoder", "decoder"):
            own = config.get(side)
            if not isinstance(own, dict) or own.get("model_type") != "bert":
                raise CheckpointError(f"config.json: '{side}' must be the settings of a model of type 'bert'.")
            sides[side] = Bert().arguments({**own, "is_decoder": False, "add_cross_attention": False})
        if sides["encoder"]["width"] != sides["decoder"]["width"]:
            raise CheckpointError(
                f"config.json: the encoder is {sides['encoder']['width']} wide and the decoder "
                f"{sides['decoder']['width']}; only equal widths are supported."
            )
        return {**sides["decoder"], "encoder": sides["encoder"]}

    def build(self, arguments: Mapping[str, Any]) -> Generator:
        """Build the model that the arguments describe."""
        width, epsilon, activation = arguments["width"], arguments["epsilon"], arguments["activation"]
        sizes = (width, arguments["heads"], arguments["feed_forward"], arguments["dropout"], activation, epsilon)
        embeddings = TokenEmbeddings(
            arguments["vocabulary"],
            width,
            arguments["dropout"],
            window=arguments["window"],
            epsilon=epsilon,
            types=arguments["types"],
        )
        decoder = Decoder(
            embeddings,
            [DecoderLayer(*sizes, cross=True, norm_first=False) for _ in range(arguments["layers"])],
            final_norm=Transform(width, activation, epsilon),
            output_bias=True,
        )
        return Generator(Encoder(**arguments["encoder"]), decoder)

    def config(self, arguments: Mapping[str, Any], search: Search, padding: int) -> dict[str, Any]:
        """Write the arguments as a complete config.json."""
        plan: HeadPlan | None = None
        encoder = Bert().config(arguments["encoder"], plan, 0.0, 0)
        decoder = Bert().config({key: arguments[key] for key in BERT_KEYS}, plan, 0.0, padding)
        return {
            **super().config(arguments, search, padding),
            "encoder": encoder,
            "decoder": {**decoder, "is_decoder": True, "add_cross_attention": True},
        }


PLUGIN = EncoderDecoder
