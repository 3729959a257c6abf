"""What contenders with a Transformer read of texts beyond its window: the option, applied and saved."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from headstart.checkpoints import manifest
from headstart.checkpoints.folder import Checkpoint
from headstart.core import long_texts
from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.long_texts import LongTexts
from headstart.nn.heads import ClassificationHead, Model
from headstart.training.loop import Settings

FIRST = LongTexts()
KEY = "long"  # in the manifest


def reading(checkpoint: Checkpoint, long: LongTexts) -> Checkpoint:
    """Return a checkpoint that reads long texts in another way.

    Raises:
        UsageError: the task does not score whole texts.
    """
    if long.way == FIRST.way:
        return checkpoint
    model = checkpoint.model
    if not isinstance(model, Model) or not isinstance(model.head, ClassificationHead):
        raise UsageError(
            f"long={long.way} is for tasks that score whole texts, and this one scores tokens, in windows of its own; "
            "leave it at 'first'."
        )
    if long.windows:
        model.head.windows = long.windows
    return dataclasses.replace(checkpoint, tokenizer=checkpoint.tokenizer.reading(long))


def in_parts(settings: Settings, lengths: np.ndarray, window: int) -> Settings:
    """Divide the steps so that no part has more tokens than a step of texts that fill one window.

    Args:
        settings: of the training.
        lengths: tokens of each row in all its windows, int64 ``(rows,)``.
        window: maximum number of tokens of a sequence.
    """
    most = int(np.sort(lengths)[-settings.batch_rows :].sum())
    parts = -(-most // (settings.batch_rows * window))
    return dataclasses.replace(settings, accumulate=max(settings.accumulate, min(parts, settings.batch_rows)))


def stored(long: LongTexts) -> dict[str, Value]:
    """Return what a manifest keeps: nothing for texts that are truncated."""
    return {} if long.way == FIRST.way else {KEY: dataclasses.asdict(long)}


def of_manifest(folder: Path, extra: Mapping[str, Value]) -> LongTexts:
    """Read what :func:`stored` returned.

    Raises:
        CheckpointError: the manifest contains something else.
    """
    try:
        return long_texts.read(extra[KEY]) if KEY in extra else FIRST
    except UsageError as error:
        raise CheckpointError(f"'{folder}': '{manifest.NAME}': {error} Save the model again.") from error
