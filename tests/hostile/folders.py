"""Model folders that are damaged or hostile: each gives the answers that it gave, or one sentence."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from tests.hostile import _folder_damages as damages
from tests.hostile import _model_folders as models
from tests.hostile._common import Case, Outcome
from tests.hostile._folder_damages import Damage

from headstart.checkpoints import _pickles, _unpickle, manifest
from headstart.contenders.majority import FittedMajority
from headstart.core.errors import HeadstartError

AREA = "folders"
SECONDS = 5.0  # of processor time; most cases take hundredths
TOLERANCE = {"bfloat16": 2e-1, "float16": 2e-2}
ODD: dict[str, Any] = {
    "NaN": float("nan"),
    "infinity": float("inf"),
    "text": "x",
    "null": None,
    "list": [],
    "true": True,
}
SIZES = {"0": 0, "negative": -5, "10^6": 10**6, "10^18": 10**18, "float": 2.5, **ODD}


def cases(seed: int = 0) -> Iterator[Case]:
    """List the cases; the same ones for any seed, since each is named by what is broken."""
    for kind, name, damage in (*_of_saved(), *_of_configs(), *_of_weights(), *_of_tokenizers(), *_of_others()):
        yield Case(AREA, f"{kind}: {name}", partial(judge, kind, name, damage))


def judge(kind: str, name: str, damage: Damage, scratch: Path) -> Outcome:
    """Damage a copy of a sound folder, open it and compare its answers with those of the sound one."""
    place = scratch / "model"
    with _watched(scratch) as seen:
        expected = models.sound_answers(kind)
        shutil.copytree(models.sound(kind), place)
        damage(place)
        began = time.process_time()
        try:
            answers = models.answers(kind, place)
        except HeadstartError as error:
            answers, sentence = None, str(error)
        except BaseException as error:  # a library in Rust may panic, which is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            return Outcome("WRONG", f"{type(error).__name__}: {error}")
        took = time.process_time() - began
    if seen:
        return Outcome("WRONG", f"{seen[0]}")
    if took > SECONDS:
        return Outcome("WRONG", f"took {took:.1f} seconds of processor time")
    if answers is None:
        if "harmless" in name:
            return Outcome("WRONG", f"refused: {sentence}")
        plain = "\n" not in sentence.strip() and len(sentence) < 1000 and str(scratch) in sentence
        return Outcome("clear error" if plain else "WRONG", sentence)
    if answers.shape != expected.shape or not np.isfinite(answers).all():
        return Outcome("WRONG", f"answers of shape {answers.shape}, or not finite, in silence")
    tolerance = next((most for part, most in TOLERANCE.items() if part in name), 1e-6)
    if not np.allclose(answers, expected, atol=tolerance, rtol=0):
        return Outcome("WRONG", f"other answers in silence, by up to {np.abs(answers - expected).max():.3g}")
    return Outcome("right")


@contextmanager
def _watched(scratch: Path) -> Iterator[list[str]]:
    """List connections that were tried and commands that ran; pickles are converted in this process."""
    seen: list[str] = []
    marker = scratch / "code-ran"

    def connect(_: socket.socket, address: object) -> None:
        seen.append(f"called the network: {address}")
        raise OSError("no network here")

    def convert(files: tuple[Path, ...], folder: Path) -> None:
        for number, file in enumerate(files):
            try:
                _unpickle.convert(file, folder / f"model-{number:05}.safetensors")
            except (Exception, SystemExit) as error:
                raise _pickles.CheckpointError(f"{file} cannot be read as plain tensors ({type(error)}).") from error

    environment = {damages.MARKER: str(marker), "HEADSTART_CACHE": str(scratch / "cache")}
    with (
        mock.patch.object(socket.socket, "connect", connect),
        mock.patch.object(_pickles, "_convert", convert),
        mock.patch.dict(os.environ, environment),
    ):
        yield seen
    if marker.exists():
        seen.append("ran code")


Found = Iterator[tuple[str, str, Damage]]


def _of_saved() -> Found:
    """Folders with a manifest: what was changed or added, and what a new manifest does not hide."""
    for kind in models.SAVED:
        there = {path.relative_to(models.sound(kind)).as_posix() for path in models.sound(kind).rglob("*")}
        for name in (name for name in damages.ADDED if name not in there):
            yield kind, f"added {name}", damages.replaced(name, b"{}")
        for name in damages.HARMLESS:
            yield kind, f"harmless {name}", damages.replaced(name, b"{")
        for name in sorted(name for name in there if Path(name).suffix):
            yield kind, f"a byte changed in {name}", partial(_flip, name)
            yield kind, f"{name} missing", damages.names(name)["missing"]
            if name.endswith(".json") and "/" not in name and name not in UNREAD:
                for title in ("a list", "deep", "cut"):
                    yield kind, f"{name} is {title}", _signed(damages.replaced(name, damages.CONTENTS[title]))
    for key, value in {"classes": ["good", "bad"], "input_columns": ["text=other"]}.items():
        yield "linear", f"manifest: another {key}", damages.valued(manifest.NAME, value, "task", "fields", key)
    for title, values in {"NaN": [float("nan"), 1], "texts": ["a", "b"], "three": [0.1, 0.2, 0.7], "none": []}.items():
        yield "majority", f"shares {title}", _signed(damages.valued("majority.json", values, "shares"))
    for title, change in {
        "fewer words": lambda stored: stored["words"].pop(),
        "a word twice": lambda stored: stored["words"].__setitem__(0, stored["words"][1]),
        "numbers": lambda stored: stored["words"].__setitem__(0, 3),
        "no characters": lambda stored: stored.pop("characters"),
    }.items():
        yield "linear", title, _signed(damages.changed("n_grams.json", change))
    for title, value in {"more names": ["a"] * 4, "no names": [], "a number": 3}.items():
        yield "ensemble", title, _signed(damages.valued("ensemble.json", value, "names"))
    yield "ensemble", "votes by a text", _signed(damages.valued("ensemble.json", "x", "vote"))
    yield "ensemble", "another member", _member
    yield (
        "ensemble",
        "another member, with a new manifest of its own",
        partial(_member, classes=("good", "bad"), sign=True),
    )
    yield "ensemble", "a member inside itself", _inside
    for kind, file in (("bottlenecks", "adapter.safetensors"), ("means", "2_Dense/model.safetensors")):
        for title in ("NaN", "whole numbers", "a row more", "three dimensions", "missing", "renamed", "nothing"):
            yield kind, f"{file}: {title}", _signed(_moved(damages.TENSORS[title], file))
    for title in ("NaN", "three dimensions", "whole numbers", "missing", "renamed", "nothing"):
        yield "linear", f"weights: {title}", _signed(_moved(damages.TENSORS[title], "linear.safetensors"))


# Nothing reads these when the model is opened: another program does.
UNREAD = {"sentence_bert_config.json"}


def _of_configs() -> Found:
    """Sizes that are none, for a family with every kind of size."""
    sizes = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    for kind in ("bert", "deberta-v2"):
        for key in (*sizes, "max_position_embeddings"):
            for title, value in SIZES.items():
                # The reader takes what has no effect for what it says elsewhere: the answers are compared.
                yield kind, f"{key} is {title}", damages.valued("config.json", value, key)
    for key in ("layer_norm_eps", "hidden_dropout_prob", "hidden_act", "pad_token_id", "model_type", "architectures"):
        for title, value in ODD.items():
            if not (key == "architectures" and title in ("null", "list")) and title != "null":
                yield "bert", f"{key} is {title}", damages.valued("config.json", value, key)
    for kind in models.FAMILIES:
        for title in ("a list", "deep", "empty"):
            yield kind, f"config.json is {title}", damages.replaced("config.json", damages.CONTENTS[title])
        yield kind, "pad_token_id beyond the vocabulary", damages.valued("config.json", 10**6, "pad_token_id")
    named: dict[str, Any] = {"one": {"0": "a"}, "three": {"0": "a", "1": "b", "2": "c"}, "a list": ["a", "b"]}
    named |= {"twice": {"0": "a", "1": "a"}, "others": {"1": "a", "2": "b"}, "a number": 2, "a text": "ab"}
    for title, value in named.items():
        yield "bert", f"id2label: {title}", damages.valued("config.json", value, "id2label")
        yield "means", f"id2label: {title}", _signed(damages.valued("config.json", value, "id2label"))


def _of_weights() -> Found:
    for kind in ("bert", "roberta", "modernbert", "albert"):
        for table in (damages.TENSORS, damages.FILES, damages.SAME, damages.CONVERTED):
            for name, damage in table.items():
                if (kind, name) != ("modernbert", "spelt twice") and (kind == "bert" or table is not damages.FILES):
                    yield kind, name, damage
    for part in ("weight", "bias"):
        for module in ("classifier", "bert.pooler.dense"):
            yield "bert", f"no {module}.{part}", damages.weights(partial(_without, (f"{module}.{part}",)))
    yield "bert", "no classifier", damages.weights(partial(_without, ("classifier.weight", "classifier.bias")))
    yield "bert", "query, key and value of other heights", damages.weights(_uneven)
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        for title, damage in damages.names(name).items():
            if (name, title) != ("tokenizer_config.json", "missing"):  # as an older folder
                yield "bert", f"{name} is {title}", damage
        yield "bert", f"{name} is linked, harmless", damages.linked_outside(name)
        yield "scratch", f"{name} is linked to a place outside", damages.linked_outside(name)
    for title, damage in damages.PICKLES.items():
        yield "pickle", title, damage


def _of_tokenizers() -> Found:
    tokenizer, settings = "tokenizer.json", "tokenizer_config.json"
    vocabulary = ("model", "vocab")
    values: dict[str, tuple[Any, tuple[str, ...]]] = {
        "an id twice": (7, (*vocabulary, "a")),
        "an id beyond the table": (10**6, (*vocabulary, "a")),
        "an id below 0": (-1, (*vocabulary, "a")),
        "an id of 2^40": (2**40, (*vocabulary, "a")),
        "an id that is a text": ("x", (*vocabulary, "a")),
        "no vocabulary": ({}, vocabulary),
        "a vocabulary that is a list": ([], vocabulary),
        "dropout": (0.9, ("model", "dropout")),
        "an unknown model": ("Evil", ("model", "type")),
        "no model": (None, ("model",)),
        "added tokens that are texts": (["x"], ("added_tokens",)),
    }
    for kind in ("bert", "bytes"):
        for title, (value, keys) in values.items():
            yield kind, f"tokenizer: {title}", damages.valued(tokenizer, value, *keys)
        for title, content in damages.CONTENTS.items():
            if title != "an object":
                yield kind, f"tokenizer.json is {title}", damages.replaced(tokenizer, content)
                yield kind, f"tokenizer_config.json is {title}", damages.replaced(settings, content)
    for key in ("normalizer", "pre_tokenizer", "post_processor"):
        for title, value in {"of an unknown kind": {"type": "Evil"}, "a number": 3}.items():
            yield "bytes", f"{key} {title}", damages.valued(tokenizer, value, key)
    template = {"type": "TemplateProcessing", "single": [], "pair": [], "special_tokens": {}}
    yield "bytes", "a template without the text", damages.valued(tokenizer, template, "post_processor")
    for value in (3, [], {"x": "y"}, True):
        for key in ("cls_token", "unk_token", "added_tokens_decoder", "tokenizer_class", "do_lower_case"):
            if not (key == "do_lower_case" and value is True) and not (key == "added_tokens_decoder" and value == []):
                yield "bert", f"{key} is {value}", damages.valued(settings, value, key)
    for title, content in {
        "empty": b"",
        "no UTF-8": b"\xff\n",
        "too long": b"a\n" + b"x" * 5000,
        "zeros": bytes(99),
    }.items():
        yield "vocab.txt", f"vocab.txt is {title}", damages.replaced("vocab.txt", content)
    yield "vocab.txt", "vocab.txt has more tokens than rows", _longer


def _of_others() -> Found:
    """Adapters, indexes of shards and lists of modules."""
    adapter = "adapter_config.json"
    for title, content in damages.CONTENTS.items():
        yield "adapter", f"settings: {title}", damages.replaced(adapter, content)
        yield "shards", f"index: {title}", damages.replaced("model.safetensors.index.json", content)
        if title not in ("a list",):
            yield "sentence-transformers", f"modules.json: {title}", damages.replaced("modules.json", content)
        yield "sentence-transformers", f"pooling: {title}", damages.replaced("1_Pooling/config.json", content)
    for key in ("r", "lora_alpha"):
        for title in ("NaN", "infinity", "text", "null", "list"):
            yield "adapter", f"{key} is {title}", damages.valued(adapter, ODD[title], key)
    yield "adapter", "r is 0", damages.valued(adapter, 0, "r")
    bases = {"a number": 3, "a list": [], "nowhere": "/nowhere/at/all", "the root": "/", "the hub": "owner/name"}
    for title, value in bases.items():
        yield "adapter", f"base: {title}", damages.valued(adapter, value, "base_model_name_or_path")
    yield "adapter", "base: itself", lambda place: damages.valued(adapter, str(place), "base_model_name_or_path")(place)
    for title in ("NaN", "whole numbers", "a row more", "three dimensions", "missing", "renamed", "nothing"):
        yield "adapter", f"weights: {title}", _moved(damages.TENSORS[title], "adapter_model.safetensors")
    yield "bert", "an adapter beside the model", partial(_adapter_beside)
    shards = {"outside": "../x.safetensors", "absolute": "/etc/passwd", "missing": "model-9.safetensors", "a number": 3}
    for title, file in shards.items():
        change = partial(_renamed, file)
        yield "shards", f"a shard {title}", damages.changed("model.safetensors.index.json", change)
    yield "shards", "a tensor in two shards", _twice
    for title in ("NaN", "8-bit floats", "whole numbers", "missing", "a row less"):
        yield "shards", f"shard: {title}", _moved(damages.TENSORS[title], "model-2-of-2.safetensors")


# --- single damages --------------------------------------------------------------------------------------------


def _signed(damage: Damage) -> Damage:
    """Damage a folder and write a new manifest, as somebody would who means harm."""

    def signed(place: Path) -> None:
        damage(place)
        if (place / manifest.NAME).read_bytes()[:1] == b"{" and b'"files"' in (place / manifest.NAME).read_bytes():
            manifest.relist(place)

    return signed


def _moved(damage: Damage, name: str) -> Damage:
    """Do to another file what a damage does to model.safetensors."""

    def moved(place: Path) -> None:
        other = place.with_name("moved")
        other.mkdir()
        shutil.copy(place / name, other / "model.safetensors")
        damage(other)
        shutil.copy(other / "model.safetensors", place / name)

    return moved


def _flip(name: str, place: Path) -> None:
    data = bytearray((place / name).read_bytes())
    data[len(data) // 2] ^= 1
    (place / name).write_bytes(bytes(data))


def _member(place: Path, classes: tuple[str, ...] = ("bad", "good"), sign: bool = False) -> None:
    task = models.TASK if classes == models.TASK.classes else type(models.TASK)(classes)
    FittedMajority(task, (0.9, 0.1)).save(place / "member-0")
    if sign:
        manifest.relist(place)


def _inside(place: Path) -> None:
    shutil.rmtree(place / "member-0")
    (place / "member-0").symlink_to(place)


def _uneven(table: dict[str, torch.Tensor], _: str) -> None:
    start = "bert.encoder.layer.0.attention.self."
    query, key = table[f"{start}query.weight"], table[f"{start}key.weight"]
    table[f"{start}query.weight"], table[f"{start}key.weight"] = torch.cat([query, key[:3]]), key[3:].clone()


def _without(names: tuple[str, ...], table: dict[str, torch.Tensor], _: str) -> None:
    for name in names:
        del table[name]


def _longer(place: Path) -> None:
    with (place / "vocab.txt").open("a") as file:
        file.write("".join(f"more{number}\n" for number in range(99)))


def _adapter_beside(place: Path) -> None:
    shutil.copytree(models.sound("adapter"), place, dirs_exist_ok=True)


def _renamed(file: object, stored: dict[str, Any]) -> None:
    table = stored["weight_map"]
    table[min(table)] = file


def _twice(place: Path) -> None:
    shutil.copy(place / "model-1-of-2.safetensors", place / "model-3-of-3.safetensors")
    damages.changed("model.safetensors.index.json", partial(_named_too, "model-3-of-3.safetensors"))(place)


def _named_too(file: str, stored: dict[str, Any]) -> None:
    stored["weight_map"]["another"] = file
