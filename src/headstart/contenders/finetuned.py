"""A pretrained encoder, fine-tuned by a strategy."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from headstart import strategies
from headstart.contenders._choices import COLUMNS, KINDS, Augment, ClassWeights, Columns, head_plan, way_name, way_named
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value, reading_columns
from headstart.core.errors import UsageError
from headstart.core.long_texts import Long, LongTexts
from headstart.core.records import Rows, Run
from headstart.nn.choices import Pooling
from headstart.strategies import Strategy
from headstart.stress._augment import augmented
from headstart.training.schedule import Decay

if TYPE_CHECKING:
    from headstart.training.loop import Settings


@dataclass(frozen=True)
class Finetuned(Contender):
    """A pretrained encoder of the BERT family, fine-tuned (Devlin et al. 2019).

    strategy: which weights are trained: a file name in `strategies`.
    backbone: a folder, a packaged model such as 'minilm', or 'hf://owner/name'.
    options: the strategy's own, such as 'rank=4'.
    pooling: what the head reads: the 'first' token, the 'mean' of all, or 'checkpoint' for what the backbone was
        trained with if it says so, otherwise the first token. '' for the strategy's default.
    learning_rate: peak rate; 0 for the strategy's default.
    epochs: passes over the rows; 0 for the strategy's default, more if there are few rows.
    batch_rows: see `training.loop.Settings`.
    warmup: see `training.loop.Settings`.
    decay: see `training.loop.Settings`.
    accumulate: see `training.loop.Settings`.
    class_weights: 'none', or 'balanced' for tasks with one label per text.
    crf: whether labels of words are scored in pairs too, as a conditional random field; see `nn.crf.CrfHead`.
    columns: how columns beside the text are read: 'beside' it in the head, as 'words' before it, or 'none' of them.
    augment: 'typos' to train on a copy of each row with typing errors as well, see `stress._augment`.
    recompute: save memory by computing each block twice; see `nn.encoder.Encoder`.
    long: what is read of texts beyond the window, for tasks that score whole texts; see `core.long_texts.LongTexts`.
    most_windows: see `core.long_texts.LongTexts`.
    """

    strategy: str = "full"
    backbone: str = "minilm"
    options: tuple[str, ...] = ()
    pooling: Literal["", Pooling, "checkpoint"] = ""
    learning_rate: float = 0.0
    epochs: int = 0
    batch_rows: int = 32
    warmup: float = 0.1
    decay: Decay = "linear"
    accumulate: int = 1
    class_weights: ClassWeights = "none"
    crf: bool = False
    columns: Columns = "beside"
    augment: Augment = "none"
    recompute: bool = False
    long: Long = "first"
    most_windows: int = 8

    kinds: ClassVar[frozenset[Kind]] = KINDS
    generates: ClassVar = "also"
    has_likelihoods: ClassVar[bool] = True
    reads_columns: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The leaderboard name, such as 'finetuned:full', or 'finetuned:full-text' without columns beside the text."""
        return "-".join(filter(None, (f"finetuned:{self.strategy}", way_name(self.columns, self.augment))))

    @staticmethod
    def named(way: str) -> dict[str, Value]:
        """Parse what follows the strategy and a hyphen in a leaderboard name, such as 'text', 'words' or 'typos'."""
        return way_named("finetuned", way, COLUMNS, get_args(Augment))

    @property
    def tuning(self) -> dict[str, Value]:
        """The strategy with all its options; the contender's own fill in those that the strategy is not given.

        Raises:
            UsageError: an unknown strategy, or an option that it does not have.
        """
        return dataclasses.asdict(self._strategy)

    @property
    def _strategy(self) -> Strategy:
        return strategies.load(self.strategy, self._strategy_options)

    @property
    def _strategy_options(self) -> dict[str, Value]:
        own = {"learning_rate": self.learning_rate, "epochs": self.epochs, "pooling": self.pooling}
        known = {field.name for field in dataclasses.fields(strategies.plugin(self.strategy))}
        given = {name: value for name, _, value in (option.partition("=") for option in self.options)}
        return {**{name: value for name, value in own.items() if value and name in known}, **given}

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Fine-tune the backbone on the training rows; use the best evaluation on validation.

        Raises:
            UsageError: an option that the strategy does not have, or a backbone with adapters, which would be lost; or
                `crf` for a task that does not label words.
            TrainingError: see `training.loop.train`.
        """
        import torch

        from headstart.checkpoints import folder as checkpoints
        from headstart.contenders import _neural
        from headstart.core import seed
        from headstart.nn.heads import Model

        if (Path(self.backbone) / _neural.BOTTLENECKS).is_file():
            raise UsageError(
                f"the backbone '{self.backbone}' was fine-tuned with adapters, which a new training would drop; "
                "use the model it was fine-tuned from, or one fine-tuned with lora."
            )
        train = augmented(train, task, self.augment, run.seed)
        strategy = self._strategy
        if task.generates:
            from headstart.checkpoints import generating
            from headstart.contenders import _causal, _warm

            if generating.writes(self.backbone):
                started = _causal.checkpoint(self.backbone)
                view, head_rate = _causal.view(started), None
            else:
                started = _warm.checkpoint(self.backbone, task, train, run.seed)
                view, head_rate = _warm.view(started), _warm.DECODER_RATE
            settings = self._settings(strategy)
            return _warm.tune(started, view, train, validation, task, run, strategy, settings, head_rate)
        torch.manual_seed(seed.derive(run.seed, "weights"))
        checkpoint = checkpoints.load(self.backbone, head=head_plan(task, self.crf), pooling=strategy.pooling)
        assert isinstance(checkpoint.model, Model)  # as planned
        checkpoint.model.encoder.recompute = self.recompute
        return _neural.fit(
            "finetuned",
            checkpoint,
            train,
            validation,
            reading_columns(task, self.columns),
            run,
            strategy=strategy,
            settings=self._settings(strategy),
            class_weights=self.class_weights,
            long=LongTexts(self.long, self.most_windows),
        )

    def _settings(self, strategy: Strategy) -> Settings:
        from headstart.training.loop import Settings

        return Settings(
            epochs=strategy.epochs,
            least_steps=0 if "epochs" in self._strategy_options else 200,
            most_epochs=10,
            batch_rows=self.batch_rows,
            warmup=self.warmup,
            decay=self.decay,
            accumulate=self.accumulate,
        )

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read a saved model."""
        from headstart.contenders import _generative, _neural

        if task.generates:
            return _generative.load("finetuned", folder, task, extra)
        return _neural.load("finetuned", folder, task, extra)


PLUGIN = Finetuned
