"""Task + backbone + strategy -> fitted model: what every contender with a Transformer shares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart.checkpoints.folder import Checkpoint
from headstart.checkpoints.folder import load as load_checkpoint
from headstart.checkpoints.folder import save as save_checkpoint
from headstart.contenders import _saved
from headstart.core.errors import UsageError, did_you_mean
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.nn.groups import Group
from headstart.nn.heads import Model
from headstart.nn.packed import Batch, drop_words, pack
from headstart.text.tokenizer import Encoded
from headstart.training.batches import by_length
from headstart.training.loop import Settings, train

# Tokens in a batch where nothing is learnt. Efficiency is flat from a few hundred tokens on; more only costs memory.
TOKEN_BUDGET = 8192
# Kept states beyond this many bytes go to a memory-mapped file of half precision instead of memory.
STATES_IN_MEMORY = 2**30
CLASS_WEIGHTS = ("none", "balanced")


@dataclass
class Neural:
    """A fitted Transformer.

    contender: the plugin that made it. task: with its classes. trained_parameters: number of weights that learnt.
    """

    contender: str
    task: Any
    checkpoint: Checkpoint
    trained_parameters: int
    device: str = "cpu"

    @property
    def model(self) -> Model:
        """The encoder with its head."""
        assert isinstance(self.checkpoint.model, Model)
        return self.checkpoint.model

    @property
    def parameters(self) -> int:
        """Number of all weights."""
        return sum(weight.numel() for weight in self.model.parameters())

    def predict(self, inputs: Sequence[Any]) -> Predictions:
        """Answer any number of inputs, in their order."""
        encoded = self.task.encode(inputs, self.checkpoint.tokenizer)
        return self.task.decode(scores(self.model, encoded, self.device))

    def cut_off(self, inputs: Sequence[Any]) -> float:
        """Compute the share of the inputs' tokens (0 to 1) beyond the model's window."""
        share: float = self.task.encode(inputs, self.checkpoint.tokenizer).cut_off
        return share

    def save(self, folder: Path) -> None:
        """Write a Hugging Face folder with Headstart's manifest beside it."""
        part = self.checkpoint
        with _saved.saving(folder) as fresh:
            save_checkpoint(fresh, self.model, part.tokenizer, part.family, part.arguments, self.task.classes)
            _saved.write_manifest(fresh, self.contender, self.task, {"trained_parameters": self.trained_parameters})


def load(contender: str, folder: Path, task: Any, extra: dict[str, Any]) -> Neural:
    """Read what :meth:`Neural.save` wrote."""
    return Neural(contender, task, load_checkpoint(folder), extra["trained_parameters"])


def fit(
    contender: str,
    checkpoint: Checkpoint,
    train_rows: Rows,
    validation: Rows,
    task: Any,
    run: Run,
    *,
    strategy: Any,
    settings: Settings,
    class_weights: str = "none",
    word_dropout: float = 0.0,
) -> Neural:
    """Train a checkpoint's model for a task, as a strategy says.

    Args:
        strategy: its ``prepare(model)`` freezes what does not learn and returns the groups that do.
        class_weights: 'none', or 'balanced' to weigh each class by the inverse of its share.
        word_dropout: share (0 to 1) of the tokens hidden in each step; see `nn.packed.drop_words`.

    Raises:
        UsageError: other class weights.
        TrainingError: see `training.loop.train`.
    """
    if class_weights not in CLASS_WEIGHTS:
        raise UsageError(f"no class weights '{class_weights}'; {did_you_mean(class_weights, CLASS_WEIGHTS)}")
    run.progress(Progress("tokenising", 0.0))
    fitted = Neural(contender, task, checkpoint, 0, run.device)
    model = fitted.model.to(run.device)
    encoded = task.encode(train_rows.inputs, checkpoint.tokenizer)
    # With too few rows for any validation, the training rows stand in: better than stopping nowhere.
    validation = validation if len(validation) else train_rows
    validation_encoded = task.encode(validation.inputs, checkpoint.tokenizer)
    targets = torch.from_numpy(task.numbers(train_rows)).to(run.device)
    validation_targets = torch.from_numpy(task.numbers(validation))
    weights = balanced_weights(targets, len(task.classes)) if class_weights == "balanced" else None
    groups: list[Group] = strategy.prepare(model)
    kept = frozen_states(model, encoded, run, "train")
    unknown = checkpoint.tokenizer.unknown
    special = [*checkpoint.tokenizer.opening, *checkpoint.tokenizer.closing]
    validation_kept = frozen_states(model, validation_encoded, run, "validation")

    def loss(rows: np.ndarray) -> Tensor:
        batch = pack(encoded.tokens, encoded.boundaries, rows, kept).to(run.device)
        if word_dropout and unknown is not None:
            batch = drop_words(batch, word_dropout, unknown, special)
        with _precision(run.device):
            logits = model(batch)
        return model.head.loss(logits, targets[torch.from_numpy(rows).to(run.device)][batch.order], weights)

    def evaluate() -> tuple[float, float]:
        logits = scores(model, validation_encoded, run.device, validation_kept)
        score = task.score(task.decode(logits), validation)[run.metric]
        return score, float(model.head.loss(logits, validation_targets).nan_to_num(posinf=1e9))

    train(
        rows=len(train_rows),
        groups=groups,
        loss=loss,
        evaluate=evaluate,
        mode=model,
        settings=settings,
        run=run,
        fingerprint=_fingerprint(
            settings, strategy, class_weights, word_dropout, checkpoint.arguments, train_rows, validation, run.seed
        ),
    )
    fitted.trained_parameters = sum(weight.numel() for group in groups for weight in group.weights.values())
    return fitted


@torch.inference_mode()
def scores(model: Model, encoded: Encoded, device: str, kept: Tensor | None = None) -> Tensor:
    """Compute the logits of all texts, in their order: float32 ``(texts, classes)`` on the CPU.

    Args:
        kept: the output of the model's frozen stages for these texts, if there is one.
    """
    model.eval()
    out = torch.zeros(len(encoded), model.head.output.out_features)
    for rows in by_length(encoded.lengths, TOKEN_BUDGET):
        batch = pack(encoded.tokens, encoded.boundaries, rows, kept).to(device)
        with _precision(device):
            logits = model(batch)
        out[torch.from_numpy(rows)[batch.order.cpu()]] = logits.float().cpu()
    return out


def frozen_states(model: Model, encoded: Encoded, run: Run, name: str) -> Tensor | None:
    """Run the model's frozen stages once over all texts and keep what they give.

    Returns:
        ``(tokens, width)``; ``(texts, width)`` where the whole encoder is frozen; None where nothing is.
    """
    stages = model.frozen_stages()
    if not stages:
        return None
    model.eval()
    whole = stages == len(model.encoder.stages)
    shape = (len(encoded) if whole else len(encoded.tokens), model.encoder.width)
    if 4 * shape[0] * shape[1] <= STATES_IN_MEMORY:
        kept = torch.empty(shape)
    else:
        run.folder.mkdir(parents=True, exist_ok=True)
        file = np.memmap(run.folder / f"{name}.states", dtype=np.float16, mode="w+", shape=shape)
        kept = torch.from_numpy(file)
    done = 0
    for rows in by_length(encoded.lengths, TOKEN_BUDGET):
        batch = pack(encoded.tokens, encoded.boundaries, rows)
        with _precision(run.device):
            states = model.frozen_states(batch.to(run.device)).to("cpu", kept.dtype)
        texts = rows[batch.order.numpy()]
        if whole:
            kept[torch.from_numpy(texts)] = states
        else:
            kept[_places(encoded, texts, batch)] = states
        done += len(rows)
        run.progress(Progress(f"frozen states of {name}", done / len(encoded)))
    return kept


def _places(encoded: Encoded, texts: np.ndarray, batch: Batch) -> Tensor:
    """Where the tokens of a packed batch stand in the flat array."""
    first = torch.from_numpy(encoded.boundaries[texts])
    lengths = torch.from_numpy(encoded.lengths[texts])
    return torch.repeat_interleave(first, lengths) + batch.positions


def _precision(device: str) -> Any:
    """Compute in bfloat16 where the device is made for it; weights stay float32."""
    return torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda")


def balanced_weights(targets: Tensor, classes: int) -> Tensor:
    """Weigh each class by the inverse of its share, so that every class counts alike: ``(classes,)``, mean about 1."""
    counts = torch.bincount(targets, minlength=classes).clamp(min=1)
    return len(targets) / (classes * counts.float())


def _fingerprint(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "replace")).hexdigest()
