"""The two sides of the GPU benchmark: one training step and bulk prediction, ours and Hugging Face's.

Both load one folder, so all weights are the same, and see the same texts. The reference's padded batches are built and
pinned before the clock starts, as data-loading processes would; ours are packed inside the timed part.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._common import data, transformers
from headstart.activations.forward import precision
from headstart.checkpoints import folder
from headstart.core import rooms
from headstart.core.contracts import Encoded
from headstart.nn.narrow import narrowed
from headstart.nn.packed import pack, to_device
from headstart.training import gradients
from headstart.training.optimizer import adamw, clipped_step

Texts = tuple[list[int], ...]
RATE = 5e-5


@dataclass(frozen=True)
class Sample:
    """Texts of a data set: its name, how many there are in a batch, and how many tokens of each are read."""

    name: str
    source: str
    rows: int
    window: int


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    rounds: of each timing.
    batches: different batches, each of which is a step of a round.
    sizes: texts in a batch: of sentences, of sentences in a large batch, of reviews.
    windows: in a batch of a pretraining.
    parity_steps: training steps whose losses are compared.
    predicted: sentences and reviews that are predicted.
    budget: tokens in the reference's batches of predictions, with padding.
    rows: for the whole comparison; None for all.
    layers: of the model with random weights.
    width: of the model with random weights.
    product: rows and columns of the matrix product that measures the card.
    """

    rounds: int = 7
    batches: int = 10
    sizes: tuple[int, int, int] = (32, 512, 32)
    windows: int = 256
    parity_steps: int = 100
    predicted: tuple[int, int] = (20_000, 4_000)
    budget: int = 32_768
    rows: int | None = None
    layers: int = 12
    width: int = 768
    product: int = 8192


FULL = Scale()
SHORT = Scale(rounds=2, batches=3, parity_steps=10, predicted=(2_000, 500), rows=600)
TINY = Scale(1, 2, (4, 8, 2), 2, 2, (20, 4), 1_000, 60, layers=1, width=128, product=64)
SCALES = {"tiny": TINY, "short": SHORT}


def texts_of(scale: Scale) -> list[Sample]:
    """Return the batches of a training."""
    small, large, long = scale.sizes
    sentences = [Sample("sentences", "sst2_train", rows, 128) for rows in (small, large)]
    return [*sentences, Sample("reviews", "imdb_train", long, 512)]


def predicted_texts(scale: Scale) -> list[Sample]:
    """Return the texts of a prediction."""
    sentences, reviews = scale.predicted
    return [Sample("sentences", "sst2_train", sentences, 128), Sample("reviews", "imdb_train", reviews, 512)]


@dataclass(frozen=True)
class Load:
    """Tokenised texts: batches at random, and the same texts in batches of similar length, in random order."""

    batches: tuple[Texts, ...]
    grouped: tuple[Texts, ...]

    @property
    def texts(self) -> list[list[int]]:
        """All texts, batch after batch."""
        return [text for batch in self.batches for text in batch]

    @property
    def tokens(self) -> int:
        """Tokens without padding."""
        return sum(map(len, self.texts))

    @property
    def padded(self) -> float:
        """Tokens of batches padded to their longest text, per token without padding."""
        return round(sum(len(batch) * max(map(len, batch)) for batch in self.batches) / self.tokens, 2)


def load(sample: Sample, batches: int, model: Path) -> Load:
    """Tokenise a sample and split it into batches; a small data set is repeated."""
    texts = data(sample.source)[0]
    rows, count = sample.rows, sample.rows * batches
    places = np.resize(np.random.default_rng(0).permutation(len(texts)), count)
    joined = folder.load(model).tokenizer.encode([texts[place] for place in places.tolist()], sample.window)
    ids = [part.tolist() for part in np.split(joined.tokens, joined.boundaries[1:-1])]
    by_length = sorted(ids, key=len, reverse=True)
    order = np.random.default_rng(1).permutation(batches).tolist()
    grouped = tuple(tuple(by_length[place * rows : (place + 1) * rows]) for place in order)
    return Load(tuple(tuple(ids[start : start + rows]) for start in range(0, count, rows)), grouped)


def labels(texts: Sequence[Sequence[int]]) -> Tensor:
    """Return a class for each text that can be learnt: whether its length is odd."""
    return torch.tensor([len(text) % 2 for text in texts])


@dataclass(frozen=True)
class Step:
    """One side's training step.

    take: with the number of a batch, takes the step; returns the loss and the norm, on the device.
    loss: the number of a batch -> its loss with a graph.
    weights: what is trained.
    """

    take: Callable[[int], tuple[Tensor, Tensor]]
    loss: Callable[[int], Tensor]
    weights: list[Any]


def ours(model: Path, work: Load, device: str, dropout: float, *, half: bool = True) -> Step:
    """Build our step as in a training: packed batches, the embedding narrowed to the words of all texts.

    Args:
        model: the folder of the model.
        work: the texts.
        device: 'cpu' or 'cuda'.
        dropout: rate everywhere.
        half: under bfloat16 autocast, as a training on a GPU is; otherwise float32.
    """
    net: Any = folder.load(model, dropout=dropout).model
    net.to(device)
    texts, ends = work.texts, np.cumsum([0, *map(len, work.batches)])
    flat = np.concatenate(texts)
    # Stored in the model, since the embedding is restored when this is garbage-collected.
    net.narrow = narrowed(net.encoder.embeddings.word, flat)
    tokens, lengths = net.narrow.__enter__()(flat), np.array([len(text) for text in texts])
    groups = rooms.load("strategies", "full", {"learning_rate": RATE, "layer_decay": 1.0}).prepare(net)
    net.train()
    optimizer = adamw(groups, 0.01)
    weights = [weight for group in groups for weight in group.weights.values()]
    boundaries, targets = np.cumsum([0, *lengths]), labels(texts).to(device)
    halves = gradients.backward(lengths, device)
    backward = halves.__enter__()

    def of_rows(rows: np.ndarray) -> Tensor:
        batch = pack(tokens, boundaries, rows).to(device)
        with precision(device if half else "cpu"):
            logits = net(batch)
        right = targets[to_device(torch.from_numpy(rows), device)][batch.order]
        value: Tensor = net.head.loss(logits, right, batch.boundaries) / len(rows)
        return value

    def take(number: int, opened: Any = halves) -> tuple[Tensor, Tensor]:  # closed when the step is garbage-collected
        rows = np.arange(ends[number], ends[number + 1])
        value = backward(of_rows, rows, weights, 1, number)
        return value, clipped_step(optimizer, weights, 1.0)

    return Step(take, lambda number: of_rows(np.arange(ends[number], ends[number + 1])), weights)


def theirs(model: Path, batches: Sequence[Texts], device: str, dropout: float, *, half: bool = True) -> Step:
    """Build Hugging Face's step: padded to the longest text of the batch, attention by SDPA, fused AdamW."""
    net = transformers().AutoModelForSequenceClassification.from_pretrained(
        model,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        classifier_dropout=dropout,
        attn_implementation="sdpa",
    )
    net.to(device).train()
    decayed = [weight for weight in net.parameters() if weight.ndim > 1]
    others = [weight for weight in net.parameters() if weight.ndim <= 1]
    parts = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(parts, lr=RATE, fused=True)
    inputs = [padded(texts, device) for texts in batches]

    def loss(number: int) -> Tensor:
        given = {name: part.to(device, non_blocking=True) for name, part in inputs[number].items()}
        with precision(device if half else "cpu"):
            value: Tensor = net(**given).loss
        return value

    def take(number: int) -> tuple[Tensor, Tensor]:
        value = loss(number)
        value.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return value.detach(), norm

    return Step(take, loss, list(net.parameters()))


def padded(texts: Texts, device: str) -> dict[str, Tensor]:
    """Pad texts to the longest of them, in pinned memory for a GPU."""
    rows = [torch.tensor(text) for text in texts]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    lengths = torch.tensor([len(text) for text in texts])
    mask = (torch.arange(ids.shape[1]) < lengths[:, None]).long()
    parts = {"input_ids": ids, "attention_mask": mask, "labels": labels(texts)}
    return {name: part.pin_memory() if device == "cuda" else part for name, part in parts.items()}


def rounds(actions: Mapping[str, Callable[[], object]], count: int, device: str) -> dict[str, list[float]]:
    """Time actions in turns, after one warm-up of each: name -> seconds of each round."""
    for act in actions.values():
        act()
    taken: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(count):
        for name, act in actions.items():
            wait(device)
            began = time.perf_counter()
            act()
            wait(device)
            taken[name].append(time.perf_counter() - began)
    return taken


def wait(device: str) -> None:
    """Wait until the device has finished."""
    if device == "cuda":
        torch.cuda.synchronize()


def matrix_rate(device: str, size: int) -> float:
    """Measure the rate of square bfloat16 products of random numbers, in TFLOP/s; median of 20 after a warm-up."""
    left, right = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    taken = rounds({"product": lambda: [left @ right for _ in range(10)]}, 20, device)["product"]
    return 1e-12 * 10 * 2 * size**3 / statistics.median(taken)


def encoded(texts: Sequence[Sequence[int]]) -> Encoded:
    """Join tokenised texts."""
    lengths = np.array([len(text) for text in texts])
    return Encoded(np.concatenate(texts).astype(np.int32), np.cumsum([0, *lengths]))


def their_scores(net: Any, batches: Sequence[tuple[np.ndarray, dict[str, Tensor]]], device: str) -> Tensor:
    """Compute Hugging Face's logits of padded batches, in the order of the texts, float32 on the CPU."""
    parts, places = [], np.concatenate([rows for rows, _ in batches])
    with torch.inference_mode(), precision(device):
        for _, given in batches:
            ids, mask = (given[name].to(device, non_blocking=True) for name in ("input_ids", "attention_mask"))
            parts.append(net(input_ids=ids, attention_mask=mask).logits.float())
    out = torch.cat(parts).cpu()
    return out[torch.from_numpy(np.argsort(places))]


def sorted_batches(
    texts: Sequence[list[int]], budget: int, device: str
) -> Iterator[tuple[np.ndarray, dict[str, Tensor]]]:
    """Yield texts of similar length, padded, with at most so many tokens in a batch, padding included."""
    order = np.argsort([len(text) for text in texts], kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * len(texts[order[stop]]) <= budget:
            stop += 1
        rows = order[start:stop]
        yield rows, padded(tuple(texts[row] for row in rows.tolist()), device)
        start = stop
