"""A linear classifier on an encoder as sentence-transformers lays it out: a pooling and a dense layer, a folder each.

Hugging Face's sequence classifiers have no place for a head that reads the mean of all tokens' states or has no dense
layer. ``sentence_transformers.SentenceTransformer(FOLDER).encode(texts)`` gives the logits.

FOLDER/modules.json             the modules in their order
FOLDER/1_Pooling/config.json    which states are pooled
FOLDER/2_Dense/                 config.json and model.safetensors of the output layer
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from headstart.core.errors import CheckpointError
from headstart.nn.heads import ClassificationHead

MODULES = "modules.json"
LAYER = "2_Dense"
PREFIX = "sentence_transformers.models."
# Which of sentence-transformers' poolings ours are.
FLAGS = {"first": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}
OTHER_FLAGS = ("pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens")
IDENTITY = "torch.nn.modules.linear.Identity"


def write(folder: Path, head: ClassificationHead, window: int) -> None:
    """Write a head without a dense layer beside an encoder; `window` is the most tokens of a text."""
    names = [("", "Transformer"), ("1_Pooling", "Pooling"), (LAYER, "Dense")]
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": PREFIX + kind}
        for number, (path, kind) in enumerate(names)
    ]
    for path in ("1_Pooling", LAYER):
        (folder / path).mkdir()
    classes, width = head.output.weight.shape
    flags = {flag: pooling == head.pooling for pooling, flag in FLAGS.items()} | dict.fromkeys(OTHER_FLAGS, False)
    layer = {"in_features": width, "out_features": classes, "bias": True, "activation_function": IDENTITY}
    for path, settings in {
        MODULES: modules,
        "sentence_bert_config.json": {"max_seq_length": window, "do_lower_case": False},
        "1_Pooling/config.json": {"word_embedding_dimension": width, **flags},
        f"{LAYER}/config.json": layer,
    }.items():
        (folder / path).write_text(json.dumps(settings, indent=2), encoding="utf-8")
    tensors = {f"linear.{name}": value.detach().cpu() for name, value in head.output.named_parameters()}
    save_file(tensors, folder / LAYER / "model.safetensors")


def has_classifier(folder: Path, config: Mapping[str, Any]) -> bool:
    """Say whether a folder holds a classifier in this layout: a layer that scores the classes of its config.json."""
    if not (folder / MODULES).is_file() or not (folder / LAYER / "model.safetensors").is_file():
        return False
    return len(config.get("id2label") or ()) == count_classes(folder)


def count_classes(folder: Path) -> int:
    """Count what the layer in a folder scores."""
    return len(_tensors(folder).get("bias", ()))


def fill(folder: Path, head: ClassificationHead) -> None:
    """Put the layer in a folder into a head, in place.

    Raises:
        CheckpointError: the file is damaged, or its weights have other shapes than the head's.
    """
    found = _tensors(folder)
    wanted = {name: tuple(value.shape) for name, value in head.output.named_parameters()}
    if {name: tuple(value.shape) for name, value in found.items()} != wanted:
        raise CheckpointError(f"{folder / LAYER}: the layer has other shapes than {wanted}; fetch the model again.")
    head.output.load_state_dict(found)


def _tensors(folder: Path) -> dict[str, Tensor]:
    path = folder / LAYER / "model.safetensors"
    try:
        return {name.removeprefix("linear."): value for name, value in load_file(path).items()}
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); fetch the model again.") from None
