"""Converse with a model: each answer depends on all turns before it, as far as they fit in the model's window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from headstart.checkpoints import generating, hub, manifest
from headstart.checkpoints.generating import GeneratorCheckpoint
from headstart.contenders._causal import shortened
from headstart.contenders._generative import Generative
from headstart.core.errors import UsageError, shown
from headstart.nn.generate import Search, stream
from headstart.nn.packed import pack
from headstart.saved import model_folder
from headstart.text.turns import Turn, is_chat

UNFINISHED = "\ufffd"  # what a character is decoded to of which a byte is missing


def open_model(source: str) -> GeneratorCheckpoint:
    """Open a model that answers in conversations.

    Args:
        source: a model that was trained for the task generation, or a decoder whose vocabulary has the tokens of
            ChatML: a folder, a packaged model such as 'smollm2', or 'hf://owner/name'.

    Raises:
        UsageError: no such model, or one that does not converse.
        CheckpointError: it is damaged.
    """
    folder = Path(source).expanduser()
    if source not in hub.PACKAGED and folder.is_dir() and manifest.there(folder):
        fitted = model_folder.open_model(folder)
        if not isinstance(fitted, Generative):
            raise UsageError(f"{shown(source)} gives every conversation the same answer; name a model that writes.")
        return fitted.checkpoint
    if generating.writes(source):
        opened = generating.load(source)
        if opened.model.encoder is None and is_chat(opened.tokenizer):
            return replace(opened, model=opened.model.eval(), tokenizer=shortened(opened.tokenizer))
    raise UsageError(
        f"{shown(source)} does not converse; name a model of the task generation, such as runs/NAME/best, or a decoder "
        "that was trained on conversations, such as smollm2."
    )


def answer(
    checkpoint: GeneratorCheckpoint, turns: Sequence[Turn], search: Search, generator: torch.Generator
) -> Iterator[str]:
    """Yield an answer in pieces, as they are written.

    Args:
        checkpoint: the model.
        turns: those before the answer, at least one.
        search: how the answer is written.
        generator: of the random numbers for sampling.
    """
    encoded = checkpoint.tokenizer.encode_turns([turns])
    special, backend = set(checkpoint.writing.special), checkpoint.writing.backend
    batch = pack(encoded.tokens, encoded.boundaries, np.array([0]))
    ids: list[int] = []
    written = ""
    for token in stream(checkpoint.model, batch, search, generator):
        if token not in special:
            ids.append(token)
        text = backend.decode(ids).lstrip()
        if text.startswith(written) and not text.endswith(UNFINISHED):
            yield text[len(written) :]
            written = text
