"""A decoder alone, trained only on the training texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from headstart.core.contracts import Contender, Kind, Task, Value
from headstart.core.records import Rows, Run

if TYPE_CHECKING:
    from headstart.contenders import _generative


@dataclass(frozen=True)
class DecoderAlone(Contender):
    """A decoder of GPT-2's kind trained from scratch, which continues a text or a conversation with its answer.

    vocabulary: maximum number of tokens of the byte-level BPE (Sennrich et al. 2016).
    layers: number of layers (Radford et al. 2019).
    width: hidden size.
    heads: attention heads per layer.
    window: maximum number of tokens that are read before an answer, and of an answer.
    dropout: rate on hidden states, 0 to 1.
    learning_rate: peak rate of AdamW.
    warmup: see `training.loop.Settings`.
    epochs: see `training.loop.Settings`.
    batch_rows: see `training.loop.Settings`.
    """

    vocabulary: int = 4000
    layers: int = 4
    width: int = 256
    heads: int = 4
    window: int = 256
    dropout: float = 0.2
    learning_rate: float = 1e-3
    warmup: float = 0.1
    epochs: int = 10
    batch_rows: int = 64

    kinds: ClassVar[frozenset[Kind]] = frozenset({"text"})
    generates: ClassVar = "only"
    has_likelihoods: ClassVar[bool] = True
    level: ClassVar[str] = "scratch"

    @property
    def name(self) -> str:
        """The leaderboard name."""
        return "decoder"

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> _generative.Generative:
        """Train vocabulary and model on the training rows; use the best evaluation on validation."""
        import torch

        from headstart.checkpoints.generating import GeneratorCheckpoint, find_generators
        from headstart.contenders import _generative
        from headstart.core import seed
        from headstart.nn.encoder import initialise
        from headstart.nn.generate import Search
        from headstart.nn.groups import Group
        from headstart.training.loop import Settings

        tokenizer = _generative.own_tokenizer(task, train, self.vocabulary, self.window)
        arguments: dict[str, Any] = {
            "vocabulary": tokenizer.size,
            "width": self.width,
            "layers": self.layers,
            "heads": self.heads,
            "feed_forward": 4 * self.width,
            "window": 2 * self.window + _generative.SPARE,
            "dropout": self.dropout,
            "activation": "gelu_new",
            "epsilon": 1e-5,
        }
        torch.manual_seed(seed.derive(run.seed, "weights"))
        model = find_generators("gpt2", "").build(arguments)
        initialise(model)
        checkpoint = GeneratorCheckpoint(
            model, tokenizer, "gpt2", arguments, Search((tokenizer.ending[0],), self.window)
        )
        return _generative.fit(
            "decoder",
            checkpoint,
            train,
            validation,
            task,
            run,
            groups=[Group(dict(model.named_parameters()), self.learning_rate)],
            settings=Settings(
                epochs=self.epochs,
                least_steps=500,
                most_epochs=3 * self.epochs,
                batch_rows=self.batch_rows,
                warmup=self.warmup,
                evaluations=min(self.epochs, 15),
            ),
            smoothing=0.0,
            beams=1,
        )

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> _generative.Generative:
        """Read a saved model."""
        from headstart.contenders import _generative

        return _generative.load("decoder", folder, task, extra)


PLUGIN = DecoderAlone
