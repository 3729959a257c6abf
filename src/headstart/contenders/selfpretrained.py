"""A small BERT pretrained on your own text, then fine-tuned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

from headstart.contenders._choices import COLUMNS, KINDS, Augment, ClassWeights, Columns, Size, way_name, way_named
from headstart.core.contracts import Contender, Kind, Task, Value, all_texts, reading_columns
from headstart.core.hashing import parts_sha256
from headstart.core.records import Rows, Run
from headstart.nn.choices import Pooling
from headstart.stress._augment import augmented

# Of a training's minutes, if limited: the share for pretraining, the rest being for fine-tuning.
PRETRAINING_SHARE = 2 / 3
MODEL = "model"  # the pretrained model's folder, inside the stored one

if TYPE_CHECKING:
    from headstart.contenders import _neural


@dataclass(frozen=True)
class SelfPretrained(Contender):
    """A small BERT pretrained on your own text, labelled or not, then fine-tuned.

    Its word embeddings are initialised from counts (`text.counts`), and its first block so that it adds their mean. It
    reads the training texts and the unlabelled ones, if given; never those of validation or test.

    size: 'tiny', 'mini', 'small' or 'base'.
    vocabulary: maximum number of word pieces.
    window: maximum number of tokens of a text.
    masked: share of tokens that are predicted in pretraining; see `pretraining.objective`.
    next_sentence: whether passages are predicted too; see `pretraining.objective` and, for why not, docs/lab.md.
    pretraining_epochs: passes over the text.
    pretraining_minutes: time limit, to which the number of passes is reduced; 0 for no limit. Only without a limit, or
        if the passes take less, do two machines give the same result.
    batch_tokens: tokens per step of pretraining.
    pretraining_rate: peak rate of AdamW in pretraining, 0 for the size's default.
    pooling: what the head reads, 'first' or 'mean'; see `nn.heads`.
    learning_rate: peak rate of AdamW in fine-tuning.
    word_dropout: share of words masked in fine-tuning, 0 to 1.
    epochs: of fine-tuning; see `training.loop.Settings`.
    batch_rows: of fine-tuning; see `training.loop.Settings`.
    class_weights: 'none', or 'balanced' for tasks with one label per text.
    columns: how columns beside the text are read: 'beside' it in the head, as 'words' before it, or 'none' of them.
    augment: 'typos' to fine-tune on a copy of each row with typing errors as well, see `stress._augment`. Pretraining
        reads the texts as they are.
    """

    size: Size = "tiny"
    vocabulary: int = 8000
    window: int = 512
    masked: float = 0.15
    next_sentence: bool | None = False
    pretraining_epochs: int = 40
    pretraining_minutes: float = 10.0
    pretraining_rate: float = 0.0
    batch_tokens: int = 2048
    pooling: Pooling = "first"
    learning_rate: float = 3e-4
    word_dropout: float = 0.2
    epochs: int = 4
    batch_rows: int = 32
    class_weights: ClassWeights = "none"
    columns: Columns = "beside"
    augment: Augment = "none"

    kinds: ClassVar[frozenset[Kind]] = KINDS
    reads_columns: ClassVar[bool] = True
    level: ClassVar[str] = "self-pretrained"
    reads_unlabelled: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """The leaderboard name: 'selfpretrained', or such as 'selfpretrained:text' or 'selfpretrained:typos'."""
        return ":".join(filter(None, ("selfpretrained", way_name(self.columns, self.augment))))

    @staticmethod
    def named(way: str) -> dict[str, Value]:
        """Parse what follows the colon of a leaderboard name, such as 'text', 'words' or 'text-typos'."""
        return way_named("selfpretrained", way, COLUMNS, get_args(Augment))

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> _neural.Neural:
        """Pretrain on all text, or reuse an earlier pretraining; then fine-tune, using the best epoch on validation."""
        import torch

        from headstart.checkpoints import folder as checkpoints
        from headstart.contenders import _neural
        from headstart.core import seed
        from headstart.strategies.full import Full
        from headstart.training.loop import Settings

        task = reading_columns(task, self.columns)
        place, reused = self._pretrained((*run.unlabelled, *all_texts(task, train.inputs)), run)
        train = augmented(train, task, self.augment, run.seed)
        torch.manual_seed(seed.derive(run.seed, "weights"))
        # Without a base: `place` is deleted when the contest ends, so the model is saved with all its word embeddings.
        checkpoint = replace(checkpoints.load(place, head=task.head(), pooling=self.pooling), base="")
        fitted = _neural.fit(
            "selfpretrained",
            checkpoint,
            train,
            validation,
            task,
            replace(
                run,
                minutes=run.minutes and run.minutes * (1 - PRETRAINING_SHARE),
                # With limited time a pretraining made again gives other weights: older checkpoints no longer match.
                replace_others=run.replace_others or not reused,
            ),
            strategy=Full(learning_rate=self.learning_rate, epochs=self.epochs),
            settings=Settings(epochs=self.epochs, least_steps=200, most_epochs=10, batch_rows=self.batch_rows),
            class_weights=self.class_weights,
            word_dropout=self.word_dropout,
        )
        return replace(fitted, reused_seconds=reused)

    def _pretrained(self, texts: tuple[str, ...], run: Run) -> tuple[Path, float]:
        """Return the model of the same texts and seed, pretrained if necessary; and the seconds that were saved."""
        from headstart.data import corpus as corpora
        from headstart.pretraining import job
        from headstart.saved.shared import made

        limits = [self.pretraining_minutes, PRETRAINING_SHARE * (run.minutes or 0.0)]
        recipe = job.Recipe(
            size=self.size,
            vocabulary=self.vocabulary,
            window=self.window,
            epochs=self.pretraining_epochs,
            minutes=min(filter(None, limits), default=0.0),
            masked=self.masked,
            next_sentence=self.next_sentence,
            counted=True,
            batch_tokens=self.batch_tokens,
            learning_rate=self.pretraining_rate,
        )
        # Each text once, so that rows which also occur in the unlabelled text do not make another corpus of it.
        corpus = corpora.of_texts(tuple(dict.fromkeys(texts)))
        name = parts_sha256(corpus.sha256, asdict(recipe), run.seed, run.device)[:16]
        work = run.shared or run.folder
        context = replace(
            run,
            folder=run.folder / "pretraining",
            minutes=None,
            progress=lambda news: run.progress(replace(news, stage=news.stage.replace("training", "pretraining"))),
        )
        reused = True

        def pretrain(fresh: Path) -> None:
            nonlocal reused
            reused = False
            job.pretrain(corpus, recipe, context, fresh / MODEL, work)

        place = made(work / f"pretrained-{name}", pretrain) / MODEL
        record = json.loads((place / job.RECORD).read_text(encoding="utf-8"))
        return place, float(record["preparation_seconds"] + record["seconds"]) if reused else 0.0

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> _neural.Neural:
        """Read a saved model."""
        from headstart.contenders import _neural

        return _neural.load("selfpretrained", folder, task, extra)


PLUGIN = SelfPretrained
