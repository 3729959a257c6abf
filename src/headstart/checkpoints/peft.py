"""LoRA adapters in PEFT's files: adapter_config.json and adapter_model.safetensors, without the model beneath."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from headstart.checkpoints import _files, hub
from headstart.checkpoints._family import SEQUENCE, Family
from headstart.checkpoints._weights import KINDS, Weights, open_weights
from headstart.core.contracts import Suffix
from headstart.core.errors import CheckpointError, UsageError, shown
from headstart.core.files import write_text
from headstart.core.opening import present, read_object
from headstart.core.tensors import save_tensors
from headstart.nn.heads import Head
from headstart.nn.lora import SHARING, Updates

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
DOWN, UP = ".lora_A.weight", ".lora_B.weight"
# PEFT's names of what a model with a head is for.
TASK_TYPES: dict[Suffix, str] = {
    "ForSequenceClassification": "SEQ_CLS",
    "ForTokenClassification": "TOKEN_CLS",
    "ForQuestionAnswering": "QUESTION_ANS",
}
# Settings that an adapter must not have, since it would compute something else.
PLAIN: dict[str, Any] = {
    "peft_type": "LORA",
    "bias": "none",
    "use_dora": False,
    "use_rslora": False,
    "use_qalora": False,
    "use_bdlora": None,
    "kasa_config": None,
    "monteclora_config": None,
    "alora_invocation_tokens": None,
    "fan_in_fan_out": False,
    "rank_pattern": {},
    "alpha_pattern": {},
    "layer_replication": None,
    "lora_bias": False,
}


@dataclass(frozen=True)
class Adapter:
    """A folder with an adapter.

    base: the model that it changes, as for `hub.find`.
    scale: factor of each update.
    """

    folder: Path
    base: str
    scale: float


def write(folder: Path, updates: Updates, head: Head | None, family: Family, source: str) -> None:
    """Write updates and the head that was trained with them, so that PEFT applies them to the same base model.

    Args:
        folder: created.
        updates: the updates.
        head: None for one that Hugging Face's classifiers cannot represent; the adapter is then one of the encoder.
        family: the base model's family.
        source: the base model, as for `hub.find`.
    """
    folder.mkdir()
    joined = _joined(updates, family)
    if head is None:  # names of the encoder have no prefix
        joined = {name.removeprefix(family.prefix): pair for name, pair in joined.items()}
    rank = max((len(down) for down, _ in joined.values()), default=updates.rank)
    tensors: dict[str, Tensor] = {}
    for module, (down, up) in joined.items():
        more = rank - len(down)
        tensors |= {
            f"{PREFIX}{module}{DOWN}": F.pad(down, (0, 0, 0, more)),
            f"{PREFIX}{module}{UP}": F.pad(up, (0, more)),
        }
    parts = () if head is None else head.named_parameters()
    trained = {f"head.{name}": weight.detach() for name, weight in parts}
    heads = set()
    for ours, (theirs,) in family.names(trained, SEQUENCE if head is None else head.suffix).items():
        tensors[PREFIX + theirs] = trained[ours]
        if not theirs.startswith("crf."):  # of which transformers' models have no module
            # PEFT saves every module called 'classifier' as a whole.
            heads.add("classifier" if theirs.startswith("classifier.") else theirs.rpartition(".")[0])
    address = hub.ADDRESS.fullmatch(source)
    config = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION" if head is None else TASK_TYPES[head.suffix],
        "base_model_name_or_path": address["repo"] if address else source,
        "revision": address["revision"] if address else None,
        "r": rank,
        "lora_alpha": updates.alpha * rank / updates.rank,
        "lora_dropout": updates.dropout,
        "bias": "none",
        "target_modules": sorted(joined),
        "modules_to_save": sorted(heads) or None,
        "inference_mode": True,
    }
    write_text(folder / CONFIG, json.dumps(config, indent=2))
    save_tensors({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)


def _joined(updates: Updates, family: Family) -> dict[str, tuple[Tensor, Tensor]]:
    """Name each update as in the family's files; several matrices in one tensor have the sum of their ranks.

    Returns:
        name of the module -> down ``(rank, inputs)`` and up ``(outputs, rank)``.
    """
    factors: dict[str, tuple[Tensor, Tensor]] = {}
    for (layer, number), (down, up) in updates.pairs.items():
        names = family.names([f"{layer}.weight"])[f"{layer}.weight"]
        matrices = next((count for place, count in SHARING.items() if layer.endswith(place)), 1)
        if len(names) == matrices:
            name = names[number]
        else:
            name, height = names[0], len(up)
            up = F.pad(up, (0, 0, number * height, (matrices - 1 - number) * height))
        name = name.removesuffix(".weight")
        if name in factors:
            down, up = torch.cat((factors[name][0], down)), torch.cat((factors[name][1], up), 1)
        factors[name] = down, up
    return factors


def find(folder: Path) -> Adapter | None:
    """Read the settings of a folder's adapter; None if it contains none.

    Raises:
        CheckpointError: the settings are damaged, or ask for something that is not supported.
    """
    path = folder / CONFIG
    if not present(path):
        return None
    try:
        config = read_object(path)
        scale, base = float(config["lora_alpha"]) / int(config["r"]), str(config["base_model_name_or_path"])
    except (CheckpointError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise CheckpointError(
            f"{path} is damaged, or of an adapter that is no LoRA ({shown(error)}); save the adapter again."
        ) from None
    if not math.isfinite(scale):
        raise CheckpointError(f"{path}: 'lora_alpha' divided by 'r' is {scale}; save the adapter again.")
    weights = next((name for name in _files.NAMES if present(folder / name)), None)
    if weights is not None:
        raise CheckpointError(
            f"{folder} holds an adapter ({CONFIG}) and a whole model ({weights}), and only one of them can be meant; "
            "move one to a folder of its own."
        )
    for key, value in PLAIN.items():
        if (config.get(key) or value) != value:
            raise CheckpointError(
                f"{path}: '{key}' is {reprlib.repr(config[key])}, which is more than plain LoRA; merge the adapter "
                "with PEFT first."
            )
    if not Path(base).expanduser().is_dir() and re.fullmatch(r"[\w.-]+/[\w.-]+", base):
        revision = config.get("revision")
        base = f"hf://{base}@{revision}" if revision else f"hf://{base}"
    return Adapter(folder, base, scale)


def base_folder(adapter: Adapter) -> Path:
    """Find the folder of the model that an adapter changes.

    Raises:
        UsageError: no such model.
        CheckpointError: it cannot be downloaded, or is an adapter itself.
    """
    try:
        folder = hub.find(adapter.base)
    except UsageError as error:
        raise UsageError(f"{adapter.folder / CONFIG} names a model that cannot be opened: {error}") from error
    if present(folder / CONFIG):
        raise CheckpointError(
            f"{adapter.folder} changes the model {shown(adapter.base)}, which is an adapter itself; merge that one "
            "with PEFT first."
        )
    return folder


@contextmanager
def merged(adapter: Adapter, files: Sequence[Path], family: Family) -> Iterator[Weights]:
    """Open a base model's files as if the adapter had been merged into it.

    Raises:
        CheckpointError: as `open_weights`; or the adapter does not belong to this base.
    """
    updates = _files.find(adapter.folder, "adapter_model")
    with open_weights(files, family) as base, open_weights(updates, family) as own:
        yield Weights(_Merged(base, own, adapter.scale), base.path, family)


class _Merged:
    """Two open files presented as one: the adapter's weights before the base's, with updates added on reading."""

    def __init__(self, base: Weights, own: Weights, scale: float):
        self.base, self.own, self.scale = base.file, own.file, scale
        prefix = base.family.prefix
        self.sources = {name.removeprefix(prefix): (self.base, name) for name in base.present}
        self.updates: dict[str, str] = {}
        for stored in sorted(own.present):
            stem = stored.removesuffix(DOWN).removesuffix(UP)
            name = stem.removeprefix(PREFIX).removeprefix(prefix)
            if "lora_" not in stored:
                self.sources[name] = (self.own, stored)
            elif stem != stored and f"{name}.weight" in self.sources:
                self.updates[f"{name}.weight"] = stem
            else:
                raise CheckpointError(
                    f"{own.path}: {shown(stored)} changes nothing that {base.path} has; the two do not belong together."
                )
        if not self.updates:
            raise CheckpointError(f"{own.path} changes no matrix of {base.path}; save the adapter again.")
        factors = [name for name in own.present if "lora_" in name]
        kinds = {own.file.get_slice(name).get_dtype() for name in factors}
        if not kinds <= set(KINDS):
            raise CheckpointError(
                f"{own.path} holds numbers of the kinds {shown(', '.join(sorted(kinds)))}; only "
                f"{', '.join(KINDS)} are supported."
            )
        for name, stem in self.updates.items():
            shapes = [
                tuple(own.file.get_slice(stem + end).get_shape()) for end in (UP, DOWN) if stem + end in own.present
            ]
            whole = tuple(self.get_slice(name).get_shape())
            if (
                [len(shape) for shape in shapes] != [2, 2]
                or (shapes[0][0], shapes[1][1]) != whole
                or shapes[0][1] != shapes[1][0]
            ):
                raise CheckpointError(
                    f"{own.path}: {shown(stem)} has factors {shapes}, which make no matrix {whole} as {base.path} has; "
                    "the two do not belong together."
                )

    def keys(self) -> list[str]:
        """Return all names, without the family's prefix."""
        return list(self.sources)

    def get_slice(self, name: str) -> _files.Slice:
        """Return the shape of a weight, as safetensors does."""
        file, stored = self.sources[name]
        return file.get_slice(stored)

    def get_tensor(self, name: str) -> Tensor:
        """Read a weight."""
        file, stored = self.sources[name]
        tensor = file.get_tensor(stored)
        if name not in self.updates:
            return tensor
        stem = self.updates[name]
        up, down = (self.own.get_tensor(stem + end).float() for end in (UP, DOWN))
        return tensor.float().addmm(up, down, alpha=self.scale)
