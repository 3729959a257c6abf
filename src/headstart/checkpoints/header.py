"""Open a model's header: everything in its folder besides the weights, checked before anything is trained."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from headstart.checkpoints import _files, _modules, _rows, hub, manifest, peft
from headstart.checkpoints._family import SEQUENCE, Family
from headstart.checkpoints._weights import Weights
from headstart.core import rooms
from headstart.core.contracts import Suffix
from headstart.core.errors import CheckpointError, shown
from headstart.core.opening import guarded, naming, present, read_object
from headstart.text.tokenizer import Tokenizer
from headstart.text.tokenizer import load as load_tokenizer

# sentence-transformers' settings: one such flag is true, or, since version 6, 'pooling_mode' names it.
POOLINGS = {"pooling_mode_cls_token": "first", "pooling_mode_mean_tokens": "mean", "cls": "first", "mean": "mean"}
Built = TypeVar("Built", bound=nn.Module)


@dataclass(frozen=True)
class Header:
    """The header of a model folder.

    source: as for `hub.find`.
    title: readable name, such as 'e5-small, 4-bit, unpacked'.
    folder: of the model, or of the base model of an adapter.
    files: with its weights.
    config: the contents of config.json.
    family: the model's family.
    arguments: of `nn.encoder.Encoder`.
    tokenizer: the tokenizer.
    adapter: the adapter in the folder; None if there is none.
    pooling: how the checkpoint makes one vector of a text's states: 'first' token, 'mean', or '' if it is not
        specified.
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

    @contextmanager
    def open_weights(self, suffix: Suffix = SEQUENCE) -> Iterator[Weights]:
        """Open the files with the weights, with an adapter merged into them, to read a head with a suffix."""
        if self.adapter is not None:
            opened = peft.merged(self.adapter, self.files, self.family)
        else:
            opened = _rows.opened(self.folder, self.files, self.family)
        with opened as weights:
            weights.suffix = suffix
            yield weights


def open_header(source: str | Path) -> Header:
    """Open a model's configuration and tokenizer, and check that its files list the weights of its encoder.

    No weight is read; pickled weights are converted once, see `_pickles`.

    Args:
        source: a folder, the name of a packaged model, or ``hf://owner/name[@revision]``. A folder may contain a LoRA
            adapter of PEFT; its base model is then found by name.

    Raises:
        UsageError: no such model.
        CheckpointError: the folder is incomplete, damaged, or of a kind that is not supported.
    """
    with guarded(source), naming(source):
        return _open_header(str(source))


def _open_header(source: str) -> Header:
    folder = hub.find(source)
    saved_here = manifest.there(folder)
    adapter = None if saved_here else peft.find(folder)
    if adapter is not None:
        folder = peft.base_folder(adapter)
        saved_here = manifest.there(folder)
    if saved_here:
        manifest.verify(folder)
    path = folder / "config.json"
    if not present(path):
        raise CheckpointError(f"no config.json in {folder}: this is not a model folder.")
    config = read_object(path)
    files = _files.find(folder)
    family = find_family(_model_type(config, path, files), str(folder))
    arguments = _arguments(family, config)
    tokenizer = load_tokenizer(folder, arguments["window"], family.model_type)
    if tokenizer.size > arguments["vocabulary"]:
        raise CheckpointError(
            f"{folder}: the tokenizer has {tokenizer.size} tokens but the model only {arguments['vocabulary']}; "
            "they do not belong together."
        )
    header = Header(
        source,
        hub.title(source),
        folder,
        adapter,
        files,
        family,
        config,
        arguments,
        tokenizer,
        _pooling(source, folder),
    )
    with header.open_weights() as weights:
        # Before so many blocks are built, even without values: each has its own weights.
        if not arguments.get("one_block") and arguments["layers"] > len(weights.present):
            raise CheckpointError(
                f"{path} asks for {arguments['layers']} layers, but {weights.path} holds {len(weights.present)} "
                "weights; the two files do not belong together."
            )
        weights.check(
            {
                f"encoder.{name}": weight.shape
                for name, weight in unfilled(lambda: family.encoder(arguments)).named_parameters()
            }
        )
    return header


def _arguments(family: Family, config: Mapping[str, Any]) -> dict[str, Any]:
    """Read the encoder's arguments, and check the padding id against its vocabulary.

    The other special tokens are the tokenizer's; what config.json says about them is often left over from another
    model.

    Raises:
        CheckpointError: as for `Family.arguments`; or the id is not in the vocabulary.
    """
    arguments = family.arguments(config)
    padding, most = config.get("pad_token_id"), arguments["vocabulary"]
    if padding is not None and (type(padding) is not int or not 0 <= padding < most):
        raise CheckpointError(
            f"config.json: 'pad_token_id' is {reprlib.repr(padding)}, but must be a whole number from 0 to "
            f"below {most}, the size of the vocabulary."
        )
    return arguments


def unfilled(build: Callable[[], Built]) -> Built:
    """Build a module on the meta device, where its weights have shapes but no values, and take no memory."""
    with torch.device("meta"), undrawn():
        return build()


def find_family(model_type: str, where: str) -> Family:
    """Return the family with the name used in config.json.

    Raises:
        CheckpointError: there is no such family.
    """
    known = rooms.names("checkpoints.families")
    if model_type in rooms.names("checkpoints.generators"):
        raise CheckpointError(
            f"{where} is of type {shown(model_type)}, which writes texts, as in the task generation; other "
            f"tasks need an encoder: {', '.join(known)}."
        )
    if model_type not in known:
        raise CheckpointError(f"{where} is of type {shown(model_type)}; Headstart reads {', '.join(known)}.")
    family: Family = rooms.load("checkpoints.families", model_type)
    return family


class undrawn(TorchFunctionMode):
    """Build modules without initialising their weights, which are loaded from a file.

    Initialising on the meta device makes torch load its whole compiler, which takes a second and a half.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def _model_type(config: Mapping[str, Any], path: Path, files: tuple[Path, ...]) -> str:
    """Read the family's name; files from before 2020 lack it, and the common prefix of the weights then names it."""
    if isinstance(config.get("model_type"), str):
        return str(config["model_type"])
    if "model_type" not in config:
        with _files.opened(files) as tensors:
            prefixes = {name.partition(".")[0] for name in tensors.keys()}  # noqa: SIM118 (no dictionary)
        families = sorted(prefixes & set(rooms.names("checkpoints.families")))
        if len(families) == 1:
            return families[0]
    raise CheckpointError(f"{path} does not say which 'model_type' it is of; add it, for example \"bert\".")


def _pooling(source: str, folder: Path) -> str:
    """Read how sentence-transformers pools this model's states; '' if it is not specified or unknown."""
    if source in hub.PACKAGED:
        return hub.PACKAGED[source].pooling
    path = folder / "1_Pooling" / "config.json"
    if not _modules.listed(folder) or not present(path):
        return ""
    settings = read_object(path)
    modes = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True]
    named = settings.get("pooling_mode", modes)
    names = named if isinstance(named, list) else [named]
    return POOLINGS.get(str(names[0]), "") if len(names) == 1 else ""
