"""Read and write a model folder in Hugging Face's layout: config.json, model.safetensors and the tokenizer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from headstart.checkpoints import _modules, _rows, _weights
from headstart.checkpoints._family import SEQUENCE, TOKENS, Family
from headstart.checkpoints._weights import Weights
from headstart.checkpoints.header import Built, Header, find_family, open_header, unfilled
from headstart.core.contracts import HeadPlan, Problem, Suffix
from headstart.core.errors import CheckpointError, shown
from headstart.core.files import write_text
from headstart.core.opening import guarded, naming, read_object
from headstart.nn.encoder import Encoder, Stack
from headstart.nn.heads import ClassificationHead, Head, Model
from headstart.nn.pretraining import Pretraining, PretrainingHead
from headstart.text.tokenizer import Tokenizer

SUFFIXES: tuple[Suffix, ...] = get_args(Suffix)
PROBLEMS: tuple[Problem, ...] = get_args(Problem)
# The pooling that a model was trained with.
CHECKPOINT = "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """A model folder in memory.

    model: with its head (a classifier, or those of pretraining if requested), or only the encoder if the folder
        contains no classifier and nothing was requested.
    family: such as 'bert'.
    arguments: those the encoder was built with.
    tokenizer: the tokenizer.
    head: what the head computes; None if the model has none, or those of pretraining.
    fresh: our names of weights that were not in the file and are random.
    ignored: the file's names of weights that are not used.
    source: where the model was found, as for `hub.find`; empty for one that was made here or that an adapter was merged
        into.
    base: the model whose word embeddings were this one's initial ones: `source`, or its backbone if it was saved by the
        changed rows (see :func:`save`).
    """

    model: Model | Pretraining | Stack
    tokenizer: Tokenizer
    family: str
    arguments: dict[str, Any]
    head: HeadPlan | None
    fresh: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    source: str = ""
    base: str = ""


def load(
    source: str | Path,
    *,
    head: HeadPlan | None = None,
    dropout: float | None = None,
    pretraining: bool = False,
    pooling: str = "first",
) -> Checkpoint:
    """Read a model; missing weights of its head are random, from torch's generator.

    Args:
        source: a folder, the name of a packaged model, or ``hf://owner/name[@revision]``. A folder may contain a LoRA
            adapter of PEFT; its base model is then found by name and the adapter merged into it.
        head: what a head with a new output layer computes; None for the head in the folder, if any.
        dropout: rate everywhere, 0 to 1; None for the folder's settings.
        pretraining: give the model the heads of pretraining, whatever the folder contains besides its encoder.
        pooling: what such a head reads, if it scores whole texts: 'first' or 'mean', see `nn.heads`; or 'checkpoint'
            for what the model was trained with, as far as its ``modules.json`` or its family's settings say, otherwise
            the first token.

    Raises:
        UsageError: no such model or pooling.
        CheckpointError: the folder is incomplete, damaged, or of a kind that is not supported.
    """
    header = open_header(source)
    with guarded(source), naming(source):
        return _load(header, head, dropout, pretraining, pooling)


def _load(header: Header, new: HeadPlan | None, dropout: float | None, pretraining: bool, pooling: str) -> Checkpoint:
    family, arguments = header.family, dict(header.arguments)
    head_dropout = family.head_dropout(header.config)
    if dropout is not None:
        arguments["dropout"] = head_dropout = dropout
    plan = new
    with header.open_weights(new.suffix if new else _suffix(header.config) or SEQUENCE) as weights:
        linear = not (new or pretraining) and _modules.has_classifier(header.folder, header.config)
        if linear:
            plan = _named(header.config, SEQUENCE, _modules.count_classes(header.folder))
            pooling = CHECKPOINT
            if not header.pooling:
                raise CheckpointError(
                    f"{header.folder} has a classifier in {_modules.LAYER}, but 1_Pooling/config.json does not say "
                    "whether it reads the first token or the mean; fetch the model again."
                )
        elif not (new or pretraining):
            plan = _plan(header.config, weights)
            pooling = family.pooling(header.config)
        if pooling == CHECKPOINT:
            pooling = header.pooling or family.pooling(header.config)
        encoder = unfilled(lambda: family.encoder(arguments))
        model: Model | Pretraining | Stack = encoder
        fresh: set[str] = set()
        if plan:

            def build_head() -> Head:
                head = family.head(arguments, plan, head_dropout, pooling)
                if linear:
                    head.make_linear()
                return head

            output = ("head.output.weight", "head.output.bias", "head.moves.weight") if new or linear else ()
            head, fresh = _fitting(build_head, weights, output)
            if linear:
                _modules.fill(header.folder, head)
            elif fresh and not new:
                raise CheckpointError(
                    f"{weights.path} has a classifier without '{min(fresh)}'; fetch the model again, or fine-tune it."
                )
            model = Model(encoder, head)
        elif pretraining:
            _check_pretrains(family, str(header.folder))
            sizes = [arguments[name] for name in ("width", "vocabulary", "activation", "epsilon")]
            heads, fresh = _fitting(lambda: PretrainingHead(*sizes), weights)
            assert isinstance(encoder, Encoder)  # as for every family with known pretraining heads
            model = Pretraining(encoder, heads)
        weights.fill(model, fresh)
        if linear:
            fresh = set()
    source = "" if header.adapter else header.source
    return Checkpoint(
        model,
        header.tokenizer,
        family.model_type,
        arguments,
        plan,
        tuple(sorted(fresh)),
        tuple(weights.unused()),
        source,
        _rows.base_of(header.folder) or source,
    )


def save(
    folder: Path,
    model: Model | Pretraining | Stack,
    tokenizer: Tokenizer,
    family: str,
    arguments: Mapping[str, Any],
    head: HeadPlan | None,
    base: str = "",
) -> None:
    """Write a model so that :func:`load` and Hugging Face's auto classes open it with the same outputs.

    A classifier without a dense layer is written in the layout of sentence-transformers (see `_modules`). One of pairs
    of entities is written under the name of the output layer of Hugging Face's class for whole texts, which refuses it
    since it has another shape; their class for encoders opens the folder. A sinusoidal table is written as numbers;
    families other than DistilBERT read it back as learned positions.

    Args:
        folder: an existing folder; the caller renames it into place when everything is written.
        model: the model.
        tokenizer: its tokenizer.
        family: its family.
        arguments: those the encoder was built with.
        head: what the model's head computes; None for an encoder only.
        base: a model with the initial word embeddings: if few rows differ, only those are written, so that the folder
            opens only in Headstart (see `_rows`); '' to write all.

    Raises:
        CheckpointError: the family cannot express the model.
    """
    kind = find_family(family, "the model")
    encoder = model if isinstance(model, Stack) else model.encoder
    words = encoder.embeddings.word.weight.detach().cpu()
    leave_out = {_weights.WORDS} if base and _rows.save_changed(folder, words, kind, base) else set()
    head_dropout = model.head.dropout.p if isinstance(model, Model) else float(arguments["dropout"])
    config = kind.config(arguments, head, head_dropout, tokenizer.padding)
    if isinstance(model, Pretraining):
        _check_pretrains(kind, "the model")
        config["architectures"] = [f"{kind.architecture}ForPreTraining"]
    if isinstance(model, Model) and isinstance(model.head, ClassificationHead) and model.head.needs_modules:
        config["architectures"] = [f"{kind.architecture}Model"]
        _modules.write(folder, model.head, tokenizer.window)
        _weights.write(folder / "model.safetensors", model.encoder, kind, leave_out)
    else:
        if isinstance(model, Model) and isinstance(model.head, ClassificationHead) and model.head.in_transformers:
            config |= kind.pooling_key(model.head.pooling)
        _weights.write(folder / "model.safetensors", model, kind, leave_out)
    write_text(folder / "config.json", json.dumps(config, indent=2))
    tokenizer.save(folder)


def complete(folder: Path) -> None:
    """Write all word embeddings into a folder to which :func:`save` wrote only the changed rows."""
    _rows.complete(folder, find_family(str(read_object(folder / "config.json")["model_type"]), str(folder)))


def _fitting(build: Callable[[], Built], weights: Weights, output: Sequence[str] = ()) -> tuple[Built, set[str]]:
    """Build a head, whose shapes are compared with the file's before memory is allocated.

    Args:
        build: builds the head.
        weights: the file's weights.
        output: our names of weights that are random even if the file contains them.

    Returns:
        the head, without values if the file has all of them; and our names of random weights.
    """
    head = unfilled(build)
    shapes = {f"head.{name}": weight.shape for name, weight in head.named_parameters()}
    fresh = {name for name in shapes if name in output or not weights.has(name)}
    weights.check({name: shape for name, shape in shapes.items() if name not in fresh})
    return (build() if fresh else head), fresh


def _check_pretrains(family: Family, where: str) -> None:
    if "head.words" not in family.modules:
        raise CheckpointError(
            f"{where} is of type '{family.model_type}', whose heads of pretraining are not known; "
            "continue from a model of type 'bert'."
        )


def _suffix(config: Mapping[str, Any]) -> Suffix | None:
    """Read which head a folder's config.json names; None if it names none that is known."""
    classes = config.get("architectures") or []
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise CheckpointError(f"config.json: 'architectures' is {shown(classes)}, but must list names of classes.")
    return next((suffix for suffix in SUFFIXES if any(name.endswith(suffix) for name in classes)), None)


def _plan(config: Mapping[str, Any], weights: Weights) -> HeadPlan | None:
    """Read what the head in a folder computes; None if it contains no head that is known."""
    suffix = _suffix(config)
    if suffix is None and config.get("architectures"):
        return None
    missing = [name for name in ("head.output.weight", "head.output.bias") if not weights.has(name)]
    if missing and (suffix is not None or len(missing) == 1):
        raise CheckpointError(
            f"{weights.path} has no classifier ('{missing[0]}'), though config.json says "
            f"{shown(', '.join(config.get('architectures') or []))}; fetch the model again, or fine-tune it."
        )
    if missing:
        return None
    plan = _named(config, suffix or SEQUENCE, weights.shape("head.output.bias")[0])
    return replace(plan, crf=plan.suffix == TOKENS and weights.has("head.moves.weight"))


def _named(config: Mapping[str, Any], suffix: Suffix, count: int) -> HeadPlan:
    """Read the names of so many outputs, in the order of the logits, and the problem of a classifier."""
    numbers = [str(number) for number in range(count)]
    named = config.get("id2label") or dict(zip(numbers, HeadPlan.numbered(count).labels, strict=True))
    if not isinstance(named, dict) or sorted(named) != sorted(numbers) or len(set(map(str, named.values()))) != count:
        raise CheckpointError(
            f"config.json: 'id2label' must name each of the classifier's {count} classes once, from \"0\" up."
        )
    problem = config.get("problem_type") or PROBLEMS[0]
    if problem not in PROBLEMS:
        raise CheckpointError(f"config.json: 'problem_type' is {shown(problem)}, but must be {', '.join(PROBLEMS)}.")
    return HeadPlan(tuple(str(named[number]) for number in numbers), suffix, problem)
