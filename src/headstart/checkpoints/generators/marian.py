"""Marian checkpoints, such as OPUS-MT: names of weights and settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from headstart.checkpoints.generators.bart import Bart, sides
from headstart.nn.decoder import TokenEmbeddings
from headstart.nn.positions import sinusoids


@dataclass(frozen=True)
class Marian(Bart):
    """Marian (Junczys-Dowmunt et al. 2018): as BART, with sinusoidal positions and no norm of embeddings."""

    model_type: ClassVar = "marian"
    architecture: ClassVar = "MarianMTModel"
    modules: ClassVar = sides({}, {})
    expected: ClassVar = {**Bart.expected, "share_encoder_decoder_embeddings": True}

    def embeddings(self, arguments: Mapping[str, Any]) -> TokenEmbeddings:
        """Build the embeddings of one side; positions are fixed, sines in the first half and cosines in the second."""
        width, window = arguments["width"], arguments["window"]
        scale = width**0.5 if arguments["scaled"] else 1.0
        embeddings = TokenEmbeddings(arguments["vocabulary"], width, arguments["dropout"], window=window, scale=scale)
        assert embeddings.position is not None
        table = sinusoids(window, width)  # sines and cosines in turn
        embeddings.position = torch.nn.Embedding.from_pretrained(torch.cat([table[:, 0::2], table[:, 1::2]], dim=1))
        return embeddings

    def config(self, arguments: Mapping[str, Any], *rest: Any) -> dict[str, Any]:
        """Write the arguments as a complete config.json."""
        return super().config(arguments, *rest) | {"decoder_vocab_size": arguments["vocabulary"]}


PLUGIN = Marian
