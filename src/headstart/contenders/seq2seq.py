"""An encoder and a decoder trained only on the training texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from headstart.core.contracts import Contender, Kind, Task, TextTask, Value, all_texts
from headstart.core.errors import UsageError, at_least
from headstart.core.records import Rows, Run
from headstart.training.schedule import Decay

if TYPE_CHECKING:
    from headstart.contenders import _generative


@dataclass(frozen=True)
class Seq2Seq(Contender):
    """An encoder and decoder trained from scratch, which write an answer in a vocabulary that both sides share.

    vocabulary: maximum number of tokens of the byte-level BPE (Sennrich et al. 2016).
    layers: layers of the encoder, and as many of the decoder (Vaswani et al. 2017).
    width: hidden size.
    heads: attention heads per layer.
    feed_forward: width of the feed-forward layers.
    window: maximum number of tokens of a text.
    dropout: rate on hidden states, 0 to 1.
    smoothing: share of the labels' probability that is spread over all tokens, 0 to 1.
    learning_rate: peak rate of AdamW.
    warmup: see `training.loop.Settings`.
    decay: see `training.schedule`.
    average: see `training.loop.Settings`.
    epochs: see `training.loop.Settings`.
    batch_rows: see `training.loop.Settings`.
    beams: hypotheses when writing; 1 for the most probable token at each step.
    """

    vocabulary: int = 8000
    layers: int = 3
    width: int = 256
    heads: int = 4
    feed_forward: int = 1024
    window: int = 256
    dropout: float = 0.2
    smoothing: float = 0.1
    learning_rate: float = 1e-3
    warmup: float = 0.1
    decay: Decay = "linear"
    average: int = 5
    epochs: int = 15
    batch_rows: int = 128
    beams: int = 4

    kinds: ClassVar[frozenset[Kind]] = frozenset({"text"})
    generates: ClassVar = "only"
    level: ClassVar[str] = "scratch"

    def __post_init__(self) -> None:
        at_least(1, beams=self.beams)
        at_least(0, average=self.average)
        if not 0 <= self.smoothing < 1:
            raise UsageError(f"option 'smoothing' is {self.smoothing}; it must be at least 0 and below 1.")

    @property
    def name(self) -> str:
        """The leaderboard name."""
        return "seq2seq"

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> _generative.Generative:
        """Train vocabulary and model on the training rows; use the best evaluation on validation."""
        import torch

        from headstart.checkpoints.generating import GeneratorCheckpoint, find_generators
        from headstart.contenders import _generative
        from headstart.core import seed
        from headstart.nn.encoder import initialise
        from headstart.nn.generate import Search
        from headstart.nn.groups import Group
        from headstart.text import vocabulary
        from headstart.training.loop import Settings

        writing = cast(TextTask, task)
        texts = [*all_texts(task, train.inputs), *(writing.accepted(target)[0] for target in train.targets)]
        tokenizer = vocabulary.train_bytes(texts, self.vocabulary, window=self.window)
        arguments: dict[str, Any] = {
            "vocabulary": tokenizer.size,
            "width": self.width,
            "encoder_layers": self.layers,
            "layers": self.layers,
            "encoder_heads": self.heads,
            "heads": self.heads,
            "encoder_feed_forward": self.feed_forward,
            "feed_forward": self.feed_forward,
            "window": self.window,
            "dropout": self.dropout,
            "activation": "gelu",
            "scaled": False,
        }
        torch.manual_seed(seed.derive(run.seed, "weights"))
        # mBART has norms before attention, with which a Transformer learns from scratch at high rates.
        model = find_generators("mbart", "").build(arguments)
        initialise(model)
        (start,), (end,) = tokenizer.opening, tokenizer.closing
        checkpoint = GeneratorCheckpoint(model, tokenizer, "mbart", arguments, Search((end,), self.window, start))
        return _generative.fit(
            "seq2seq",
            checkpoint,
            train,
            validation,
            task,
            run,
            groups=[Group(dict(model.named_parameters()), self.learning_rate)],
            settings=Settings(
                epochs=self.epochs,
                least_steps=1000,
                most_epochs=3 * self.epochs,
                batch_rows=self.batch_rows,
                warmup=self.warmup,
                decay=self.decay,
                average=self.average,
                evaluations=min(self.epochs, 15),
            ),
            smoothing=self.smoothing,
            beams=self.beams,
        )

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> _generative.Generative:
        """Read a saved model."""
        from headstart.contenders import _generative

        return _generative.load("seq2seq", folder, task, extra)


PLUGIN = Seq2Seq
