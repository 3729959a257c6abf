"""An encoder and decoder that begin as a pretrained encoder (Rothe et al. 2020): `finetuned` where answers are written.

The decoder takes the place of a head: strategies choose what of the encoder is trained besides.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from headstart.checkpoints import folder as checkpoints
from headstart.checkpoints.generating import GeneratorCheckpoint, find_generators
from headstart.contenders import _generative
from headstart.core import seed
from headstart.core.contracts import Task
from headstart.core.errors import UsageError, shown
from headstart.core.records import Rows, Run
from headstart.core.text_tasks import TextTask
from headstart.nn.decoder import Decoder, Generator
from headstart.nn.encoder import Encoder, Stack, initialise
from headstart.nn.generate import Search
from headstart.nn.groups import Group
from headstart.nn.heads import Head, Model
from headstart.strategies import Strategy
from headstart.text import vocabulary
from headstart.training.loop import Settings

FAMILY = "bert"  # of the encoders that it can begin as
# Targets have a vocabulary of their own, of byte-level BPE: that of the encoder may lack case, accents or a language.
VOCABULARY = 8000
DECODER_RATE = 5e-4  # peak learning rate of the decoder, half of which is new
SMOOTHING, BEAMS = 0.1, 4
# Our modules of a block of the encoder -> those of a layer of the decoder.
SHARED = {
    "attention.qkv": "attention.qkv",
    "attention.output": "attention.output",
    "attention_norm": "attention_norm",
    "up": "up",
    "down": "down",
    "output_norm": "feed_forward_norm",
}


class Writer(Head):
    """What strategies always train where answers are written: the decoder, in the place of a head."""

    def __init__(self, decoder: Decoder):
        nn.Module.__init__(self)
        self.decoder = decoder
        self.dense = None

    def make_linear(self) -> None:
        """Change nothing: a decoder is not linear."""


def checkpoint(backbone: str, task: Task, train: Rows, run_seed: int) -> GeneratorCheckpoint:
    """Build the initial model: the encoder of a backbone, and a decoder whose layers begin as copies of its blocks.

    Cross attention, the embeddings of the targets' tokens and the logits are new.

    Args:
        backbone: see `finetuned`.
        task: the task.
        train: training rows, whose targets the vocabulary is learnt from.
        run_seed: seed of the training.

    Raises:
        UsageError: the backbone is of another family than BERT.
    """
    pretrained = checkpoints.load(backbone)
    encoder = pretrained.model if isinstance(pretrained.model, Stack) else pretrained.model.encoder
    if pretrained.family != FAMILY or not isinstance(encoder, Encoder):
        raise UsageError(
            f"the backbone {shown(backbone)} is of the family '{pretrained.family}'; texts are only written with one "
            f"of the family '{FAMILY}', such as minilm or e5-small."
        )
    accepted = cast(TextTask, task).accepted
    arguments = pretrained.arguments
    targets = vocabulary.train_bytes(
        [accepted(target)[0] for target in train.targets], VOCABULARY, window=arguments["window"]
    )
    own = {**arguments, "vocabulary": targets.size, "encoder": dict(arguments)}
    torch.manual_seed(seed.derive(run_seed, "weights"))
    model = find_generators("encoder-decoder", "").build(own)
    initialise(model.decoder)
    _copy(encoder, model)
    (start,), (end,) = targets.opening, targets.closing
    search = Search((end,), arguments["window"], start)
    return GeneratorCheckpoint(model, pretrained.tokenizer, "encoder-decoder", own, search, targets)


@torch.no_grad()
def _copy(encoder: Encoder, model: Generator) -> None:
    """Copy an encoder's weights into a model, in place."""
    assert model.encoder is not None
    model.encoder.load_state_dict(encoder.state_dict())
    first, embeddings = encoder.embeddings, model.decoder.embeddings
    for ours, theirs in ((embeddings.position, first.position), (embeddings.segment, first.segment)):
        if ours is not None and theirs is not None:
            ours.weight.copy_(theirs.weight)
    assert embeddings.norm is not None
    embeddings.norm.load_state_dict(first.norm.state_dict())
    for layer, block in zip(model.decoder.layers, encoder.blocks, strict=True):
        for name, place in SHARED.items():
            layer.get_submodule(place).load_state_dict(block.get_submodule(name).state_dict())


def view(started: GeneratorCheckpoint) -> Model:
    """Return the modules of a model as strategies know them: the decoder is the head."""
    assert started.model.encoder is not None
    return Model(started.model.encoder, Writer(started.model.decoder))


def tune(
    started: GeneratorCheckpoint,
    view: Model,
    train: Rows,
    validation: Rows,
    task: Task,
    run: Run,
    strategy: Strategy,
    settings: Settings,
    head_rate: float | None,
) -> _generative.Generative:
    """Train what a strategy trains of a model that writes.

    Args:
        started: the initial model.
        view: its modules as strategies know them.
        train: training rows.
        validation: validation rows.
        task: the task.
        run: the context of the training.
        strategy: which weights are trained, and when.
        settings: of the training.
        head_rate: peak learning rate of the head; None for the strategy's.

    Raises:
        UsageError: the strategy inserts layers that the saved model has no place for.
        TrainingError: see `training.loop.train`.
    """
    before = {name for name, _ in view.encoder.named_modules()}
    head, *others = strategy.prepare(view)
    groups = [head if head_rate is None else Group(head.weights, head_rate), *others]
    if any("_adapter" in name for name, _ in view.encoder.named_modules() if name not in before):
        raise UsageError("adapters cannot be saved where answers are written; use lora or partial.")

    def before_step(step: int, total: int) -> None:
        strategy.at_step(groups, step, total)

    return _generative.fit(
        "finetuned",
        started,
        train,
        validation,
        task,
        run,
        groups=groups,
        settings=settings,
        smoothing=SMOOTHING,
        beams=BEAMS,
        before_step=before_step,
        merge=lambda: strategy.merge(view),
    )
