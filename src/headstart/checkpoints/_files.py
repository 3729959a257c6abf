"""The safetensors files with a folder's weights: one, several named by an index, or converted from pickles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import safetensors
from torch import Tensor

from headstart.checkpoints import _pickles
from headstart.core import lfs
from headstart.core.errors import CheckpointError, shown
from headstart.core.opening import present, read_object

INDEX = ".index.json"
# Each shows that a folder contains the weights of a model.
NAMES = tuple(f"{name}{end}" for name in ("model.safetensors", "pytorch_model.bin") for end in ("", INDEX))


class Slice(Protocol):
    """A tensor of an open file that has not been read."""

    def get_shape(self) -> list[int]:
        """Return its shape."""

    def get_dtype(self) -> str:
        """Return its type as safetensors calls it, such as 'F32'."""


class Tensors(Protocol):
    """Open files presented as one, with the methods of ``safetensors.safe_open``."""

    def keys(self) -> list[str]:
        """Return all names."""

    def get_slice(self, name: str, /) -> Slice:
        """Return the shape of a tensor without reading it."""

    def get_tensor(self, name: str, /) -> Tensor:
        """Read a tensor."""


def find(folder: Path, stem: str = "model") -> tuple[Path, ...]:
    """Find the safetensors files with a folder's weights; convert pickles if there is nothing else.

    Args:
        folder: the model folder.
        stem: 'model', or 'adapter_model'.

    Raises:
        CheckpointError: there are none or only pointers to them, an index is damaged, or a pickle cannot be converted.
    """
    whole = folder / f"{stem}.safetensors"
    pickled = folder / f"{'pytorch_' if stem == 'model' else ''}{stem}.bin"
    for file in (whole, pickled):
        index = file.with_name(file.name + INDEX)
        if present(file) or present(index):
            files = (file,) if file.is_file() else _shards(index, file.suffix)
            for path_listed in files:
                lfs.refuse_pointer(path_listed)
            return files if file is whole else _pickles.converted(files)
    raise CheckpointError(f"no {whole.name} or {pickled.name} in {folder}: fetch the model.")


def _shards(index: Path, ending: str) -> tuple[Path, ...]:
    """Return the files that an index names, all in its folder."""
    try:
        named = set(read_object(index)["weight_map"].values())
        plain = all(Path(name).name == name and name.endswith(ending) for name in named)
    except (CheckpointError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{index} is not a readable index of weights ({shown(error)}); fetch the model again."
        ) from None
    if not named or not plain:
        raise CheckpointError(f"{index} must name {ending} files beside it, and nothing else; fetch the model again.")
    files = tuple(index.with_name(name) for name in sorted(named))
    for file in files:
        if not present(file):
            raise CheckpointError(f"{file} is missing, which {index.name} names; fetch the model again.")
    return files


@contextmanager
def opened(files: Sequence[Path]) -> Iterator[Tensors]:
    """Open safetensors files for reading, as one.

    Raises:
        CheckpointError: one is missing or malformed, or two contain a tensor of the same name.
    """
    with ExitStack() as stack:
        parts = {}
        for path in files:
            try:
                parts[path] = stack.enter_context(safetensors.safe_open(path, framework="pt"))
            except FileNotFoundError:
                raise CheckpointError(f"no {path.name} in {path.parent}: fetch the model.") from None
            except safetensors.SafetensorError as error:
                raise CheckpointError(f"{path} is damaged ({error}); fetch the model again.") from None
        if len(parts) == 1:
            yield parts[files[0]]
        else:
            yield _Joined(parts)


class _Joined:
    """Several open files presented as one."""

    def __init__(self, parts: dict[Path, Tensors]):
        self.owners: dict[str, Tensors] = {}
        for path, part in parts.items():
            for name in part.keys():  # noqa: SIM118 (safe_open is no dictionary)
                if name in self.owners:
                    raise CheckpointError(f"{path} holds {shown(name)} again, which another file has; fetch the model.")
                self.owners[name] = part

    def keys(self) -> list[str]:
        """Return the names in all files."""
        return list(self.owners)

    def get_slice(self, name: str) -> Slice:
        """Return the shape of a tensor without reading it."""
        return self.owners[name].get_slice(name)

    def get_tensor(self, name: str) -> Tensor:
        """Read a tensor."""
        return self.owners[name].get_tensor(name)
