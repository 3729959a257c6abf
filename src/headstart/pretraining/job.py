"""Pretrain an encoder on plain text: vocabulary, tokens on disk, a plan that fits the time, training, evaluation.

WORK/vocabulary-KEY/    a tokenizer learnt from a sample of the documents
WORK/shards-KEY/        all documents as token ids, see `text.shards`
WORK/words-KEY/         word vectors for initialisation, see `text.counts`

Each is written atomically, and KEY is a hash of everything it depends on, so that a second run reuses it; see
`saved.shared`.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from headstart.activations.forward import weights_key
from headstart.checkpoints import folder as checkpoints
from headstart.checkpoints.folder import Checkpoint
from headstart.core import device as devices
from headstart.core import sealed, seed
from headstart.core.errors import UsageError, did_you_mean, shown
from headstart.core.files import make_folder, write_text, writing
from headstart.core.hashing import parts_sha256
from headstart.core.records import Progress, Run
from headstart.data.corpus import Corpus
from headstart.nn import chance
from headstart.nn.encoder import Encoder
from headstart.nn.groups import by_stage
from headstart.nn.pretraining import Pretraining, PretrainingHead, begin_with, operations
from headstart.pretraining import scoring
from headstart.pretraining.objective import Objective, vocabulary_of
from headstart.saved import model_folder
from headstart.saved.shared import made
from headstart.text import counts, shards, vocabulary
from headstart.text.tokenizer import Tokenizer
from headstart.text.tokenizer import load as load_tokenizer
from headstart.training import gradients, resume
from headstart.training.loop import Settings, train

# Layers and width; one head per 64 of width, and feed-forward layers four times as wide (Turc et al. 2019).
SIZES: dict[str, tuple[int, int]] = {"tiny": (2, 128), "mini": (4, 256), "small": (4, 512), "base": (12, 768)}
# Their peak learning rates: lower for larger models, and lower for a model that is already trained.
RATES = {"tiny": 1e-3, "mini": 1e-3, "small": 5e-4, "base": 1e-4}
GOING_ON = 1e-4
RECORD = "pretraining.json"
# The share of held-out documents, for evaluation; of their windows only as many as a stable figure needs.
HELD_OUT, MOST_WINDOWS = 0.02, 512
# Evaluations on held-out documents during a training; a pretraining is never stopped early.
EVALUATIONS = 12
# Steps timed before a training, of which the first is the warm-up.
TIMED = 4
# The share of the given minutes that the plan uses, so that the last steps are not cut off.
PLANNED = 0.9


@dataclass(frozen=True)
class Recipe:
    """What is pretrained, and how.

    size: see `SIZES`.
    vocabulary: maximum number of tokens.
    byte_level: use byte-level BPE instead of WordPiece, see `text.vocabulary`.
    window: maximum number of tokens of a text.
    backbone: a model to continue from, with its own size and vocabulary; '' for none.
    epochs: passes over the text.
    minutes: time limit; the number of passes is reduced to fit, and the learning-rate schedule is still completed. 0
        for no limit.
    masked: share of tokens that are predicted.
    whole_words: see `pretraining.objective`.
    next_sentence: see `pretraining.objective`; None for yes if documents have two sentences or more.
    counted: initialise a new model from counts, see `text.counts`; for a small one with little time.
    batch_tokens: tokens per step.
    learning_rate: peak rate of AdamW; 0 for the size's default.
    dropout: rate, 0 to 1.
    """

    size: str = "mini"
    vocabulary: int = 10_000
    byte_level: bool = False
    window: int = 128
    backbone: str = ""
    epochs: int = 10
    minutes: float = 0.0
    masked: float = 0.15
    whole_words: bool = False
    next_sentence: bool | None = None
    counted: bool = False
    batch_tokens: int = 4096
    learning_rate: float = 0.0
    dropout: float = 0.1


@dataclass(frozen=True)
class Plan:
    """The expected cost of a pretraining, reported before it starts.

    tokens: of the training text, with the special ones of each window.
    epochs: passes over it.
    steps: optimiser steps.
    seconds: estimated time of all steps.
    rate: the machine's matrix products in GFLOP/s.
    used: share of this rate that a step uses, 0 to 1.
    alternatives: size -> seconds for as many tokens at the same share; empty if a model is continued.
    """

    tokens: int
    epochs: float
    steps: int
    seconds: float
    rate: float
    used: float
    alternatives: dict[str, float]


def pretrain(
    corpus: Corpus, recipe: Recipe, run: Run, out: Path, work: Path, planned: Callable[[Plan], None] = lambda _: None
) -> dict[str, Any]:
    """Pretrain a model and save it in a folder that opens in transformers as ``BertForPreTraining``.

    Killed at any moment, it resumes from its last checkpoint in ``run.folder``; when finished, it is not trained again.

    Args:
        corpus: the documents.
        recipe: what is pretrained, and how.
        run: the context of the training.
        out: the model's folder; one of an earlier pretraining is replaced.
        work: folder for vocabulary and tokens.
        planned: called with the expected cost before the training starts.

    Returns:
        the record that is also in the folder: costs, and scores on held-out documents.

    Raises:
        UsageError: no such size, incompatible numbers, or an `out` that is something else.
        DataError: fewer than two documents.
        CheckpointError: the model to continue from is not of the BERT family.
    """
    if recipe.size not in SIZES:
        raise UsageError(f"no size {shown(recipe.size)}; {did_you_mean(recipe.size, SIZES)}")
    if out.exists() and not (out / RECORD).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"'{out}' exists and is not a pretrained model, so it is not replaced; name another folder.")
    began = time.perf_counter()
    checkpoint = _start(corpus, recipe, run, work)
    model, tokenizer = checkpoint.model.to(run.device), checkpoint.tokenizer
    assert isinstance(model, Pretraining)
    run.progress(Progress("tokenising", 0.0))
    shard = _shard(corpus, tokenizer, work)
    several = len(shard.sentences) >= 2 * len(shard)
    objective = Objective(
        recipe.masked, recipe.whole_words, several if recipe.next_sentence is None else recipe.next_sentence
    )
    words = vocabulary_of(tokenizer)
    window = min(recipe.window, tokenizer.window)
    room = objective.room(window, words)
    if room < 2:
        raise UsageError(f"a window of {window} tokens has no room for text; ask for at least 8.")
    order = seed.generator(run.seed, "held-out").permutation(len(shard))
    apart = max(1, int(HELD_OUT * len(shard)))
    learnt = np.sort(order[apart:])
    windows = shards.windows(shard, room, learnt)
    judged = shards.windows(shard, room, np.sort(order[:apart]))
    lengths = windows.ends - windows.starts + window - room
    mean = float(lengths.mean())
    batch_rows = max(1, round(recipe.batch_tokens / mean))

    def loss(rows: np.ndarray) -> gradients.LossValue:
        # From the generator that the loop seeds for each step: a resumed training sees the same masks.
        questions = np.random.default_rng(int(torch.randint(2**62, (), generator=chance.generator())))
        return scoring.loss_of(model, objective.ask(shard, windows, rows, words, questions), run.device)

    judging = seed.generator(run.seed, "judging")
    chosen = np.sort(judging.permutation(len(judged))[:MOST_WINDOWS])
    parts = np.array_split(chosen, -(-len(chosen) // batch_rows))
    questions = [objective.ask(shard, judged, rows, words, judging) for rows in parts]
    if recipe.counted:
        begin_with(model.encoder, _words(corpus, tokenizer, shard, learnt, model.encoder.width, run, work))
    settings = Settings(epochs=recipe.epochs, batch_rows=batch_rows, patience=EVALUATIONS, evaluations=EVALUATIONS)
    start = weights_key([model], run.device)
    key = _key(corpus.sha256, asdict(recipe), checkpoint.arguments, start, run.seed)
    run = replace(run, folder=run.folder / f"training-{key}", minutes=recipe.minutes or run.minutes)
    rate = recipe.learning_rate or (GOING_ON if recipe.backbone else RATES[recipe.size])
    groups = by_stage(model, len(model.encoder.stages), rate)
    plan = _plan(
        run,
        recipe,
        checkpoint.arguments,
        settings,
        len(windows),
        mean,
        lambda rows: _time(model, loss, rows, lengths, run.device),
    )
    planned(plan)
    preparation = time.perf_counter() - began
    history = train(
        rows=len(windows),
        groups=groups,
        loss=loss,
        evaluate=lambda: (-(value := scoring.judge(model, questions, run.device).word_mean), value),
        lengths=lengths,
        mode=model,
        settings=replace(settings, most_steps=plan.steps),
        run=run,
        fingerprint=key,
    )
    scores = scoring.judge(model, questions, run.device)
    speed = plan.tokens * plan.epochs * history.steps / plan.steps / history.seconds
    record = {
        "corpus": {"sha256": corpus.sha256, "documents": len(shard), "tokens": len(shard.tokens)},
        "recipe": {**asdict(recipe), "next_sentence": objective.next_sentence},
        "arguments": checkpoint.arguments,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "seed": run.seed,
        "planned": asdict(plan),
        "steps": history.steps,
        "preparation_seconds": preparation,
        "seconds": history.seconds,
        "tokens_per_second": speed,
        "share_of_matrix_rate": 1e-9 * operations(checkpoint.arguments, mean, recipe.masked) * speed / plan.rate,
        "held_out": {
            "documents": apart,
            "words": scores.words,
            "accuracy": scores.words_right / max(1, scores.words),
            "perplexity": float(np.exp(scores.word_mean)),
            "next_sentence_accuracy": scores.pairs_right / scores.pairs if scores.pairs else None,
        },
        "evaluations": list(history.evaluations),
        "machine": devices.describe(run.device),
    }
    with model_folder.saving(out) as fresh:
        checkpoints.save(fresh, model.to("cpu"), tokenizer, "bert", checkpoint.arguments, None)
        write_text(fresh / RECORD, json.dumps(record, indent=1) + "\n")
    return record


def _start(corpus: Corpus, recipe: Recipe, run: Run, work: Path) -> Checkpoint:
    """Build the model to train: a new one with its vocabulary, or one to continue from with new heads."""
    if recipe.backbone:
        torch.manual_seed(seed.derive(run.seed, "weights"))
        return checkpoints.load(recipe.backbone, dropout=recipe.dropout, pretraining=True)

    def learn(fresh: Path) -> None:
        run.progress(Progress("learning a vocabulary", 0.0))
        train = vocabulary.train_bytes if recipe.byte_level else vocabulary.train
        train(vocabulary.sample(corpus.walk()), recipe.vocabulary, window=recipe.window).save(fresh)

    name = f"vocabulary-{_key(corpus.sha256, recipe.vocabulary, recipe.byte_level, recipe.window)}"
    tokenizer = load_tokenizer(made(work / name, learn), recipe.window)
    arguments = shape(recipe.size, tokenizer.size) | {"window": recipe.window, "dropout": recipe.dropout}
    torch.manual_seed(seed.derive(run.seed, "weights"))
    model = Pretraining(Encoder(**arguments), PretrainingHead(arguments["width"], tokenizer.size))
    return Checkpoint(model, tokenizer, "bert", arguments, None)


def shape(size: str, words: int) -> dict[str, Any]:
    """Return the arguments of an encoder of a named size for a vocabulary of so many tokens.

    >>> shape("base", 30_000)["heads"]
    12
    """
    layers, width = SIZES[size]
    return {"vocabulary": words, "width": width, "layers": layers, "heads": width // 64, "feed_forward": 4 * width}


def _shard(corpus: Corpus, tokenizer: Tokenizer, work: Path) -> shards.Shard:
    """Open the documents as tokens; tokenise them if that has not been done."""
    place = work / f"shards-{_key(corpus.sha256, tokenizer.backend.to_str())}"
    return shards.read(made(place, lambda fresh: shards.write(fresh, corpus.walk(), tokenizer)))


def _words(
    corpus: Corpus, tokenizer: Tokenizer, shard: shards.Shard, learnt: np.ndarray, width: int, run: Run, work: Path
) -> Tensor:
    """Return the word vectors of these documents, computed if necessary; a resumed training finds its own."""

    def count(fresh: Path) -> None:
        run.progress(Progress("counting words", 0.0))
        vectors = counts.word_vectors(shard, learnt, tokenizer.size, width)
        with writing(fresh / "vectors.npy", vectors.nbytes):
            np.save(fresh / "vectors.npy", vectors)

    place = work / f"words-{_key(corpus.sha256, tokenizer.backend.to_str(), width, run.seed)}"
    return torch.from_numpy(np.load(made(place, count) / "vectors.npy"))


def _plan(
    run: Run,
    recipe: Recipe,
    arguments: dict[str, Any],
    settings: Settings,
    windows: int,
    mean: float,
    seconds: Callable[[np.ndarray], float],
) -> Plan:
    """Time a step and compute how many fit the minutes; a training that resumes uses its original plan.

    A checkpoint whose plan is missing or damaged is deleted: with another number of steps it could not be resumed.

    Args:
        run: the context of the training.
        recipe: what is pretrained.
        arguments: of the encoder.
        settings: of the training.
        windows: for training.
        mean: mean tokens of a window.
        seconds: times a step on some of them.
    """
    path = run.folder / "plan.json"
    known = sealed.take_note(path)
    if known is not None:
        return Plan(**known)
    if (run.folder / resume.FILE).exists():
        sealed.discard(run.folder / resume.FILE)
    run.progress(Progress("timing a few steps", 0.0))
    rows = min(settings.batch_rows, windows)
    each = seconds(np.arange(rows) * (windows // rows))
    rate = devices.matrix_rate(run.device)
    steps = settings.steps(windows)
    if run.minutes:
        steps = max(1, min(steps, int(PLANNED * 60 * run.minutes / each)))
    epochs = steps / -(-windows // settings.batch_rows)

    def flops(shape: dict[str, Any]) -> float:
        return operations(shape, mean, recipe.masked) * mean * rows

    used = 1e-9 * flops(arguments) / each / rate
    others = {} if recipe.backbone else {size: shape(size, arguments["vocabulary"]) for size in SIZES}
    plan = Plan(
        tokens=round(mean * windows),
        epochs=epochs,
        steps=steps,
        seconds=steps * each,
        rate=rate,
        used=used,
        alternatives={size: 1e-9 * flops(other) * steps / rate / used for size, other in others.items()},
    )
    make_folder(run.folder)
    sealed.write_note(path, asdict(plan))
    return plan


def _time(model: Pretraining, loss: gradients.Loss, rows: np.ndarray, lengths: np.ndarray, device: str) -> float:
    """Time a step on these windows, in seconds, without training."""
    model.train()
    times = []
    with gradients.backward(lengths, device) as backward:
        for _ in range(TIMED):
            began = time.perf_counter()
            backward(loss, rows, model.parameters(), 1, 0)
            if device == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
            model.zero_grad()
    return statistics.median(times[1:])


def _key(*parts: object) -> str:
    return parts_sha256(*parts)[:16]
