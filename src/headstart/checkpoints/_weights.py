"""Weights between safetensors files and our modules, by a family's table of names."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from headstart.checkpoints import _cache, _files
from headstart.checkpoints._family import SEQUENCE, Family
from headstart.core.contracts import Suffix
from headstart.core.errors import CheckpointError, shown
from headstart.core.tensors import save_tensors
from headstart.nn.encoder import Stack
from headstart.nn.heads import Model
from headstart.nn.pretraining import Pretraining

# The names of the two weights of a norm in the first release of BERT, which some files still use.
OLD_ENDINGS = {"weight": "gamma", "bias": "beta"}
# Types that become float32; integers are those of a quantised model, whose scales are elsewhere.
KINDS = ("F32", "F16", "BF16", "F64")
WORDS = "encoder.embeddings.word.weight"


class Names(Protocol):
    """What reading weights asks of a family: the file's names of ours, and the prefix that some files lack."""

    @property
    def model_type(self) -> str: ...

    @property
    def prefix(self) -> str: ...

    def names(self, parameters: Iterable[str], suffix: Suffix = SEQUENCE) -> dict[str, tuple[str, ...]]:
        """Return the file's names of each of our parameters."""


class Weights:
    """The tensors of open files under our names (those of a ``nn.heads.Model``).

    path: for messages: the file, or the folder if there are several.
    suffix: of the head, which decides how its weights are called.
    in_place: whether the word embeddings, of which few rows are read, may stay memory-mapped; pages are copied when
        written to. Only for files that never change and contain finite numbers.
    """

    def __init__(self, file: _files.Tensors, path: Path, family: Names, *, in_place: bool = False):
        self.file = file
        self.path = path
        self.family = family
        self.suffix: Suffix = SEQUENCE
        self.in_place = in_place
        self.present = set(file.keys())
        self.used: set[str] = set()

    def has(self, name: str) -> bool:
        """Return whether the file contains one of our weights."""
        return all(self._stored(theirs) for theirs in self._names(name))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one of our weights in the file, without reading it.

        Raises:
            CheckpointError: it is missing, not of floating-point numbers, or made of incompatible parts.
        """
        parts = [self.file.get_slice(self._find(theirs)) for theirs in self._names(name)]
        shapes = [tuple(part.get_shape()) for part in parts]
        kind = next((kind for kind in (part.get_dtype() for part in parts) if kind not in KINDS), None)
        if kind is not None:
            raise CheckpointError(
                f"{self.path}: {shown(self._names(name)[0])} holds numbers of the kind {shown(kind)}; only "
                f"{', '.join(KINDS)} are supported, so take the model before it was quantised."
            )
        if not shapes[0] or not self.fit([shape[0] for shape in shapes]) or len({shape[1:] for shape in shapes}) > 1:
            raise CheckpointError(
                f"{self.path}: {shown(self._names(name)[0])} and what belongs to it have the shapes "
                f"{shown(shapes)}, of which no matrix can be made; fetch the model again."
            )
        return (sum(shape[0] for shape in shapes), *shapes[0][1:])

    def fit(self, rows: Sequence[int]) -> bool:
        """Return whether matrices of so many rows can be the parts of one of ours: they have equally many."""
        return len(set(rows)) == 1

    def slice(self, name: str) -> _files.Slice:
        """Return one of our weights that is one tensor in the file, unread."""
        (theirs,) = self._names(name)
        return self.file.get_slice(self._find(theirs))

    def read(self, name: str) -> Tensor:
        """Read one of our weights as float32.

        Raises:
            CheckpointError: it is missing, or holds values that are not finite numbers.
        """
        stored = [self._find(theirs) for theirs in self._names(name)]
        self.used.update(stored)
        if self.in_place and name == WORDS:
            table = self.file.get_tensor(stored[0])
            if table.dtype is torch.float32:
                return table
        # Concatenating copies, so that the model does not depend on the file's mapped memory.
        tensor = torch.cat([self.file.get_tensor(part) for part in stored]).to(torch.float32)
        if not torch.isfinite(tensor).all():
            raise CheckpointError(
                f"{self.path}: {shown(stored[0])} holds values that are not finite; fetch the model again."
            )
        return tensor

    def check(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Check that weights of these names and shapes exist, without reading any.

        Raises:
            CheckpointError: a weight is missing, or has another shape.
        """
        for name, shape in shapes.items():
            actual = self.shape(name)
            if actual != tuple(shape):
                raise CheckpointError(
                    f"{self.path}: {shown(self._names(name)[0])} has shape {actual}, but config.json asks for "
                    f"{tuple(shape)}; the two files do not belong together."
                )

    def fill(self, model: Model | Pretraining | Stack, fresh: set[str]) -> None:
        """Load the file's weights into a model, in place, except those that are `fresh`.

        Raises:
            CheckpointError: a weight is missing, has another shape than config.json says, or is not finite.
        """
        prefix = "encoder." if isinstance(model, Stack) else ""
        wanted = {name: weight for name, weight in model.named_parameters() if prefix + name not in fresh}
        self.check({prefix + name: weight.shape for name, weight in wanted.items()})
        model.load_state_dict({name: self.read(prefix + name) for name in wanted}, strict=False, assign=True)

    def unused(self) -> list[str]:
        """Return the file's names that were never read, without its constant position tables."""
        return sorted(name for name in self.present - self.used if not name.endswith("position_ids"))

    def _names(self, name: str) -> tuple[str, ...]:
        return self.family.names([name], self.suffix)[name]

    def _stored(self, name: str) -> str | None:
        """Return the file's spelling of a name: with or without the family's prefix, with old or new endings."""
        stem, dot, ending = name.rpartition(".")
        stems = dict.fromkeys((stem, stem.removeprefix(self.family.prefix)))
        endings = dict.fromkeys((ending, OLD_ENDINGS.get(ending, ending)))
        spelt = [f"{start}{dot}{last}" for start in stems for last in endings]
        spellings = [each for each in spelt if each in self.present]
        if len(spellings) > 1:
            raise CheckpointError(
                f"{self.path} holds both {shown(spellings[0])} and {shown(spellings[1])}, two names of the same "
                "weight; fetch the model again."
            )
        return spellings[0] if spellings else None

    def _find(self, name: str) -> str:
        stored = self._stored(name)
        if stored is None:
            raise CheckpointError(f"{self.path} has no '{name}': it is damaged or no {self.family.model_type} model.")
        return stored


@contextmanager
def open_weights(files: Sequence[Path], family: Family) -> Iterator[Weights]:
    """Open the files with a model's weights, see `_files.find`.

    Raises:
        CheckpointError: one is missing or malformed.
    """
    with _files.opened(files) as tensors:
        path = files[0] if len(files) == 1 else files[0].parent
        yield Weights(tensors, path, family, in_place=_cache.holds(path))


def write(path: Path, model: Model | Pretraining | Stack, family: Family, leave_out: Container[str] = ()) -> None:
    """Write a model's weights under the names of its family in Hugging Face's files.

    Args:
        path: the file to write.
        model: the model.
        family: its family.
        leave_out: our names of weights that are not written.
    """
    prefix = "encoder." if isinstance(model, Stack) else ""
    weights = {prefix + name: weight.detach().cpu() for name, weight in model.named_parameters()}
    tensors = {}
    suffix = model.head.suffix if isinstance(model, Model) else SEQUENCE
    for name, theirs in family.names((name for name in weights if name not in leave_out), suffix).items():
        for stored, part in zip(theirs, weights[name].chunk(len(theirs)), strict=True):
            tensors[stored] = part.clone()
    save_tensors(tensors, path, {"format": "pt"})
