"""A linear classifier on an encoder in the layout of sentence-transformers: folders for pooling and dense layer.

Hugging Face's sequence classifiers cannot represent a head that reads the mean of all tokens or has no dense layer.
``sentence_transformers.SentenceTransformer(FOLDER).encode(texts)`` returns the logits.

FOLDER/modules.json             the modules in order
FOLDER/1_Pooling/config.json    which states are pooled
FOLDER/2_Dense/                 config.json and model.safetensors of the output layer
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from headstart.core.errors import CheckpointError, shown
from headstart.core.files import write_text
from headstart.core.opening import present, read_bytes, read_object
from headstart.core.tensors import save_tensors
from headstart.nn.heads import ClassificationHead, Head

MODULES = "modules.json"
LAYER = "2_Dense"
PREFIX = "sentence_transformers.models."
# sentence-transformers' names of our poolings.
FLAGS = {"first": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens"}
OTHER_FLAGS = ("pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens")
IDENTITY = "torch.nn.modules.linear.Identity"


def write(folder: Path, head: ClassificationHead, window: int) -> None:
    """Write a head without a dense layer next to an encoder; `window` is the maximum number of tokens of a text."""
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
        write_text(folder / path, json.dumps(settings, indent=2))
    tensors = {f"linear.{name}": value.detach().cpu() for name, value in head.output.named_parameters()}
    save_tensors(tensors, folder / LAYER / "model.safetensors")


def has_classifier(folder: Path, config: Mapping[str, Any]) -> bool:
    """Return whether a folder contains a classifier in this layout, with the classes of its config.json."""
    if not listed(folder) or not present(folder / LAYER / "model.safetensors"):
        return False
    named = config.get("id2label")
    if not isinstance(named, dict) or len(named) != count_classes(folder):
        return False
    activation = read_object(folder / LAYER / "config.json").get("activation_function", IDENTITY)
    if activation != IDENTITY:
        raise CheckpointError(
            f"{folder / LAYER / 'config.json'}: 'activation_function' is {shown(activation)}; only a layer without one "
            "is a classifier."
        )
    return True


def listed(folder: Path) -> bool:
    """Return whether a folder has a list of modules.

    Raises:
        CheckpointError: the list is unreadable.
    """
    path = folder / MODULES
    if not present(path):
        return False
    try:
        modules = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not readable JSON ({error}); fetch the model again.") from None
    if not isinstance(modules, list) or not all(isinstance(part, dict) for part in modules):
        raise CheckpointError(f"{path} holds no list of modules; fetch the model again.")
    return True


def count_classes(folder: Path) -> int:
    """Return the number of outputs of the layer in a folder."""
    return len(_tensors(folder).get("bias", ()))


def fill(folder: Path, head: Head) -> None:
    """Load the layer in a folder into a head, in place.

    Raises:
        CheckpointError: the file is damaged, or its weights have other shapes than the head's or are not finite.
    """
    tensors = _tensors(folder)
    wanted = {name: tuple(value.shape) for name, value in head.output.named_parameters()}
    if {name: tuple(value.shape) for name, value in tensors.items()} != wanted:
        raise CheckpointError(f"{folder / LAYER}: the layer has other shapes than {wanted}; fetch the model again.")
    if not all(value.is_floating_point() and torch.isfinite(value).all() for value in tensors.values()):
        raise CheckpointError(f"{folder / LAYER} holds values that are not finite numbers; fetch the model again.")
    head.output.load_state_dict(tensors)


def _tensors(folder: Path) -> dict[str, Tensor]:
    path = folder / LAYER / "model.safetensors"
    try:
        return {name.removeprefix("linear."): value for name, value in load_file(path).items()}
    except (safetensors.SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); fetch the model again.") from None
