"""How fast is a pretraining step? Ours against Hugging Face's `BertForPreTraining`, in turns in one process.

A step is forward, backward, clipping and AdamW on hidden words (15 %) and next passages, for a model of 4 layers of 512
with 30,522 word pieces: on full windows of 128 tokens, and on pairs of neighbouring sentences of IMDB reviews, which
the peer pads to 128. Both have the same weights and the same hidden words; the peer is timed with its own dropout
(hidden and attention 0.1) and without any. Times are medians over rounds, in microseconds for a real token.
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
WINDOW, ROWS = 128, 16
SHAPE: dict[str, Any] = {"width": 512, "layers": 4, "heads": 8, "feed_forward": 2048, "window": WINDOW}
OURS, OURS_WITHOUT = "packed, dropout 0.1", "packed, dropout 0"
THEIRS, THEIRS_WITHOUT = "HF", "HF, dropout 0"


@dataclass(frozen=True)
class Load:
    """Batches of questions, and the same as Hugging Face takes them: padded, with -100 where nothing is asked."""

    name: str
    batches: tuple[Any, ...]
    padded: tuple[dict[str, Any], ...]


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


def fresh_model(place: Path) -> None:
    """Write a model with random weights that both sides load."""
    import torch

    from headstart.checkpoints import folder
    from headstart.nn.encoder import Encoder
    from headstart.nn.pretraining import Pretraining, PretrainingHead

    tokenizer = folder.load("minilm").tokenizer
    arguments = {**SHAPE, "vocabulary": tokenizer.size, "dropout": 0.1}
    torch.manual_seed(0)
    model = Pretraining(Encoder(**arguments), PretrainingHead(SHAPE["width"], tokenizer.size))
    folder.save(place, model, tokenizer, "bert", arguments, ())


def full_windows(place: Path) -> Load:
    """Cut reviews into windows of 128 tokens, two passages in each."""
    return _load("full windows", place, _whole(place)[: ROWS * STEPS * ROUNDS])


def sentence_pairs(place: Path) -> Load:
    """Pair neighbouring sentences of reviews, cut to 128 tokens together."""
    from headstart.checkpoints import folder
    from headstart.text import sentences

    count = ROWS * STEPS * ROUNDS
    pairs = []
    for text in data("imdb_train")[0][: count // 2]:
        pieces = list(sentences.split(text))
        pairs += list(zip(pieces[::2], pieces[1::2], strict=False))
    places = np.random.default_rng(0).permutation(len(pairs))[:count].tolist()
    encoded = folder.load(place, pretraining=True).tokenizer.encode_whole([s for i in places for s in pairs[i]])
    ids = np.split(encoded.tokens, encoded.boundaries[1:-1])
    cut = [(first[: WINDOW // 2], second) for first, second in zip(ids[::2], ids[1::2], strict=True)]
    return _load("sentence pairs", place, [(a, b[: WINDOW - 3 - len(a)]) for a, b in cut])


def measure(load: Load, place: str) -> tuple[dict[str, float], float]:
    """Time every variant in turns, the median over rounds; and the machine's matrix products meanwhile, in GFLOP/s."""
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
            tokens = sum(len(load.batches[number].batch.ids) for number in range(turn * STEPS, (turn + 1) * STEPS))
            taken[name].append(1e6 * (time.perf_counter() - began) / tokens)
        rates.append(matrix_rate())
    return {name: round(statistics.median(values), 1) for name, values in taken.items()}, round(
        statistics.median(rates), 1
    )


def ours(load: Load, place: str, dropout: float) -> Callable[[int], float]:
    """Build our step as a pretraining takes it; it returns the loss."""
    from headstart.checkpoints import folder
    from headstart.contenders._pretraining import loss_of
    from headstart.nn.groups import by_stage
    from headstart.training.optimizer import adamw, clipped_step

    model: Any = folder.load(place, pretraining=True, dropout=dropout).model.train()
    groups = by_stage(model, 1 + SHAPE["layers"], 1e-4)
    optimizer = adamw(groups, 0.01)
    weights = [weight for group in groups for weight in group.weights.values()]

    def step(number: int) -> float:
        loss = loss_of(model, load.batches[number % len(load.batches)], "cpu")
        loss.backward()
        clipped_step(optimizer, weights, 1.0)
        return loss.item()

    return step


def theirs(load: Load, place: str, dropout: float) -> Callable[[int], float]:
    """Build the peer's step; it returns the loss."""
    import torch

    model = transformers().BertForPreTraining.from_pretrained(
        place, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout
    )
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step(number: int) -> float:
        loss = model(**load.padded[number % len(load.padded)]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def parity(load: Load, place: str) -> float:
    """Compute both losses of every batch without dropout, before anything is learnt; the largest difference."""
    import torch

    from headstart.checkpoints import folder
    from headstart.contenders._pretraining import loss_of

    model: Any = folder.load(place, pretraining=True).model.eval()
    peer = transformers().BertForPreTraining.from_pretrained(place).eval()
    with torch.no_grad():
        pairs = zip(load.batches, load.padded, strict=True)
        return max(abs(float(loss_of(model, asked, "cpu") - peer(**padded).loss)) for asked, padded in pairs)


def _whole(place: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut the beginning of IMDB into pairs of passages that fill a window."""
    from headstart.checkpoints import folder

    room = WINDOW - 3
    tokens = folder.load(place, pretraining=True).tokenizer.encode_whole(data("imdb_train")[0][:200]).tokens
    return [(part[: room // 2], part[room // 2 :]) for part in tokens[: len(tokens) // room * room].reshape(-1, room)]


def _load(name: str, place: Path, pairs: list[tuple[np.ndarray, np.ndarray]]) -> Load:
    """Hide words in pairs of passages, and lay out the same for the peer."""
    import torch

    from headstart.checkpoints import folder
    from headstart.nn.packed import pack
    from headstart.tasks.pretraining import Pretraining, Questions, vocabulary_of

    words = vocabulary_of(folder.load(place, pretraining=True).tokenizer)
    chance = np.random.default_rng(0)
    batches, padded = [], []
    for start in range(0, len(pairs), ROWS):
        rows = pairs[start : start + ROWS]
        tokens = [np.concatenate([words.opening, a, words.closing, b, words.closing]) for a, b in rows]
        kinds = [np.arange(len(ids)) >= len(a) + 2 for ids, (a, _) in zip(tokens, rows, strict=True)]
        boundaries = np.cumsum([0, *map(len, tokens)])
        batch = pack(np.concatenate(tokens), boundaries, np.arange(len(rows)), segments=np.concatenate(kinds))
        places, ids = Pretraining().hide(batch.ids.numpy(), words, chance)
        hidden = batch.ids[places]
        batch.ids[places] = torch.from_numpy(ids)
        asked = Questions(batch, torch.from_numpy(places), hidden, torch.arange(len(rows)) % 2)
        at = (torch.arange(len(rows)).repeat_interleave(batch.boundaries.diff()), batch.positions)
        shape = (len(rows), WINDOW)
        inputs, types, mask, labels = (torch.full(shape, fill) for fill in (0, 0, 0, -100))
        inputs[at], types[at], mask[at] = batch.ids, batch.segments, 1
        labels[at[0][places], at[1][places]] = hidden
        batches.append(asked)
        padded.append(
            {
                "input_ids": inputs,
                "token_type_ids": types,
                "attention_mask": mask,
                "labels": labels,
                "next_sentence_label": asked.pairs,
            }
        )
    return Load(name, tuple(batches), tuple(padded))
