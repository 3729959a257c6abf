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
from headstart.core import seed
from headstart.core.contracts import Fitted, Task, TextTask, Value, metric_values
from headstart.core.hashing import arrays_sha256, parts_sha256
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.sequences import Encoded, spans
from headstart.core.tally import named
from headstart.nn.generate import Search, generate
from headstart.nn.groups import Group
from headstart.nn.packed import PairBatch, pack, pack_pairs
from headstart.saved import model_folder
from headstart.training.batches import by_length
from headstart.training.loop import Settings, train

# Source tokens times hypotheses that are decoded together, which bounds the memory of their keys and values.
DECODED = {"cpu": 8192, "cuda": 131_072}
MOST_EVALUATED = 500  # validation rows whose texts are generated at each evaluation; the loss is of all
LONGER = 1.5  # most generated tokens for each token of the source, besides SPARE; or those of the longest target
SPARE = 10


@dataclass(frozen=True)
class Pairs:
    """Sources and targets as tokens.

    source: the sources.
    inputs: the targets, each after the start token and without its last token.
    labels: int64 ``(tokens of inputs,)``, the token after each.
    """

    source: Encoded
    inputs: Encoded
    labels: np.ndarray

    def pack(self, rows: np.ndarray) -> tuple[PairBatch, Tensor]:
        """Return some pairs as a batch, and the labels of its target tokens."""
        batch = pack_pairs(
            (self.source.tokens, self.source.boundaries), (self.inputs.tokens, self.inputs.boundaries), rows
        )
        places, _ = spans(self.inputs.boundaries, rows[batch.target.order.numpy()])
        return batch, torch.from_numpy(self.labels[places])

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each pair, int64 ``(pairs,)``."""
        lengths: np.ndarray = self.source.lengths + self.inputs.lengths
        return lengths


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
        encoded = self.task.encode(inputs, self.checkpoint.tokenizer)
        return write(self.checkpoint, encoded, self.checkpoint.search, self.device)

    def cut_off(self, inputs: Sequence[Value]) -> float:
        """Return the share of the sources' tokens (0 to 1) beyond the model's window."""
        return self.task.encode(inputs, self.checkpoint.tokenizer).cut_off

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


def write(checkpoint: GeneratorCheckpoint, encoded: Encoded, search: Search, device: str) -> Predictions:
    """Write one text per source, in order, in batches of similar lengths.

    Args:
        checkpoint: the model, in evaluation mode.
        encoded: the sources.
        search: how texts are generated; a text is also limited by the length of its source.
        device: 'cpu' or 'cuda'.
    """
    lengths = encoded.lengths
    texts = [""] * len(lengths)
    confidence = np.zeros(len(lengths))
    special = set(checkpoint.writing.special)
    for rows in by_length(lengths, DECODED[device] // search.beams):
        batch = pack(encoded.tokens, encoded.boundaries, rows).to(device)
        most = min(search.most, int(LONGER * lengths[rows].max()) + SPARE)
        with precision(device):
            answers = generate(checkpoint.model, batch, replace(search, most=most))
        for row, answer in zip(rows.tolist(), answers, strict=True):
            ids = [token for token in answer.ids if token not in special]
            texts[row] = checkpoint.writing.backend.decode(ids).strip()
            shared = answer.score if search.beams > 1 else answer.score / max(1, len(answer.ids))
            confidence[row] = np.exp(min(0.0, shared))
    return Predictions(tuple(texts), confidence=confidence)


def pairs(task: TextTask, rows: Rows, checkpoint: GeneratorCheckpoint) -> Pairs:
    """Turn rows into tokens; of several right targets the first is learnt.

    Args:
        task: the task.
        rows: with targets.
        checkpoint: with the tokenizers of both sides, and the token before each target and the one after it.
    """
    tokenizer, search = checkpoint.writing, checkpoint.search
    bodies = tokenizer.encode_whole([task.accepted(target)[0] for target in rows.targets])
    most = tokenizer.window - 1
    inputs, labels = [], []
    for first, last in zip(bodies.boundaries[:-1], bodies.boundaries[1:], strict=True):
        body = bodies.tokens[first : min(last, first + most)]
        inputs.append(np.concatenate([[search.start], body]))
        labels.append(np.concatenate([body, [search.end[0]]]))
    ends = np.cumsum([0, *map(len, inputs)])
    targets = Encoded(np.concatenate(inputs).astype(np.int32), ends)
    return Pairs(task.encode(rows.inputs, checkpoint.tokenizer), targets, np.concatenate(labels).astype(np.int64))


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
        smoothing: share of each label's probability that is spread over all tokens (Szegedy et al. 2016, section 7).
        beams: hypotheses of the search with which the trained model writes.
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
    own, held_out = (pairs(writing, rows, checkpoint) for rows in (train_rows, validation))
    learnt = [(own, 1.0)]
    if taught is not None:
        learnt = [(own, 1 - taught.weight), (pairs(writing, taught.rows, checkpoint), taught.weight)]
    learnt = [(part, weight) for part, weight in learnt if weight]
    longest = max(int(part.inputs.lengths.max()) for part, _ in learnt)
    greedy = replace(checkpoint.search, most=longest + SPARE)
    checkpoint = replace(checkpoint, search=greedy)
    order = seed.generator(run.seed, "evaluated").permutation(len(validation))
    evaluated = np.sort(order[:MOST_EVALUATED])
    judged = validation.take(evaluated)
    sources = writing.encode(judged.inputs, checkpoint.tokenizer)

    def sums(part: Pairs, rows: np.ndarray, smoothing: float) -> tuple[Tensor, int]:
        batch, labels = part.pack(rows)
        with precision(run.device):
            total = model.cross_entropy(batch.to(run.device), labels.to(run.device), smoothing)
        return total, len(labels)

    def loss(rows: np.ndarray) -> Sequence[tuple[Tensor, int]]:
        return [(weight * total, count) for part, weight in learnt for total, count in [sums(part, rows, smoothing)]]

    @torch.no_grad()
    def evaluate() -> tuple[float, float]:
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
            arrays_sha256([tokens for part, _ in learnt for tokens in (part.source.tokens, part.inputs.tokens)]),
            arrays_sha256(arrays(model)),
        ),
    )
    trained = sum(weight.numel() for weight in weights.values())
    merge()
    searching = replace(checkpoint, search=replace(greedy, beams=beams))
    return Generative(contender, writing, searching, trained, run.device)


def arrays(model: torch.nn.Module) -> list[np.ndarray]:
    """Return the weights of a model."""
    return [weight.detach().cpu().contiguous().numpy() for weight in model.state_dict().values()]
