"""Sound model folders for the hostile suite: each kind made once a process, tiny, with what it answers."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from headstart.checkpoints import folder, peft
from headstart.contenders import _neural
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.linear import Linear
from headstart.contenders.majority import FittedMajority
from headstart.contest import int8
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.records import Rows, Run
from headstart.nn import bottleneck, lora
from headstart.nn.heads import Model
from headstart.nn.packed import pack
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.text import vocabulary

SAMPLE = Classification.SAMPLE
TEXTS = [text for text, _ in SAMPLE]
ROWS = Rows(tuple(map(str, range(len(SAMPLE)))), tuple(TEXTS), tuple(label for _, label in SAMPLE))
TASK = Classification().fitted(ROWS)
WINDOW, WIDTH = 16, 16
FAMILIES = ("albert", "bert", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet", "roberta", "xlm-roberta")
# Of what the contenders save; each has a manifest.
SAVED = ("majority", "linear", "scratch", "means", "bottlenecks", "lora", "changed rows", "int8", "ensemble")
# Of what others save, besides a classifier of each family.
LAYOUTS = ("bytes", "vocab.txt", "shards", "pickle", "adapter", "encoder", "sentence-transformers")


@cache
def _room() -> Path:
    place = Path(tempfile.mkdtemp(prefix="headstart-folders-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return place


def _checkpoint(name: str = "bert", *, byte_level: bool = False) -> folder.Checkpoint:
    """Build a classifier of a family, with random weights at the size of trained ones."""
    family = rooms.load("checkpoints.families", name)
    learn = vocabulary.train_bytes if byte_level else vocabulary.train
    tokenizer = learn(TEXTS, 300 if byte_level else 120, window=WINDOW)
    arguments: dict[str, Any] = {"vocabulary": tokenizer.size + 3, "width": WIDTH, "layers": 2, "heads": 2}
    arguments |= {"feed_forward": 24, "window": WINDOW, "dropout": 0.0, "epsilon": 1e-12}
    if family.neutral:
        arguments["types"] = 2 if "types" in family.keys else 0
        if "position_offset" not in family.neutral:
            arguments["position_offset"] = 2
        if "embedding_width" in family.keys:
            arguments["embedding_width"] = 8
    if name == "modernbert":
        arguments["reach"] = 4
    if name == "deberta-v2":
        arguments |= {"buckets": 8, "farthest": 64}
    arguments |= family.always
    torch.manual_seed(0)
    model = Model(family.encoder(arguments), family.head(arguments, TASK.head(), 0.0))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(std=0.3)
    return folder.Checkpoint(model.eval(), tokenizer, name, arguments, TASK.head())


def _write(place: Path, found: folder.Checkpoint, *, encoder: bool = False) -> None:
    place.mkdir()
    assert isinstance(found.model, Model)
    head = None if encoder else found.head
    model = found.model.encoder if encoder else found.model
    folder.save(place, model, found.tokenizer, found.family, found.arguments, head)


def _linear() -> Any:
    return Linear(features=200).fit(ROWS, ROWS, TASK, Run(0, _room()))


def _save(kind: str, place: Path) -> None:
    """Save what a contender leaves."""
    found = _checkpoint()
    fitted: Any = _neural.Neural("scratch", TASK, found, 100)
    model = fitted.model
    if kind == "majority":
        fitted = FittedMajority(TASK, (0.25, 0.75))
    elif kind == "linear":
        fitted = _linear()
    elif kind == "means":
        model.head.pooling = "mean"
        model.head.make_linear()
    elif kind == "bottlenecks":
        bottleneck.insert(model, "houlsby", 3)
    elif kind in ("lora", "changed rows"):
        source = sound("encoder")
        found = folder.load(source, head=HeadPlan.numbered(2))
        fitted = _neural.Neural("finetuned", TASK, found, 100)
        with torch.no_grad():
            fitted.model.encoder.embeddings.word.weight[5:9] += 1
        if kind == "lora":
            lora.insert(fitted.model, ("query", "value"), 2, 4.0, 0.0)
            fitted.updates = lora.Updates(2, 4.0, 0.0, lora.merge(fitted.model))
    elif kind == "ensemble":
        fitted = FittedEnsemble(TASK, ("a", "b", "c"), (FittedMajority(TASK, (0.25, 0.75)), _linear(), fitted), WEIGHTS)
    fitted.save(place, whole=kind != "changed rows")
    if kind == "int8":
        int8.judge(place, ROWS, "accuracy")


WEIGHTS = np.array([0.25, 0.25, 0.5])


def _lay_out(kind: str, place: Path) -> None:
    """Write a folder as others have it."""
    if kind == "adapter":
        base = sound("bert")
        found = folder.load(base)
        assert isinstance(found.model, Model)
        lora.insert(found.model, ("query", "value"), 2, 4.0, 0.0)
        with torch.no_grad():
            for name, weight in found.model.named_parameters():
                if ".updates." in name:
                    weight.normal_(std=0.3)
        updates = lora.Updates(2, 4.0, 0.0, lora.merge(found.model))
        peft.write(place, updates, found.model.head, rooms.load("checkpoints.families", "bert"), str(base))
        return
    found = _checkpoint(kind if kind in FAMILIES else "bert", byte_level=kind == "bytes")
    _write(place, found, encoder=kind in ("encoder", "sentence-transformers"))
    weights = place / "model.safetensors"
    if kind == "vocab.txt":
        tokens = found.tokenizer.backend.get_vocab()
        (place / "vocab.txt").write_text("\n".join(sorted(tokens, key=lambda token: tokens[token])) + "\n")
        (place / "tokenizer.json").unlink()
    elif kind == "shards":
        tensors = load_file(weights)
        names = sorted(tensors)
        shards = {"model-1-of-2.safetensors": names[::2], "model-2-of-2.safetensors": names[1::2]}
        for file, held in shards.items():
            save_file({name: tensors[name] for name in held}, place / file)
        table = {name: file for file, held in shards.items() for name in held}
        (place / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": table}))
        weights.unlink()
    elif kind == "pickle":
        torch.save(load_file(weights), place / "pytorch_model.bin")
        weights.unlink()
    elif kind == "sentence-transformers":
        parts = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
        modules = [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{name}"}
            for number, (path, name) in enumerate(parts.items())
        ]
        (place / "modules.json").write_text(json.dumps(modules))
        (place / "1_Pooling").mkdir()
        settings = {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True}
        (place / "1_Pooling" / "config.json").write_text(json.dumps(settings))


@cache
def sound(kind: str) -> Path:
    """Return a folder of a kind, unharmed. It is never written to again."""
    place = _room() / kind.replace(" ", "-")
    (_save if kind in SAVED else _lay_out)(kind, place)
    return place


@cache
def sound_answers(kind: str) -> np.ndarray:
    """Return what the unharmed folder of a kind answers."""
    return answers(kind, sound(kind))


def answers(kind: str, place: Path) -> np.ndarray:
    """Open a folder of a kind and answer the sample: probabilities, logits or states ``(texts, ...)``."""
    if kind == "int8":
        probabilities: np.ndarray = int8.open_model(place)[0].predict(TEXTS).probabilities
        return probabilities
    if kind in SAVED:
        found: np.ndarray = model_folder.open_model(place).predict(TEXTS).probabilities
        return found
    return _run(folder.load(place))


def _run(found: folder.Checkpoint) -> np.ndarray:
    encoded = found.tokenizer.encode(TEXTS)
    batch = pack(encoded.tokens, encoded.boundaries, np.arange(len(TEXTS)))
    model: Callable[..., torch.Tensor] = found.model.eval()
    with torch.no_grad():
        out = model(batch) if isinstance(found.model, Model) else model(batch, first_only=True)
    return out[batch.order.argsort()].numpy()
