"""Open a model's header: all that its folder says besides the weights, checked before anything is trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from headstart.checkpoints import _files, _rows, hub, peft
from headstart.checkpoints._family import Family
from headstart.checkpoints._weights import Weights
from headstart.core import rooms
from headstart.core.errors import CheckpointError, shown
from headstart.nn.encoder import Stack
from headstart.text.tokenizer import Tokenizer
from headstart.text.tokenizer import load as load_tokenizer

# sentence-transformers' settings: one such flag is true, or, since version 6, 'pooling_mode' names it.
POOLINGS = {"pooling_mode_cls_token": "first", "pooling_mode_mean_tokens": "mean", "cls": "first", "mean": "mean"}


@dataclass(frozen=True)
class Header:
    """What a model folder says of itself.

    source: as `hub.find` takes it. title: for a person, such as 'e5-small, 4-bit, unpacked'. folder: of the model, or
        of the model beneath an adapter. files: with its weights. config: what config.json holds.
    arguments: of `nn.encoder.Encoder`.
    pooling: how the checkpoint makes one vector of a text's states: 'first' token, 'mean', or '' where it does not say.
    """

    source: str
    title: str
    folder: Path
    adapter: peft.Adapter | None
    files: tuple[Path, ...]
    family: Family
    config: Mapping[str, Any]
    arguments: Mapping[str, Any]
    tokenizer: Tokenizer
    pooling: str

    def open_weights(self) -> AbstractContextManager[Weights]:
        """Open the files with the weights, an adapter's merged into them."""
        if self.adapter is not None:
            return peft.merged(self.adapter, self.files, self.family)
        return _rows.opened(self.folder, self.files, self.family)


def open_header(source: str | Path) -> Header:
    """Open a model's configuration and tokenizer, and check that its files list the weights of its encoder.

    No weight is read; pickled weights are converted once, see `_pickles`.

    Args:
        source: a folder, the name of a packaged model, or ``hf://owner/name[@revision]``. A folder may hold a LoRA
            adapter of PEFT's; the model beneath is then found by its name.

    Raises:
        UsageError: no such model.
        CheckpointError: the folder is incomplete, damaged, or of a kind that is not supported.
    """
    folder = hub.find(str(source))
    adapter = peft.find(folder)
    if adapter is not None:
        folder = hub.find(adapter.base)
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else None
    if config is None:
        raise CheckpointError(f"no config.json in {folder}: this is no model folder.")
    files = _files.find(folder)
    family = find_family(_model_type(config, path, files), str(folder))
    arguments = family.arguments(config)
    tokenizer = load_tokenizer(folder, arguments["window"], family.model_type)
    if tokenizer.size > arguments["vocabulary"]:
        raise CheckpointError(
            f"{folder}: the tokenizer has {tokenizer.size} tokens but the model only {arguments['vocabulary']}; "
            "they do not belong together."
        )
    header = Header(
        str(source),
        hub.title(str(source)),
        folder,
        adapter,
        files,
        family,
        config,
        arguments,
        tokenizer,
        _pooling(str(source), folder),
    )
    with header.open_weights() as weights:
        weights.check(
            {f"encoder.{name}": weight.shape for name, weight in unfilled(family, arguments).named_parameters()}
        )
    return header


def unfilled(family: Family, arguments: Mapping[str, Any]) -> Stack:
    """Build an encoder on the meta device, whose weights have shapes and no values."""
    with torch.device("meta"), _Undrawn():
        return family.encoder(arguments)


def find_family(model_type: str, where: str) -> Family:
    """Look up a family by what config.json calls it.

    Raises:
        CheckpointError: there is no such family.
    """
    known = rooms.names("checkpoints")
    if model_type not in known:
        raise CheckpointError(f"{where} is of type {shown(model_type)}; Headstart reads {', '.join(known)}.")
    family: Family = rooms.load("checkpoints", model_type)
    return family


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that holds a JSON object.

    Raises:
        CheckpointError: it does not.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no readable JSON ({error}); fetch the model again.") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path} holds no JSON object; fetch the model again.")
    return found


class _Undrawn(TorchFunctionMode):
    """Build modules without drawing their weights, which a file replaces.

    Drawing for the meta device costs no numbers, but torch loads its whole compiler for it: a second and a half.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _model_type(config: Mapping[str, Any], path: Path, files: tuple[Path, ...]) -> str:
    """Read the family's name, which files from before 2020 leave out: then the weights' common prefix names it."""
    if isinstance(config.get("model_type"), str):
        return str(config["model_type"])
    if "model_type" not in config:
        with _files.opened(files) as tensors:
            prefixes = {name.partition(".")[0] for name in tensors.keys()}  # noqa: SIM118 (no dictionary)
        found = sorted(prefixes & set(rooms.names("checkpoints")))
        if len(found) == 1:
            return found[0]
    raise CheckpointError(f"{path} does not say which 'model_type' it is of; add it, for example \"bert\".")


def _pooling(source: str, folder: Path) -> str:
    """Read how sentence-transformers pools this model's states; '' where nothing, or nothing known here, is said."""
    if source in hub.PACKAGED:
        return hub.PACKAGED[source].pooling
    path = folder / "1_Pooling" / "config.json"
    if not (folder / "modules.json").is_file() or not path.is_file():
        return ""
    settings = read_json(path)
    modes = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True]
    named = settings.get("pooling_mode", modes)
    names = named if isinstance(named, list) else [named]
    return POOLINGS.get(str(names[0]), "") if len(names) == 1 else ""
