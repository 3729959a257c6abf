"""How fast is a pretraining step? Compared with Hugging Face's `BertForPreTraining`, alternating in one process.

A step is forward, backward, clipping and AdamW on masked words (15 %) and next passages, for a model of 4 layers of 512
with 30,522 word pieces: on full windows of 128 tokens, and on pairs of adjacent sentences of IMDB reviews, which the
reference pads to 128. Both have the same weights and the same masked words; the reference is timed with its own dropout
(hidden and attention 0.1) and without any. Times are medians over rounds, in microseconds per token without padding.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import data, record, show, table, transformers
from headstart.core.device import matrix_rate

ROUNDS, STEPS = 3, 3
NOTHING = -100  # the label of a token that is not predicted
WINDOW, ROWS = 128, 16
SHAPE: dict[str, Any] = {"width": 512, "layers": 4, "heads": 8, "feed_forward": 2048, "window": WINDOW}
OURS, OURS_WITHOUT = "packed, dropout 0.1", "packed, dropout 0"
THEIRS, THEIRS_WITHOUT = "HF", "HF, dropout 0"


@dataclass(frozen=True)
class Load:
    """Masked texts, and the same in Hugging Face's format: padded, with -100 for tokens that are not predicted.

    ask: packs some of the texts with their masked words.
    lengths: tokens of each text.
    rows: texts in a batch.
    """

    name: str
    ask: Callable[[np.ndarray], Any]
    lengths: np.ndarray
    padded: tuple[dict[str, Any], ...]
    rows: int

    @property
    def batches(self) -> list[np.ndarray]:
        """The indices of each batch's texts."""
        return [np.arange(start, start + self.rows) for start in range(0, len(self.lengths), self.rows)]


def main() -> None:
    """Measure one and two threads (about 10 minutes on an idle machine) and write the record."""
    import torch

    lines, results = [], []
    with tempfile.TemporaryDirectory() as place:
        fresh_model(Path(place))
        loads = (full_windows(Path(place)), sentence_pairs(Path(place)))
        difference = {load.name: parity(load, place) for load in loads}
        for threads in (1, min(2, os.cpu_count() or 1)):
            torch.set_num_threads(threads)
            for load in loads:
                times, rate = measure(load, place)
                results.append({"threads": threads, "load": load.name, "us_per_token": times, "gflops": rate})
                for theirs, ours in ((THEIRS, OURS), (THEIRS_WITHOUT, OURS_WITHOUT)):
                    ratio = times[theirs] / times[ours]
                    row = [
                        load.name,
                        str(threads),
                        theirs,
                        f"{times[theirs]:.0f}",
                        f"{times[ours]:.0f}",
                        f"{ratio:.2f}",
                    ]
                    lines.append(row)
    record(
        "pretraining",
        {"results": results, "rounds": ROUNDS, "steps": STEPS, "largest_difference_of_losses": difference},
    )
    show("pretraining", table(["texts", "threads", "against", "its us a token", "ours", "times faster"], lines))
    print(difference)


def fresh_model(place: Path, source: str = "minilm") -> None:
    """Write a model with random weights and the tokenizer of another one, which both sides load."""
    import torch

    from headstart.checkpoints import folder
    from headstart.nn.encoder import Encoder
    from headstart.nn.pretraining import Pretraining, PretrainingHead

    tokenizer = folder.load(source).tokenizer
    arguments = {**SHAPE, "vocabulary": tokenizer.size, "dropout": 0.1}
    torch.manual_seed(0)
    model = Pretraining(Encoder(**arguments), PretrainingHead(SHAPE["width"], tokenizer.size))
    folder.save(place, model, tokenizer, "bert", arguments, None)


def full_windows(place: Path, rows: int = ROWS, batches: int = STEPS * ROUNDS) -> Load:
    """Cut reviews into windows of 128 tokens, with two passages each."""
    return _load("full windows", place, _whole(place, rows * batches)[: rows * batches], rows)


def sentence_pairs(place: Path, rows: int = ROWS, batches: int = STEPS * ROUNDS) -> Load:
    """Pair adjacent sentences of reviews, cut to 128 tokens together."""
    from headstart.checkpoints import folder
    from headstart.text import sentences

    count = rows * batches
    pairs = []
    for text in data("imdb_train")[0][: count // 2]:
        pieces = list(sentences.split(text))
        pairs += list(zip(pieces[::2], pieces[1::2], strict=False))
    places = np.random.default_rng(0).permutation(len(pairs))[:count].tolist()
    encoded = folder.load(place, pretraining=True).tokenizer.encode_whole([s for i in places for s in pairs[i]])
    ids = np.split(encoded.tokens, encoded.boundaries[1:-1])
    cut = [(first[: WINDOW // 2], second) for first, second in zip(ids[::2], ids[1::2], strict=True)]
    return _load("sentence pairs", place, [(a, b[: WINDOW - 3 - len(a)]) for a, b in cut], rows)


def measure(load: Load, place: str) -> tuple[dict[str, float], float]:
    """Time every variant, alternating, median over rounds; and the machine's matrix-product rate in GFLOP/s."""
    variants = {
        THEIRS: theirs(load, place, 0.1),
        THEIRS_WITHOUT: theirs(load, place, 0.0),
        OURS: ours(load, place, 0.1),
        OURS_WITHOUT: ours(load, place, 0.0),
    }
    taken: dict[str, list[float]] = {name: [] for name in variants}
    rates = []
    for step in variants.values():
        step(0)
    for turn in range(ROUNDS):
        for name, step in variants.items():
            began = time.perf_counter()
            for number in range(turn * STEPS, (turn + 1) * STEPS):
                step(number)
            tokens = sum(int(load.lengths[rows].sum()) for rows in load.batches[turn * STEPS : (turn + 1) * STEPS])
            taken[name].append(1e6 * (time.perf_counter() - began) / tokens)
        rates.append(matrix_rate())
    return {name: round(statistics.median(values), 1) for name, values in taken.items()}, round(
        statistics.median(rates), 1
    )


def ours(load: Load, place: str, dropout: float, device: str = "cpu") -> Callable[[int], Any]:
    """Build our step as in a pretraining; it returns the loss, on the device."""
    from headstart.checkpoints import folder
    from headstart.nn.groups import by_stage
    from headstart.pretraining.scoring import loss_of
    from headstart.training import gradients
    from headstart.training.optimizer import adamw, clipped_step

    model: Any = folder.load(place, pretraining=True, dropout=dropout).model.to(device).train()
    groups = by_stage(model, 1 + SHAPE["layers"], 1e-4)
    optimizer = adamw(groups, 0.01)
    weights = [weight for group in groups for weight in group.weights.values()]
    halves = gradients.backward(load.lengths, device)
    backward = halves.__enter__()

    def loss(rows: np.ndarray) -> Any:
        return loss_of(model, load.ask(rows), device)

    def step(number: int, opened: Any = halves) -> Any:  # closed when the step is garbage-collected
        value = backward(loss, load.batches[number], weights, 1, number)
        clipped_step(optimizer, weights, 1.0)
        return value

    return step


def theirs(load: Load, place: str, dropout: float, device: str = "cpu") -> Callable[[int], Any]:
    """Build the reference's step; it returns the loss, on the device."""
    import torch

    from headstart.activations.forward import precision

    model = transformers().BertForPreTraining.from_pretrained(
        place, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    pinned = [{name: part.pin_memory() if device == "cuda" else part for name, part in p.items()} for p in load.padded]

    def step(number: int) -> Any:
        given = {name: part.to(device, non_blocking=True) for name, part in pinned[number].items()}
        with precision(device):
            loss = model(**given).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    return step


def parity(load: Load, place: str) -> float:
    """Compute both losses of every batch without dropout, before training; return the largest difference."""
    import torch

    from headstart.checkpoints import folder
    from headstart.pretraining.scoring import loss_of
    from headstart.training import gradients

    model: Any = folder.load(place, pretraining=True).model.eval()
    peer = transformers().BertForPreTraining.from_pretrained(place).eval()
    with torch.no_grad():
        pairs = zip(load.batches, load.padded, strict=True)
        return max(
            abs(float(gradients.mean(loss_of(model, load.ask(rows), "cpu")) - peer(**padded).loss))
            for rows, padded in pairs
        )


def _whole(place: Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut the beginning of IMDB into at least so many pairs of passages that fill a window."""
    from headstart.checkpoints import folder

    room = WINDOW - 3
    tokenizer = folder.load(place, pretraining=True).tokenizer
    tokens = tokenizer.encode_whole(data("imdb_train")[0][: max(200, count)]).tokens
    return [(part[: room // 2], part[room // 2 :]) for part in tokens[: len(tokens) // room * room].reshape(-1, room)]


def _load(name: str, place: Path, pairs: list[tuple[np.ndarray, np.ndarray]], size: int) -> Load:
    """Mask words in pairs of passages, and build the same in the reference's format."""
    import torch

    from headstart.checkpoints import folder
    from headstart.nn.packed import pack
    from headstart.pretraining.objective import Objective, Questions, vocabulary_of

    words = vocabulary_of(folder.load(place, pretraining=True).tokenizer)
    texts = [np.concatenate([words.opening, a, words.closing, b, words.closing]) for a, b in pairs]
    lengths = np.array([len(ids) for ids in texts])
    boundaries = np.cumsum([0, *lengths])
    second = np.concatenate([np.arange(len(a) + len(b) + 3) >= len(a) + 2 for a, b in pairs])
    ids = np.concatenate(texts)
    places, replaced = Objective().hide(ids, words, np.random.default_rng(0))
    labels = np.full(len(ids), NOTHING)
    labels[places] = ids[places]
    ids[places] = replaced

    def ask(rows: np.ndarray) -> Any:
        batch = pack(ids, boundaries, rows, segments=second)
        wanted = pack(labels, boundaries, rows).ids
        asked = (wanted != NOTHING).nonzero()[:, 0]
        return Questions(batch, asked, wanted[asked], torch.from_numpy(rows % 2)[batch.order])

    padded = []
    for start in range(0, len(pairs), size):
        rows = np.arange(start, min(start + size, len(pairs)))
        batch = pack(ids, boundaries, rows, segments=second)
        at = (batch.order.repeat_interleave(batch.boundaries.diff()), batch.positions)
        inputs, types, mask, wanted = (torch.full((len(rows), WINDOW), fill) for fill in (0, 0, 0, NOTHING))
        inputs[at], types[at], mask[at] = batch.ids, batch.segments, 1
        wanted[at] = pack(labels, boundaries, rows).ids
        padded.append(
            {
                "input_ids": inputs,
                "token_type_ids": types,
                "attention_mask": mask,
                "labels": wanted,
                "next_sentence_label": torch.from_numpy(rows % 2),
            }
        )
    return Load(name, ask, lengths, tuple(padded), size)
