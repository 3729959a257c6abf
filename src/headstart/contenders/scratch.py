"""A small Transformer trained only on the training texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from headstart.contenders._choices import COLUMNS, KINDS, Augment, ClassWeights, Columns, head_plan, way_name, way_named
from headstart.core.contracts import Contender, Kind, Task, Value, all_texts, reading_columns
from headstart.core.long_texts import Long, LongTexts
from headstart.core.records import Rows, Run
from headstart.nn.choices import Pooling
from headstart.stress._augment import augmented

if TYPE_CHECKING:
    from headstart.contenders import _neural


@dataclass(frozen=True)
class Scratch(Contender):
    """A small Transformer trained from scratch, with its own WordPiece vocabulary.

    vocabulary: maximum number of word pieces.
    layers: number of layers (for the shape see Vaswani et al. 2017).
    width: hidden size.
    heads: attention heads per layer.
    feed_forward: width of the feed-forward layers.
    window: maximum number of tokens of a text.
    dropout: rate on hidden states, 0 to 1.
    word_dropout: share of words that are masked in each step, 0 to 1.
    pooling: what the head reads, 'first' or 'mean'; see `nn.heads`.
    learning_rate: peak rate of AdamW.
    epochs: see `training.loop.Settings`.
    batch_rows: see `training.loop.Settings`.
    class_weights: 'none', or 'balanced' for tasks with one label per text.
    crf: whether labels of words are scored in pairs too, as a conditional random field; see `nn.crf.CrfHead`.
    columns: how columns beside the text are read: 'beside' it in the head, as 'words' before it, or 'none' of them.
    augment: 'typos' to train on a copy of each row with typing errors as well, see `stress._augment`.
    long: what is read of texts beyond the window, for tasks that score whole texts; see `core.long_texts.LongTexts`.
    most_windows: see `core.long_texts.LongTexts`.
    """

    vocabulary: int = 5000
    layers: int = 2
    width: int = 128
    heads: int = 8
    feed_forward: int = 256
    window: int = 512
    dropout: float = 0.2
    word_dropout: float = 0.4
    pooling: Pooling = "first"
    learning_rate: float = 1e-3
    epochs: int = 8
    batch_rows: int = 32
    class_weights: ClassWeights = "none"
    crf: bool = False
    columns: Columns = "beside"
    augment: Augment = "none"
    long: Long = "first"
    most_windows: int = 8

    kinds: ClassVar[frozenset[Kind]] = KINDS
    reads_columns: ClassVar[bool] = True
    level: ClassVar[str] = "scratch"

    @property
    def name(self) -> str:
        """The leaderboard name: 'scratch', or such as 'scratch:text' without columns beside the text."""
        return ":".join(filter(None, ("scratch", way_name(self.columns, self.augment))))

    @staticmethod
    def named(way: str) -> dict[str, Value]:
        """Parse what follows the colon of a leaderboard name, such as 'text', 'words' or 'typos'."""
        return way_named("scratch", way, COLUMNS, get_args(Augment))

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> _neural.Neural:
        """Train vocabulary and model on the training rows; use the best epoch on validation."""
        import torch

        from headstart.checkpoints.folder import Checkpoint
        from headstart.checkpoints.header import find_family
        from headstart.contenders import _neural
        from headstart.core import seed
        from headstart.nn.encoder import Encoder
        from headstart.nn.heads import Model
        from headstart.strategies.full import Full
        from headstart.text import vocabulary
        from headstart.training.loop import Settings

        train = augmented(train, task, self.augment, run.seed)
        task = reading_columns(task, self.columns)
        tokenizer = vocabulary.train(all_texts(task, train.inputs), self.vocabulary, window=self.window)
        arguments: dict[str, Any] = {
            "vocabulary": tokenizer.size,
            "width": self.width,
            "layers": self.layers,
            "heads": self.heads,
            "feed_forward": self.feed_forward,
            "window": self.window,
            "dropout": self.dropout,
            "sinusoidal": True,
        }
        torch.manual_seed(seed.derive(run.seed, "weights"))
        encoder = Encoder(**arguments)
        plan = head_plan(task, self.crf)
        model = Model(encoder, find_family("bert", "").head(arguments, plan, self.dropout, self.pooling))
        checkpoint = Checkpoint(model, tokenizer, "bert", arguments, plan)
        settings = Settings(epochs=self.epochs, least_steps=400, most_epochs=20, batch_rows=self.batch_rows)
        strategy = Full(learning_rate=self.learning_rate, layer_decay=1.0, epochs=self.epochs)
        return _neural.fit(
            "scratch",
            checkpoint,
            train,
            validation,
            task,
            run,
            strategy=strategy,
            settings=settings,
            class_weights=self.class_weights,
            word_dropout=self.word_dropout,
            long=LongTexts(self.long, self.most_windows),
        )

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> _neural.Neural:
        """Read a saved model."""
        from headstart.contenders import _neural

        return _neural.load("scratch", folder, task, extra)


PLUGIN = Scratch
