"""Task + backbone + strategy -> fitted model: the code shared by contenders with a Transformer."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, get_args

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from headstart.activations.forward import (
    features,
    frozen_states,
    joins_windows,
    outputs,
    pack_units,
    pooled_states,
    precision,
    weights_key,
)
from headstart.checkpoints import manifest, peft
from headstart.checkpoints.folder import Checkpoint
from headstart.checkpoints.folder import load as load_checkpoint
from headstart.checkpoints.folder import save as save_checkpoint
from headstart.checkpoints.header import find_family
from headstart.contenders import _attention, _gradients, _heads, _long
from headstart.contenders._choices import ClassWeights
from headstart.contenders._long import FIRST
from headstart.core.attribution import Aim, Attention, Attributed, Steps
from headstart.core.contracts import Fitted, HeadPlan, Task, Value, metric_values, settled
from headstart.core.errors import CheckpointError, UsageError, did_you_mean, shown
from headstart.core.hashing import parts_sha256
from headstart.core.long_texts import LongTexts
from headstart.core.opening import present
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.sequences import IGNORED, Ragged
from headstart.core.tally import named
from headstart.core.tensors import save_tensors
from headstart.nn import bottleneck, parallel, prepacked
from headstart.nn.groups import Group
from headstart.nn.heads import Model, count, mean_loss
from headstart.nn.int8 import quantised
from headstart.nn.lora import Updates
from headstart.nn.narrow import narrowed
from headstart.nn.packed import drop_words, to_device
from headstart.saved import model_folder
from headstart.strategies import Strategy
from headstart.training import collapse
from headstart.training.loop import Settings, train

# Number of state values up to which one thread predicts faster than two, which wake each other in every layer: a
# sentence, or with 8-bit weights a paragraph (docs/lab.md).
ALONE, ALONE_INT8 = 32 * 384, 224 * 384

CLASS_WEIGHTS: tuple[ClassWeights, ...] = get_args(ClassWeights)
# The weights of bottlenecks, for which Hugging Face's files have no place.
BOTTLENECKS = "adapter.safetensors"


@dataclass
class Neural(Fitted):
    """A fitted Transformer.

    contender: the plugin that made it.
    task: with its classes.
    checkpoint: the model and its tokenizer.
    trained: number of trained weights.
    reused_seconds: training time saved by states of other trainings.
    int8: a copy with 8-bit weights that predicts instead, see :meth:`with_int8`; None for the model itself.
    updates: LoRA's updates of the model's matrices; None without LoRA, or if the model was read from a folder.
    """

    contender: str
    task: Task
    checkpoint: Checkpoint
    trained: int
    device: str = "cpu"
    reused_seconds: float = 0.0
    int8: Model | None = None
    updates: Updates | None = None

    has_int8: ClassVar[bool] = True
    has_temperature: ClassVar[bool] = True
    has_thresholds: ClassVar[bool] = True
    has_gradients: ClassVar[bool] = True

    @property
    def model(self) -> Model:
        """The encoder with its head."""
        assert isinstance(self.checkpoint.model, Model)
        return self.checkpoint.model

    @property
    def long(self) -> LongTexts:
        """What it reads of texts beyond its window."""
        return self.checkpoint.tokenizer.long

    @property
    def parameters(self) -> int:
        """Number of all weights."""
        return sum(weight.numel() for weight in self.model.parameters())

    @property
    def trained_parameters(self) -> int:
        """Number of weights that were trained."""
        return self.trained

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict any number of inputs, in order."""
        encoded = self.task.encode(inputs, self.checkpoint.tokenizer)
        states = len(encoded.tokens) * self.model.encoder.width
        few = self.device == "cpu" and len(encoded.tokens) <= prepacked.FEW and prepacked.available()
        if self.int8 is not None:
            model, device, alone = self.int8, "cpu", states <= ALONE_INT8
        else:
            model, device = self._for_few if few else self.model, self.device
            alone = device == "cpu" and states <= ALONE
        with parallel.one_thread(alone):
            return self.task.decode(outputs(model, encoded, device), encoded, inputs)

    @cached_property
    def _for_few(self) -> Model:
        return prepacked.prepacked(self.model)

    def __getstate__(self) -> dict[str, Any]:
        # Prepacked weights cannot be copied or pickled, and are quickly packed again.
        return {name: value for name, value in vars(self).items() if name != "_for_few"}

    def with_int8(self) -> Neural:
        """Return the same model on the CPU with 8-bit weights; saving it writes the original weights.

        Raises:
            UsageError: torch has no int8 engine for this machine.
        """
        on_cpu = self.model if self.device == "cpu" else copy.deepcopy(self.model).cpu()
        return replace(self, int8=quantised(on_cpu))

    def with_temperature(self, temperature: float) -> Neural:
        """Return the same model with the weights of its last layer divided by a temperature."""
        model = Model(self.model.encoder, _heads.divided(self.model.head, temperature))
        return replace(self, checkpoint=replace(self.checkpoint, model=model.train(self.model.training)))

    def gradients(self, inputs: Sequence[Value], aims: Sequence[Aim], steps: Steps) -> tuple[Attributed, ...]:
        """Multiply gradients of scores by the embeddings' distance from a baseline, see `Fitted.gradients`."""
        return _gradients.attribute(self.model, self.task, self.checkpoint.tokenizer, self.device, inputs, aims, steps)

    def attention(self, value: Value, most: int) -> Attention:
        """Return how much the first tokens of an input attend to each other, see `Fitted.attention`."""
        return _attention.read(self.model, self.task, self.checkpoint.tokenizer, self.device, value, most)

    def cut_off(self, inputs: Sequence[Value]) -> float:
        """Return the share of the inputs' tokens (0 to 1) beyond the model's window."""
        return self.task.encode(inputs, self.checkpoint.tokenizer).cut_off

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write a Hugging Face folder with Headstart's manifest.

        Low-rank updates are also written to ``adapter/`` in PEFT's format, if the base model has a name.

        Args:
            folder: the folder.
            whole: False to write only the changed rows of the word embeddings, if they are few; see
                `checkpoints.folder.save`.
        """
        part = self.checkpoint
        plain, bottlenecks = bottleneck.split(self.model)
        plain.head.columns = None  # for which Hugging Face's files have no place either
        with model_folder.saving(folder) as fresh:
            base = "" if whole else part.base
            save_checkpoint(fresh, plain, part.tokenizer, part.family, part.arguments, self.task.head(), base)
            if bottlenecks:
                save_tensors({name: weight.cpu() for name, weight in bottlenecks.items()}, fresh / BOTTLENECKS)
            _heads.save(fresh, self.model.head, self.task)
            # An adapter in PEFT's format would lack the columns.
            if self.updates is not None and part.source and self.model.head.columns is None:
                family = find_family(part.family, part.source)
                head = plain.head if plain.head.in_transformers else None
                peft.write(fresh / "adapter", self.updates, head, family, part.source)
            extra = {"trained_parameters": self.trained, **_long.stored(self.long)}
            manifest.write(fresh, self.contender, self.task, extra)


def load(contender: str, folder: Path, task: Task, extra: Mapping[str, Value]) -> Neural:
    """Read what :meth:`Neural.save` wrote.

    Raises:
        CheckpointError: the model has no head, or one for other classes or of another kind than the task's; or its
            bottlenecks do not match.
    """
    checkpoint = load_checkpoint(folder)
    if checkpoint.base == checkpoint.source:
        # A contest deletes the folders of models that others build on: what is saved from here on needs none of them.
        checkpoint = replace(checkpoint, base="")
    checkpoint.tokenizer.forget()
    trained = extra.get("trained_parameters")
    if type(trained) is not int:
        raise CheckpointError(
            f"'{folder}': '{manifest.NAME}' does not say how many weights learnt; save the model again."
        )
    plan, found = task.head(), checkpoint.head
    if not isinstance(checkpoint.model, Model) or found is None or replace(found, crf=False) != plan:
        raise CheckpointError(
            f"'{folder}' has a head for {_described(checkpoint.head)} where '{manifest.NAME}' asks for one for "
            f"{_described(plan)}; copy the folder again, or save it again."
        )
    if present(folder / BOTTLENECKS):
        bottleneck.join(checkpoint.model, load_file(folder / BOTTLENECKS))
    _heads.load(folder, checkpoint.model.head, task)
    checkpoint = _long.reading(checkpoint, _long.of_manifest(folder, extra))
    return Neural(contender, task, checkpoint, trained)


def _described(head: HeadPlan | None) -> str:
    """Describe what a head is for, for messages."""
    return f"{head.suffix} with the classes {shown(', '.join(head.labels))}" if head else "nothing"


def fit(
    contender: str,
    checkpoint: Checkpoint,
    train_rows: Rows,
    validation: Rows,
    task: Task,
    run: Run,
    *,
    strategy: Strategy,
    settings: Settings,
    class_weights: str = "none",
    word_dropout: float = 0.0,
    long: LongTexts = FIRST,
) -> Neural:
    """Train a checkpoint's model for a task with a strategy.

    Args:
        contender: name of the contender.
        checkpoint: the initial model.
        train_rows: training rows.
        validation: validation rows.
        task: the task, fitted.
        run: the context of the training.
        strategy: which weights are trained, and when.
        settings: of the training.
        class_weights: 'none', or 'balanced' to weight each class by the inverse of its share.
        word_dropout: share (0 to 1) of the tokens masked in each step; see `nn.packed.drop_words`.
        long: what is read of texts beyond the window.

    Raises:
        UsageError: other class weights, or balanced ones for a task without classes; or a task that does not read long
            texts in this way.
        TrainingError: see `training.loop.train`.
    """
    if class_weights not in CLASS_WEIGHTS:
        raise UsageError(f"no class weights {shown(class_weights)}; {did_you_mean(class_weights, CLASS_WEIGHTS)}")
    run.progress(Progress("tokenising", 0.0))
    checkpoint = _long.reading(checkpoint, long)
    assert isinstance(checkpoint.model, Model)
    model = checkpoint.model.to(run.device)
    tokenizer = checkpoint.tokenizer
    # With too few rows for any validation, the training rows are used instead: better than stopping nowhere.
    validation = validation if len(validation) else train_rows
    encoded = task.encode(train_rows.inputs, tokenizer)
    validation_encoded = task.encode(validation.inputs, tokenizer)
    targets = task.targets(train_rows, encoded)
    validation_targets = task.targets(validation, validation_encoded)
    joined = joins_windows(model, encoded)
    if long.windows:
        settings = _long.in_parts(settings, encoded.lengths, tokenizer.window)
    if encoded.features is not None:
        _heads.attach(model.head, encoded.features, targets.values, balanced=class_weights == "balanced")
        model.to(run.device)
    weights = None
    if class_weights == "balanced":
        if targets.values.ndim > 1 or model.head.transitions is not None:
            raise UsageError(
                "only the classes of single labels can be balanced, without crf; leave class_weights at 'none'."
            )
        weights = balanced_weights(targets.values, model.head.output.out_features).to(run.device)
    special = [*tokenizer.opening, *tokenizer.closing]
    hidden = [] if tokenizer.unknown is None else [tokenizer.unknown]
    words = model.encoder.embeddings.word
    with ExitStack() as stack:
        learnt_ids = np.concatenate([encoded.tokens, np.array([*special, *hidden])])
        renumber = stack.enter_context(narrowed(words, learnt_ids, validation_encoded.tokens))
        groups: list[Group] = strategy.prepare(model)
        if words.weight.requires_grad:
            encoded = replace(encoded, tokens=renumber(encoded.tokens))
            validation_encoded = replace(validation_encoded, tokens=renumber(validation_encoded.tokens))
            special, hidden = renumber(np.array(special)).tolist(), renumber(np.array(hidden)).tolist()
        else:
            stack.close()
        # A strategy that unfreezes stages later has all of them trainable until the first step, so no states are stored
        # here: most are frozen for about an epoch or less, and hardly a text would be read twice.
        (stored, validation_kept), seconds = frozen_states(model, (encoded, validation_encoded), run)
        head_only = model.frozen_stages() == len(model.encoder.stages)
        convex_head = head_only and model.head.convex
        if convex_head and (stored is None or validation_kept is None):
            stored, validation_kept = (pooled_states(model, part, run.device) for part in (encoded, validation_encoded))

        def loss(rows: np.ndarray) -> Sequence[tuple[Tensor, int]]:
            units = rows if joined else encoded.sequences(rows)
            batch, order = pack_units(model, encoded, units, stored)
            expected = targets.take(units[order]).values
            batch, right = batch.to(run.device), to_device(torch.from_numpy(expected), run.device)
            if word_dropout and hidden:
                batch = drop_words(batch, word_dropout, hidden[0], special)
            with precision(run.device):
                logits = model(batch)
            return [(model.head.loss(logits, right, batch.boundaries, weights), count(expected))]

        def on_validation() -> tuple[Task, Predictions, Ragged]:
            answers = outputs(model, validation_encoded, run.device, validation_kept)

            def decode(task: Task) -> Predictions:
                return task.decode(answers, validation_encoded, validation.inputs)

            return *settled(task, decode, validation.targets), answers

        def evaluate() -> tuple[float, float]:
            _, predictions, answers = on_validation()
            score = metric_values(task, predictions, validation)[run.metric]
            return named(task.metrics, run.metric).sign * score, mean_loss(model.head, answers, validation_targets)

        def attempt(run: Run, groups: Sequence[Group]) -> None:
            def before_step(step: int, total: int) -> None:
                if strategy.at_step(groups, step, total):
                    model.train()  # which stages have dropout depends on which are trained

            train(
                rows=len(train_rows),
                groups=groups,
                loss=loss,
                evaluate=evaluate,
                held_out=len(validation),
                # Recomputation must draw the same random numbers, which torch only ensures for its own generator.
                lengths=None if model.encoder.recompute else encoded.lengths,
                mode=model,
                settings=settings,
                run=run,
                fingerprint=fingerprint,
                before_step=before_step,
            )

        def judge() -> str:
            def outputs_of(units: np.ndarray) -> Ragged:
                return outputs(model, encoded, run.device, stored, units)

            return collapse.judged(outputs_of, model.head, targets, weights, head_only=head_only)

        if convex_head:
            assert stored is not None
            states = features(model, encoded, stored)
            _heads.solve(model.head, states, targets.values, evaluate, run, balanced=class_weights == "balanced")
        else:
            fingerprint = parts_sha256(
                settings,
                strategy,
                class_weights,
                word_dropout,
                checkpoint.arguments,
                model.head.first_only,
                long,
                weights_key([model], run.device),
                train_rows,
                validation,
                run.seed,
            )
            collapse.train(attempt, judge, groups, run, fingerprint)
        if task.settles:
            task = on_validation()[0]
    learnt = {name for group in groups for name in group.weights}
    trained = sum(weight.numel() for name, weight in model.named_parameters() if name in learnt)
    updates = strategy.merge(model)
    return Neural(contender, task, checkpoint, trained, run.device, seconds, updates=updates)


def balanced_weights(targets: np.ndarray, classes: int) -> Tensor:
    """Weight each class by the inverse of its share, so that all count equally: ``(classes,)``, mean about 1."""
    known = torch.from_numpy(targets[targets != IGNORED])  # (items,)
    return len(known) / (classes * torch.bincount(known, minlength=classes).clamp(min=1).float())
