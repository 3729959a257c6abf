"""Texts from texts: a training step and decoding beside Hugging Face's, with the same weights, on Multi30k.

The model is that of `seq2seq` with its defaults, trained for a short time so that its texts end where real ones do. A
step is forward, backward, clipping and AdamW on 128 pairs; the references are `AutoModelForSeq2SeqLM` padded to the
longest text of each side, with random batches and with batches of similar lengths. Decoding writes 1,000 sentences
greedily and with 4 beams; the reference is `generate` in batches of 32, in the order of the file and of similar
lengths, and CTranslate2 with the same float32 weights and threads where it is installed (`pip install ctranslate2`).
Sides take turns. Steps are in microseconds per token without padding, medians over rounds.

GENERATION_ROWS tries it on so many pairs and sentences; no record is then written.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._common import parquet, record, show, table, transformers, versions

TRAIN, TEST, BATCH, DECODED = 4000, 1000, 128, 32
ROUNDS, WARM = 9, 1
MINUTES = 3.0  # of training
OURS, RANDOM, GROUPED = "packed", "padded, random batches", "padded, batches of similar lengths"
CTRANSLATE2, TOKENS = "CTranslate2", 2048


def main() -> None:
    """Train briefly, measure (minutes) and write the record."""
    few = int(os.environ.get("GENERATION_ROWS", "0"))
    fitted, pairs, sources = prepared(few or TRAIN, few or TEST)
    steps = training_steps(fitted, pairs)
    decoding = decoded(fitted, sources, few or TEST)
    result = {"steps": steps, "decoding": decoding, "versions": versions("transformers")}
    if few:
        print(result)
        return
    record("generation", result)
    lines = [["training step", name, f"{us / steps['us'][OURS]:.2f}"] for name, us in steps["us"].items()]
    for search, taken in decoding["seconds"].items():
        lines += [[search, name, f"{seconds / taken[OURS]:.2f}"] for name, seconds in taken.items()]
    show("generation", table(["", "", "times as long as ours"], lines))


def prepared(rows: int, tests: int) -> tuple[Any, Any, Any]:
    """Train the model briefly; return it, its training pairs as tokens, and the test sources."""
    import polars

    from headstart.contenders import _lessons
    from headstart.contenders.seq2seq import Seq2Seq
    from headstart.core.records import Rows, Run
    from headstart.tasks.translation import Translation

    def part(name: str, most: int) -> Rows:
        frame = polars.read_parquet(parquet(f"multi30k_{name}")).head(most)
        ids = tuple(map(str, range(len(frame))))
        return Rows(ids, tuple(frame["en"].to_list()), tuple((text,) for text in frame["de"].to_list()))

    train, test = part("train", rows), part("test", tests)
    task = Translation()
    with tempfile.TemporaryDirectory() as folder:
        run = Run(0, Path(folder), metric="BLEU", minutes=MINUTES)
        fitted = Seq2Seq().fit(train, part("val", 50), task, run)
    pairs = _lessons.pairs(task, train, fitted.checkpoint)
    return fitted, pairs, task.encode(test.inputs, fitted.checkpoint.tokenizer)


def reference(fitted: Any) -> Any:
    """Open the model in Hugging Face's library."""
    from headstart.checkpoints import generating

    with tempfile.TemporaryDirectory() as folder:
        generating.save(Path(folder), fitted.checkpoint)
        return transformers().AutoModelForSeq2SeqLM.from_pretrained(
            folder, dropout=0.0, attention_dropout=0.0, activation_dropout=0.0
        )


def training_steps(fitted: Any, pairs: Any) -> dict[str, Any]:
    """Time a step of each kind, in turns; microseconds per token, and the difference of the first losses."""
    import torch

    from headstart.nn.dropout import Dropout

    model = fitted.checkpoint.model
    for part in model.modules():
        if isinstance(part, Dropout):
            part.p = 0.0
    rng = np.random.default_rng(0)
    order = rng.permutation(len(pairs.lengths))
    batches = [order[start : start + BATCH] for start in range(0, len(order) - BATCH + 1, BATCH)]
    by_length = np.argsort(pairs.lengths, kind="stable")
    similar = [by_length[start : start + BATCH] for start in range(0, len(order) - BATCH + 1, BATCH)]
    rng.shuffle(similar)
    step, padded = packed_step(model, pairs), padded_step(reference(fitted), pairs)
    run: dict[str, tuple[Callable[[np.ndarray], float], list[np.ndarray]]] = {
        OURS: (step, batches),
        RANDOM: (padded, batches),
        GROUPED: (padded, similar),
    }
    first = [step(batches[0]), padded(batches[0])]
    taken: dict[str, list[float]] = {name: [] for name in run}
    for turn in range(-WARM, ROUNDS):
        for name, (function, rows) in run.items():
            chosen = rows[turn % len(rows)]
            began = time.perf_counter()
            function(chosen)
            if turn >= 0:
                taken[name].append(1e6 * (time.perf_counter() - began) / int(pairs.lengths[chosen].sum()))
    return {
        "us": {name: round(statistics.median(values), 1) for name, values in taken.items()},
        "threads": torch.get_num_threads(),
        "pairs": BATCH,
        "difference_of_losses": abs(first[0] - first[1]),
    }


def packed_step(model: Any, pairs: Any) -> Callable[[np.ndarray], float]:
    """Build our step; it returns the loss."""
    from headstart.nn.groups import Group
    from headstart.training import gradients
    from headstart.training.optimizer import adamw, clipped_step

    groups = [Group(dict(model.named_parameters()), 1e-5)]
    weights = list(groups[0].weights.values())
    optimizer = adamw(groups, 0.01)

    def loss(rows: np.ndarray) -> Any:
        batch, labels = pairs.pack(rows)
        return [(model.cross_entropy(batch, labels), len(labels))]

    halves = gradients.backward(pairs.lengths, "cpu")
    backward = halves.__enter__()

    def step(rows: np.ndarray, opened: Any = halves) -> float:  # closed when the step is garbage-collected
        model.train()
        value = backward(loss, rows, weights, 1, 0)
        clipped_step(optimizer, weights, 1.0)
        return float(value)

    return step


def padded_step(model: Any, pairs: Any) -> Callable[[np.ndarray], float]:
    """Build Hugging Face's step, padded to the longest text of each side; it returns the loss."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)

    def padded(values: np.ndarray, ends: np.ndarray, rows: np.ndarray, filler: int) -> Any:
        texts = [torch.from_numpy(values[ends[row] : ends[row + 1]].astype(np.int64)) for row in rows]
        return torch.nn.utils.rnn.pad_sequence(texts, batch_first=True, padding_value=filler)

    def step(rows: np.ndarray) -> float:
        model.train()
        source = padded(pairs.source.tokens, pairs.source.boundaries, rows, 0)
        lengths = torch.from_numpy(pairs.source.lengths[rows])
        loss = model(
            input_ids=source,
            attention_mask=(torch.arange(source.shape[1])[None] < lengths[:, None]).long(),
            decoder_input_ids=padded(pairs.inputs.tokens, pairs.inputs.boundaries, rows, 0),
            labels=padded(pairs.labels, pairs.inputs.boundaries, rows, -100),
        ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    return step


def decoded(fitted: Any, sources: Any, tests: int) -> dict[str, Any]:
    """Time decoding, in turns; seconds, and how many texts are equal token for token."""
    from headstart.contenders import _generative

    model = reference(fitted).eval()
    checkpoint = fitted.checkpoint
    checkpoint.model.eval()
    most = checkpoint.search.most
    translate = translator(model, checkpoint) if find_spec("ctranslate2") else None
    seconds: dict[str, dict[str, float]] = {}
    equal: dict[str, int] = {}
    for name, beams in (("greedy", 1), ("4 beams", 4)):
        search = replace(checkpoint.search, beams=beams)
        taken: dict[str, list[float]] = {OURS: [], RANDOM: [], GROUPED: [], **({CTRANSLATE2: []} if translate else {})}
        for turn in range(-WARM, 3):
            began = time.perf_counter()
            ours = _generative.write(checkpoint, sources, search, "cpu").values
            ended = time.perf_counter()
            if turn >= 0:
                taken[OURS].append(ended - began)
            if translate is not None:
                began = time.perf_counter()
                others = translate(sources, beams, most)
                if turn >= 0:
                    taken[CTRANSLATE2].append(time.perf_counter() - began)
            for kind, order in (
                (RANDOM, np.arange(tests)),
                (GROUPED, np.argsort(sources.lengths, kind="stable")),
            ):
                if turn < 0 or (turn and beams > 1):  # minutes each
                    continue
                began = time.perf_counter()
                theirs = generated(model, sources, order, beams, most, checkpoint)
                taken[kind].append(time.perf_counter() - began)
        seconds[name] = {kind: round(statistics.median(values), 2) for kind, values in taken.items()}
        equal[name] = sum(one == other for one, other in zip(ours, theirs, strict=True))
        if translate is not None:
            equal[f"{name}, {CTRANSLATE2}"] = sum(one == other for one, other in zip(ours, others, strict=True))
    return {"seconds": seconds, "equal_texts": equal, "sentences": tests}


def generated(model: Any, sources: Any, order: np.ndarray, beams: int, most: int, checkpoint: Any) -> list[str]:
    """Write texts with Hugging Face's library, in batches."""
    import torch

    texts = [""] * len(order)
    special = set(checkpoint.tokenizer.special)
    for start in range(0, len(order), DECODED):
        rows = order[start : start + DECODED]
        parts = [
            torch.from_numpy(sources.tokens[sources.boundaries[row] : sources.boundaries[row + 1]].astype(np.int64))
            for row in rows
        ]
        inputs = torch.nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=0)
        lengths = torch.from_numpy(sources.lengths[rows])
        with torch.inference_mode():
            out = model.generate(
                inputs,
                attention_mask=(torch.arange(inputs.shape[1])[None] < lengths[:, None]).long(),
                num_beams=beams,
                max_new_tokens=most,
                do_sample=False,
            )
        for row, ids in zip(rows.tolist(), out[:, 1:].tolist(), strict=True):
            ended = ids[: ids.index(checkpoint.search.end[0])] if checkpoint.search.end[0] in ids else ids
            texts[row] = checkpoint.tokenizer.backend.decode([token for token in ended if token not in special]).strip()
    return texts


def translator(model: Any, checkpoint: Any) -> Callable[[Any, int, int], list[str]]:
    """Convert the model for CTranslate2; its tokens are named by their numbers, so that no tokenizer takes part.

    Its search ends when as many hypotheses as beams have ended; ours and the reference's only when no other can score
    higher, so that texts of several beams may differ.
    """
    import ctranslate2
    import torch
    from ctranslate2.converters.transformers import MBartLoader

    model.config.update({"normalize_before": True, "normalize_embedding": True})  # as mBART always has
    spec = MBartLoader().get_model_spec(model)
    names = [str(number) for number in range(model.config.vocab_size)]
    spec.register_source_vocabulary(names)
    spec.register_target_vocabulary(names)
    start, end = str(checkpoint.search.start), str(checkpoint.search.end[0])
    for role, token in (("bos", start), ("decoder_start", start), ("eos", end), ("unk", names[1])):
        setattr(spec.config, f"{role}_token", token)
    spec.validate()
    spec.optimize(quantization=None)
    special = set(checkpoint.tokenizer.special)
    with tempfile.TemporaryDirectory() as folder:
        spec.save(folder)
        opened = ctranslate2.Translator(
            folder, device="cpu", compute_type="float32", inter_threads=1, intra_threads=torch.get_num_threads()
        )

    def translate(sources: Any, beams: int, most: int) -> list[str]:
        texts = [[names[token] for token in sources.tokens[first:last]] for first, last in pairwise(sources.boundaries)]
        answers = opened.translate_batch(
            texts, beam_size=beams, max_decoding_length=most, max_batch_size=TOKENS, batch_type="tokens"
        )
        ids = [[int(token) for token in answer.hypotheses[0]] for answer in answers]
        decode = checkpoint.tokenizer.backend.decode
        return [decode([token for token in each if token not in special]).strip() for each in ids]

    return translate
