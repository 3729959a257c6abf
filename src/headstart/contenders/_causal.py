"""A pretrained decoder, fine-tuned: `finetuned` where answers are written, with a backbone that writes.

It continues the source, or the turns of a conversation, with the answer. Strategies know its layers as blocks.
"""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from headstart.checkpoints import generating
from headstart.checkpoints.generating import GeneratorCheckpoint
from headstart.contenders import _generative
from headstart.core.errors import UsageError, shown
from headstart.nn.decoder import Decoder
from headstart.nn.encoder import Stack
from headstart.nn.heads import Head, Model
from headstart.text.tokenizer import Tokenizer

CONTEXT = 256  # most tokens that are read before an answer, and of an answer; their cost grows with each


class Output(Head):
    """What strategies always train: the last norm, and the matrix of the logits unless that is the table of words."""

    def __init__(self, decoder: Decoder):
        nn.Module.__init__(self)
        self.parts = nn.ModuleList(part for part in (decoder.final_norm, decoder.output) if part is not None)
        self.dense = None

    def make_linear(self) -> None:
        """Change nothing: the logits are linear."""


def checkpoint(backbone: str) -> GeneratorCheckpoint:
    """Open a decoder, and limit what it reads.

    Raises:
        UsageError: the backbone has an encoder too.
    """
    opened = generating.load(backbone)
    if opened.model.encoder is not None:
        raise UsageError(
            f"the backbone {shown(backbone)} is an encoder with a decoder ('{opened.family}'); those that are "
            "fine-tuned are encoders, such as minilm, and decoders, such as smollm2."
        )
    return replace(opened, tokenizer=shortened(opened.tokenizer))


def shortened(tokenizer: Tokenizer) -> Tokenizer:
    """Return a decoder's tokenizer with room for an answer as long as what is read before it, at most `CONTEXT`."""
    short = min(CONTEXT, max(1, (tokenizer.window - _generative.SPARE) // 2))
    return Tokenizer(tokenizer.backend, short, tokenizer.settings, tokenizer.memory)


def view(started: GeneratorCheckpoint) -> Model:
    """Return the modules of a decoder as strategies know them: its layers are blocks, and its last norm is the head."""
    decoder = started.model.decoder
    width = decoder.embeddings.word.weight.shape[1]
    return Model(Stack(decoder.embeddings, decoder.blocks, width, started.tokenizer.window), Output(decoder))
