"""Sources and targets -> fitted model that writes texts: the code shared by contenders with a decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from headstart.activations.forward import precision
from headstart.checkpoints import generating, manifest
from headstart.checkpoints.generating import GeneratorCheckpoint
from headstart.contenders import _lessons, _likelihood
from headstart.core import seed
from headstart.core.contracts import Fitted, Task, Value, all_texts, metric_values
from headstart.core.hashing import arrays_sha256, parts_sha256
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.sequences import Encoded
from headstart.core.tally import named
from headstart.core.text_tasks import TextTask
from headstart.metrics.likelihood import LOSS, TOKENS
from headstart.nn.generate import Search, generate
from headstart.nn.groups import Group
from headstart.nn.packed import pack
from headstart.saved import model_folder
from headstart.text import vocabulary
from headstart.text.tokenizer import Tokenizer
from headstart.training.batches import by_length
from headstart.training.loop import Settings, train

# Source tokens times hypotheses that are decoded together, which bounds the memory of their keys and values.
DECODED = {"cpu": 8192, "cuda": 131_072}
MOST_EVALUATED = 500  # validation rows whose texts are generated at each evaluation; the loss is of all
LONGER = 1.5  # most generated tokens for each token of the source, besides SPARE; or those of the longest target
SPARE = 10


@dataclass(frozen=True)
class Taught:
    """What a teacher wrote for the training rows.

    rows: the training rows with its texts as targets.
    weight: share of their loss in the whole, 0 to 1; the rest is that of the rows' own targets.
    """

    rows: Rows
    weight: float


@dataclass
class Generative(Fitted):
    """A fitted model that writes a text for each source.

    contender: the plugin that made it.
    task: the task.
    checkpoint: the model, its tokenizer and how it generates.
    trained: number of trained weights.
    device: 'cpu' or 'cuda'.
    """

    contender: str
    task: TextTask
    checkpoint: GeneratorCheckpoint
    trained: int
    device: str = "cpu"
    reused_seconds: float = 0.0

    @property
    def parameters(self) -> int:
        """Number of all weights."""
        return sum(weight.numel() for weight in self.checkpoint.model.parameters())

    @property
    def trained_parameters(self) -> int:
        """Number of weights that were trained."""
        return self.trained

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Write one text per input, in order; its confidence is the mean probability of its tokens."""
        encoded = _lessons.sources(self.task, inputs, self.checkpoint)
        return write(self.checkpoint, encoded, self.checkpoint.search, self.device)

    def judge(self, rows: Rows) -> Predictions:
        """Write one text per row; where the task is judged by likelihood, only for the rows whose texts are ranked."""
        if not self.task.by_likelihood:
            return self.predict(rows.inputs)
        lessons = _lessons.lessons(self.task, rows, self.checkpoint)
        sums = _likelihood.judged(self.task, rows, self.checkpoint, lessons, self.device)
        score = _likelihood.scorer(self.task, rows, self.checkpoint, self.device, DECODED[self.device])
        ranked = _likelihood.rank(sums, self.task, rows, score)
        written = self.predict([rows.inputs[row] for row in ranked])
        texts = dict(zip(ranked.tolist(), written.values, strict=True))
        return Predictions(tuple(texts.get(row, "") for row in range(len(rows))), likelihoods=sums)

    def cut_off(self, inputs: Sequence[Value]) -> float:
        """Return the share of the sources' tokens (0 to 1) beyond the model's window."""
        return _lessons.sources(self.task, inputs, self.checkpoint).cut_off

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write a Hugging Face folder with Headstart's manifest."""
        search = self.checkpoint.search
        with model_folder.saving(folder) as fresh:
            generating.save(fresh, self.checkpoint)
            how = {"beams": search.beams, "most": search.most, "length_penalty": search.length_penalty}
            manifest.write(fresh, self.contender, self.task, {"trained_parameters": self.trained, **how})


def load(contender: str, folder: Path, task: Task, extra: Mapping[str, Value]) -> Generative:
    """Read what :meth:`Generative.save` wrote.

    Raises:
        CheckpointError: the folder is incomplete or damaged.
    """
    checkpoint = generating.load(folder)
    search = replace(
        checkpoint.search,
        beams=int(extra["beams"]),
        most=int(extra["most"]),
        length_penalty=float(extra["length_penalty"]),
    )
    checkpoint.model.eval()
    checkpoint.tokenizer.forget()
    trained = int(extra["trained_parameters"])
    return Generative(contender, cast(TextTask, task), replace(checkpoint, search=search), trained)


def own_tokenizer(task: Task, rows: Rows, size: int, window: int) -> Tokenizer:
    """Learn a vocabulary from the texts and the first right answers of rows; see `text.vocabulary.train_bytes`."""
    answers = (cast(TextTask, task).accepted(target)[0] for target in rows.targets)
    return vocabulary.train_bytes([*all_texts(task, rows.inputs), *answers], size, window=window)


def write(checkpoint: GeneratorCheckpoint, encoded: Encoded, search: Search, device: str) -> Predictions:
    """Write one text per source, in order, in batches of similar lengths.

    Args:
        checkpoint: the model, in evaluation mode.
        encoded: the sources.
        search: how texts are generated; a text is also limited by the length of its source, unless it continues that.
        device: 'cpu' or 'cuda'.
    """
    lengths = encoded.lengths
    texts = [""] * len(lengths)
    confidence = np.zeros(len(lengths))
    special = set(checkpoint.writing.special)
    for rows in by_length(lengths, DECODED[device] // search.beams):
        batch = pack(encoded.tokens, encoded.boundaries, rows).to(device)
        most = search.most
        if checkpoint.model.encoder is not None:
            most = min(most, int(LONGER * lengths[rows].max()) + SPARE)
        with precision(device):
            answers = generate(checkpoint.model, batch, replace(search, most=most))
        for row, answer in zip(rows.tolist(), answers, strict=True):
            ids = [token for token in answer.ids if token not in special]
            texts[row] = checkpoint.writing.backend.decode(ids).strip()
            shared = answer.score if search.beams > 1 else answer.score / max(1, len(answer.ids))
            confidence[row] = np.exp(min(0.0, shared))
    return Predictions(tuple(texts), confidence=confidence)


def fit(
    contender: str,
    checkpoint: GeneratorCheckpoint,
    train_rows: Rows,
    validation: Rows,
    task: Task,
    run: Run,
    *,
    groups: Sequence[Group],
    settings: Settings,
    smoothing: float,
    beams: int,
    before_step: Callable[[int, int], None] = lambda step, total: None,
    merge: Callable[[], object] = lambda: None,
    taught: Taught | None = None,
) -> Generative:
    """Train a model to write the targets of sources.

    The best evaluation is that with the best score of greedily written validation texts, at most `MOST_EVALUATED`.

    Args:
        contender: name of the contender.
        checkpoint: the initial model.
        train_rows: training rows.
        validation: validation rows; the training rows if there are none.
        task: the task.
        run: the context of the training.
        groups: the weights to train.
        settings: of the training.
        smoothing: share of each label's probability that is spread over all tokens (Szegedy et al. 2016, section 7);
            none where the task is judged by likelihood.
        beams: hypotheses of the search with which the trained model writes; 1 where the task is judged by likelihood.
        before_step: see `training.loop.train`.
        merge: called after the training, to make an ordinary model of one with low-rank updates.
        taught: what a teacher wrote for the training rows, learnt besides or instead of their targets; None for
            nothing.

    Raises:
        TrainingError: see `training.loop.train`.
    """
    run.progress(Progress("tokenising", 0.0))
    writing = cast(TextTask, task)
    validation = validation if len(validation) else train_rows
    model = checkpoint.model.to(run.device)
    own, held_out = (_lessons.lessons(writing, rows, checkpoint) for rows in (train_rows, validation))
    learnt = [(own, 1.0)]
    if taught is not None:
        written = _lessons.lessons(writing, taught.rows, checkpoint)
        learnt = [(own, 1 - taught.weight), (written, taught.weight)]
    learnt = [(part, weight) for part, weight in learnt if weight]
    longest = max(int(part.targets.max()) for part, _ in learnt)
    if writing.by_likelihood:
        smoothing, beams = 0.0, 1  # smoothing would make right texts less likely, and beams answers dull
    greedy = replace(checkpoint.search, most=longest + SPARE)
    checkpoint = replace(checkpoint, search=greedy)
    order = seed.generator(run.seed, "evaluated").permutation(len(validation))
    evaluated = np.sort(order[:MOST_EVALUATED])
    judged = validation.take(evaluated)
    sources = _lessons.sources(writing, judged.inputs, checkpoint)

    def sums(part: _lessons.Lessons, rows: np.ndarray, smoothing: float) -> tuple[Tensor, int]:
        with precision(run.device):
            states, labels, _ = part.states(model, rows, run.device)
            total = model.decoder.cross_entropy(states, labels, smoothing)
        return total, len(labels)

    def loss(rows: np.ndarray) -> Sequence[tuple[Tensor, int]]:
        return [(weight * total, count) for part, weight in learnt for total, count in [sums(part, rows, smoothing)]]

    @torch.no_grad()
    def evaluate() -> tuple[float, float]:
        if writing.by_likelihood:
            return _evaluated(writing, validation, checkpoint, held_out, run)
        totals = [sums(held_out, rows, 0.0) for rows in by_length(held_out.lengths, DECODED[run.device])]
        mean = sum(float(total) for total, _ in totals) / sum(count for _, count in totals)
        scores = metric_values(task, write(checkpoint, sources, greedy, run.device), judged)
        return named(task.metrics, run.metric).sign * scores[run.metric], mean

    weights = {name: weight for group in groups for name, weight in group.weights.items()}
    train(
        rows=len(train_rows),
        groups=groups,
        loss=loss,
        evaluate=evaluate,
        held_out=len(validation),
        lengths=np.sum([part.lengths for part, _ in learnt], axis=0),
        mode=model,
        settings=settings,
        run=run,
        before_step=before_step,
        fingerprint=parts_sha256(
            settings,
            smoothing,
            [group.learning_rate for group in groups],
            [weight for _, weight in learnt],
            arrays_sha256([tokens for part, _ in learnt for tokens in part.arrays]),
            arrays_sha256(arrays(model)),
        ),
    )
    trained = sum(weight.numel() for weight in weights.values())
    merge()
    searching = replace(checkpoint, search=replace(greedy, beams=beams))
    return Generative(contender, writing, searching, trained, run.device)


def _evaluated(
    task: TextTask, validation: Rows, checkpoint: GeneratorCheckpoint, lessons: _lessons.Lessons, run: Run
) -> tuple[float, float]:
    """Return the score of a task that is judged by likelihood, higher for better models, and the mean loss."""
    metric = named(task.metrics, run.metric)
    sums = _likelihood.judged(task, validation, checkpoint, lessons, run.device)
    if metric.higher:  # the share of right texts that come first
        score = _likelihood.scorer(task, validation, checkpoint, run.device, DECODED[run.device])
        _likelihood.rank(sums, task, validation, score)
    total = sums.sum(axis=0)
    return metric.sign * float(metric.of(total)), float(total[LOSS] / total[TOKENS])


def arrays(model: torch.nn.Module) -> list[np.ndarray]:
    """Return the weights of a model."""
    return [weight.detach().cpu().contiguous().numpy() for weight in model.state_dict().values()]
