"""An encoder and a decoder trained only on the training texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from headstart.core.contracts import Contender, Kind, Task, Value
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
    smoothing: share of the labels' probability that is spread over all tokens, 0 to 1; none for dialogue.
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
    has_likelihoods: ClassVar[bool] = True
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
        return learn("seq2seq", self, train, validation, task, run)

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> _generative.Generative:
        """Read a saved model."""
        from headstart.contenders import _generative

        return _generative.load("seq2seq", folder, task, extra)


def learn(
    contender: str,
    options: Seq2Seq,
    train: Rows,
    validation: Rows,
    task: Task,
    run: Run,
    taught: _generative.Taught | None = None,
) -> _generative.Generative:
    """Train vocabulary and model on the training rows; use the best evaluation on validation.

    Args:
        contender: name of the contender.
        options: of the model and of its training.
        train: training rows.
        validation: validation rows.
        task: the task.
        run: the context of the training.
        taught: what a teacher wrote for the training rows; None without one.

    Raises:
        TrainingError: see `training.loop.train`.
    """
    import torch

    from headstart.checkpoints.generating import GeneratorCheckpoint, find_generators
    from headstart.contenders import _generative
    from headstart.core import seed
    from headstart.nn.encoder import initialise
    from headstart.nn.generate import Search
    from headstart.nn.groups import Group
    from headstart.training.loop import Settings

    tokenizer = _generative.own_tokenizer(task, train, options.vocabulary, options.window)
    arguments: dict[str, Any] = {
        "vocabulary": tokenizer.size,
        "width": options.width,
        "encoder_layers": options.layers,
        "layers": options.layers,
        "encoder_heads": options.heads,
        "heads": options.heads,
        "encoder_feed_forward": options.feed_forward,
        "feed_forward": options.feed_forward,
        "window": options.window,
        "dropout": options.dropout,
        "activation": "gelu",
        "scaled": False,
    }
    torch.manual_seed(seed.derive(run.seed, "weights"))
    # mBART has norms before attention, with which a Transformer learns from scratch at high rates.
    model = find_generators("mbart", "").build(arguments)
    initialise(model)
    (start,), (end,) = tokenizer.opening, tokenizer.closing
    checkpoint = GeneratorCheckpoint(model, tokenizer, "mbart", arguments, Search((end,), options.window, start))
    return _generative.fit(
        contender,
        checkpoint,
        train,
        validation,
        task,
        run,
        groups=[Group(dict(model.named_parameters()), options.learning_rate)],
        settings=Settings(
            epochs=options.epochs,
            least_steps=1000,
            most_epochs=3 * options.epochs,
            batch_rows=options.batch_rows,
            warmup=options.warmup,
            decay=options.decay,
            average=options.average,
            evaluations=min(options.epochs, 15),
        ),
        smoothing=options.smoothing,
        beams=options.beams,
        taught=taught,
    )


PLUGIN = Seq2Seq
