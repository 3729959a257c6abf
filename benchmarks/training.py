"""How fast is a training step? Compared with Hugging Face, same weights and texts, alternating in one process.

A step is forward, backward, clipping and AdamW on 32 sentences (SST-2) or 8 reviews (IMDB, cut to 512). The references
are `BertForSequenceClassification` padded to the window (the tutorial loop), padded to the longest text of the batch
(Trainer's default), and the latter with texts grouped by length, each with its own dropout (hidden and attention 0.1)
and without any. Times are medians over rounds, in microseconds per token without padding.

Also measured are the machine's matrix-product rate, in every round, and the share of it that our step uses:
multiplications and additions of the linear layers and of attention, counted by hand, over time.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks._common import data, record, show, table, transformers
from headstart.core.contracts import HeadPlan
from headstart.core.device import matrix_rate

ROUNDS, STEPS, WARM = 3, 4, 1
PARITY_STEPS, PARITY_ROWS = 100, 8
OURS, OURS_WITHOUT = "packed, dropout 0.1", "packed, dropout 0"


@dataclass(frozen=True)
class Load:
    """Texts of one kind: batches of token ids, the padded length of the tutorial loop, and the ids of all texts."""

    name: str
    batches: tuple[tuple[list[int], ...], ...]
    grouped: tuple[tuple[list[int], ...], ...]
    window: int
    words: np.ndarray


def main() -> None:
    """Measure one and two threads (about 20 minutes on an idle machine) and write the record."""
    import torch

    loads = (sentences(), reviews())
    lines, used, results = [], [], []
    for threads in (1, min(2, os.cpu_count() or 1)):
        torch.set_num_threads(threads)
        for load in loads:
            times, rates, peak = measure(load)
            entry = {"threads": threads, "load": load.name, "us_per_token": times, "gflops": rates, "of_peak": peak}
            results.append(entry)
            for name, value in times.items():
                if name.startswith("HF"):
                    ratios = [f"{value / times[ours]:.2f}" for ours in (OURS, OURS_WITHOUT)]
                    lines.append([load.name, str(threads), name, f"{value:.0f}", f"{times[OURS]:.0f}", *ratios])
            used.append(
                [load.name, str(threads), f"{rates:.0f}", *(f"{peak[name]:.2f}" for name in (OURS, OURS_WITHOUT))]
            )
    activations = {load.name: saved_bytes(load) for load in loads}
    difference = parity(loads[0])
    record(
        "training",
        {
            "results": results,
            "rounds": ROUNDS,
            "steps": STEPS,
            "activation_bytes_per_token": activations,
            "padded_over_real_tokens": {load.name: padding(load) for load in loads},
            "largest_difference_of_losses": difference,
            "parity_steps": PARITY_STEPS,
        },
    )
    header = ["texts", "threads", "against", "its us a token", "ours", "times faster", "without dropout"]
    show("training", table(header, lines))
    show("peak", table(["texts", "threads", "GFLOP/s of matrix products", "share used", "without dropout"], used))
    print(activations, difference)


def sentences() -> Load:
    """Take SST-2 sentences in batches of 32."""
    return _load("sentences", data("sst2_train")[0], 32, 128)


def reviews() -> Load:
    """Take IMDB reviews in batches of 8."""
    return _load("reviews", data("imdb_train")[0], 8, 512)


def measure(load: Load) -> tuple[dict[str, float], float, dict[str, float]]:
    """Time every variant, alternating, median over rounds.

    Returns:
        microseconds per token without padding; GFLOP/s of matrix products; the share of these that our variants use.
    """
    variants = {
        "HF tutorial loop": theirs(load.batches, load.window, 0.1, fused=False),
        "HF longest": theirs(load.batches, None, 0.1),
        "HF longest, dropout 0": theirs(load.batches, None, 0.0),
        "HF grouped": theirs(load.grouped, None, 0.1),
        "HF grouped, dropout 0": theirs(load.grouped, None, 0.0),
        OURS: ours(load, 0.1),
        OURS_WITHOUT: ours(load, 0.0),
    }
    taken: dict[str, list[float]] = {name: [] for name in variants}
    rates: list[float] = []
    for step in variants.values():
        for place in range(WARM):
            step(place)
    shares: dict[str, list[float]] = {OURS: [], OURS_WITHOUT: []}
    for turn in range(ROUNDS):
        for name, step in variants.items():
            places = range(turn * STEPS, (turn + 1) * STEPS)
            before = matrix_rate() if name in shares else 0.0
            began = time.perf_counter()
            tokens = sum(step(place) for place in places)
            seconds = time.perf_counter() - began
            taken[name].append(1e6 * seconds / tokens)
            if name in shares:
                # The machine is shared, so its rate is measured just before and just after.
                rates.append((before + matrix_rate()) / 2)
                shares[name].append(
                    1e-9 * sum(operations(load.batches[place]) for place in places) / seconds / rates[-1]
                )
    medians = {name: round(statistics.median(values), 1) for name, values in taken.items()}
    of_peak = {name: round(statistics.median(values), 3) for name, values in shares.items()}
    return medians, round(statistics.median(rates), 1), of_peak


def operations(texts: Sequence[Sequence[int]], width: int = 384, wide: int = 1536, layers: int = 6) -> float:
    """Count the multiplications and additions that a step requires for MiniLM-L6: forward once, backward twice.

    The last layer needs keys and values of all tokens, and everything else only for first tokens. Attention takes two
    products: queries with keys, and attention weights with values.

    Args:
        texts: token ids of each text.
        width: hidden size.
        wide: width of the feed-forward layers.
        layers: number of layers.
    """
    lengths = np.array([len(text) for text in texts], dtype=float)
    tokens, texts_ = lengths.sum(), len(lengths)
    whole = 4 * width**2 + 2 * width * wide
    linear = (layers - 1) * tokens * whole + tokens * 2 * width**2 + texts_ * (whole - 2 * width**2)
    attention = 2 * width * ((layers - 1) * (lengths**2).sum() + tokens)
    return 3 * 2 * (linear + attention)


def padding(load: Load) -> float:
    """Return the number of tokens of a batch padded to its longest text, per token without padding."""
    padded = sum(len(batch) * max(map(len, batch)) for batch in load.batches)
    return round(padded / sum(len(text) for batch in load.batches for text in batch), 2)


def ours(load: Load, dropout: float) -> Callable[[int], int]:
    """Build our step as in a training: packed batches, the embedding narrowed to the words of all texts.

    It returns the number of tokens of a batch.
    """
    import torch

    from headstart.training import gradients
    from headstart.training.optimizer import adamw, clipped_step

    texts = [text for batch in load.batches for text in batch]
    ends = np.cumsum([0, *map(len, load.batches)])
    groups, loss, lengths = _lesson(load, texts, torch.arange(len(texts)) % 2, dropout)
    optimizer = adamw(groups, 0.01)
    weights = [weight for group in groups for weight in group.weights.values()]
    halves = gradients.backward(lengths, "cpu")
    backward = halves.__enter__()

    def step(place: int, opened: Any = halves) -> int:  # closed when the step is garbage-collected
        number = place % len(load.batches)
        rows = np.arange(ends[number], ends[number + 1])
        backward(loss, rows, weights, 1, place)
        clipped_step(optimizer, weights, 1.0)
        return int(lengths[rows].sum())

    return step


def _lesson(load: Load, texts: Sequence[list[int]], targets: Any, dropout: float) -> tuple[Any, Any, np.ndarray]:
    """Return the groups of weights, the loss of some of the texts, and the tokens of each."""
    import torch

    from headstart.nn.packed import pack

    model, groups, renumber = _model(load, dropout)
    model.train()
    tokens, lengths = renumber(np.concatenate(texts)), np.array([len(text) for text in texts])
    boundaries = np.cumsum([0, *lengths])

    def loss(rows: np.ndarray) -> Any:
        batch = pack(tokens, boundaries, rows)
        right = targets[torch.from_numpy(rows)][batch.order]
        return model.head.loss(model(batch), right, batch.boundaries) / len(rows)

    return groups, loss, lengths


def saved_bytes(load: Load) -> float:
    """Measure the memory that a step saves for the backward pass, in bytes per token, without weights."""
    import torch

    from headstart.nn.packed import pack

    model, _, renumber = _model(load, 0.1)
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    storages: dict[int, int] = {}

    def count(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    model.train()
    texts = load.batches[0]
    batch = pack(renumber(np.concatenate(texts)), np.cumsum([0, *map(len, texts)]), np.arange(len(texts)))
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        model.head.loss(model(batch), (torch.arange(len(texts)) % 2)[batch.order], batch.boundaries)
    return round(sum(storages.values()) / len(batch.ids))


def parity(load: Load) -> float:
    """Train both for a hundred steps on the same rows without dropout; return the largest difference of losses."""
    import torch

    from headstart.training import gradients
    from headstart.training.optimizer import adamw, clipped_step

    texts = [text for batch in load.batches for text in batch]
    targets = torch.tensor([len(text) % 2 for text in texts])
    groups, loss, lengths = _lesson(load, texts, targets, 0.0)
    optimizer = adamw(groups, 0.0)
    weights = [weight for group in groups for weight in group.weights.values()]
    peer = _peer(0.0)
    head = {name.rpartition(".")[2]: weight for name, weight in groups[0].weights.items() if "output" in name}
    with torch.no_grad():
        peer.classifier.weight.copy_(head["weight"])
        peer.classifier.bias.copy_(head["bias"])
    their_optimizer = torch.optim.AdamW(peer.parameters(), lr=5e-5, weight_decay=0.0)
    worst = 0.0
    with gradients.backward(lengths, "cpu") as backward:
        for step in range(PARITY_STEPS):
            rows = np.arange(step * PARITY_ROWS, (step + 1) * PARITY_ROWS) % len(texts)
            value = backward(loss, rows, weights, 1, step)
            clipped_step(optimizer, weights, 1.0)
            ids, mask = _pad([texts[row] for row in rows], None)
            their_loss = peer(input_ids=ids, attention_mask=mask, labels=targets[rows]).loss
            their_loss.backward()
            torch.nn.utils.clip_grad_norm_(peer.parameters(), 1.0)
            their_optimizer.step()
            their_optimizer.zero_grad()
            worst = max(worst, abs(value.item() - their_loss.item()))
    return worst


def _model(load: Load, dropout: float) -> tuple[Any, Any, Callable[[np.ndarray], np.ndarray]]:
    """Load our model with a new head, all of it trained at 5e-5, its embedding narrowed to the load's words."""
    import torch

    from headstart.checkpoints import folder
    from headstart.core import rooms
    from headstart.nn.narrow import narrowed

    torch.manual_seed(0)
    model: Any = folder.load("minilm", head=HeadPlan.numbered(2), dropout=dropout).model
    # Stored in the model, since the embedding is restored when this is garbage-collected.
    model.narrow = narrowed(model.encoder.embeddings.word, load.words)
    renumber = model.narrow.__enter__()
    groups = rooms.load("strategies", "full", {"learning_rate": 5e-5, "layer_decay": 1.0}).prepare(model)
    return model, groups, renumber


def _peer(dropout: float) -> Any:
    from headstart.checkpoints import hub

    model = transformers().AutoModelForSequenceClassification.from_pretrained(
        hub.find("minilm"), num_labels=2, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    return model.train()


def _pad(texts: Sequence[Sequence[int]], window: int | None) -> tuple[Any, Any]:
    """Pad texts to a window or to the longest of them; return ids and mask."""
    import torch

    longest = window or max(map(len, texts))
    ids = torch.zeros(len(texts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
        mask[row, : len(text)] = 1
    return ids, mask


def theirs(
    batches: Sequence[Sequence[list[int]]], window: int | None, dropout: float, fused: bool = True
) -> Callable[[int], int]:
    """Build Hugging Face's step, padded to a window or to the longest text of the batch."""
    import torch

    torch.manual_seed(0)
    model = _peer(dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, fused=fused)

    def step(place: int) -> int:
        texts = batches[place % len(batches)]
        ids, mask = _pad(texts, window)
        model(input_ids=ids, attention_mask=mask, labels=torch.arange(len(texts)) % 2).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return sum(map(len, texts))

    return step


def _load(name: str, texts: Sequence[str], rows: int, window: int) -> Load:
    """Tokenise a data set; split a sample into batches, at random and by length as Trainer's `group_by_length` does."""
    from headstart.checkpoints import folder

    count = rows * STEPS * ROUNDS
    places = np.random.default_rng(0).permutation(len(texts))[:count]
    encoded = folder.load("minilm").tokenizer.encode(texts, window)
    ids = [encoded.tokens[encoded.boundaries[i] : encoded.boundaries[i + 1]].tolist() for i in places.tolist()]
    # Trainer sorts within 50 batches at a time, which here are all. Their order stays random.
    by_length = sorted(ids, key=len, reverse=True)
    order = np.random.default_rng(1).permutation(count // rows)
    cut = [tuple(by_length[place * rows : (place + 1) * rows]) for place in order]
    batches = tuple(tuple(ids[i : i + rows]) for i in range(0, count, rows))
    return Load(name, batches, tuple(cut), window, np.unique(encoded.tokens))
