"""Tensors written to safetensors files; a disk that is full gives one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.core.files import writing

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write contiguous tensors of torch.

    Raises:
        DiskError: the file cannot be written.
    """
    from safetensors.torch import save_file

    with writing(path, sum(tensor.nbytes for tensor in tensors.values())):
        save_file(dict(tensors), path, metadata=metadata)


def remove_unfinished(folder: Path) -> None:
    """Delete what a process that was killed while safetensors wrote left in a folder that no other process uses."""
    for leftover in folder.glob(".tmp??????"):
        leftover.unlink(missing_ok=True)


def save_arrays(arrays: Mapping[str, np.ndarray], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write arrays of numpy.

    Raises:
        DiskError: the file cannot be written.
    """
    from safetensors.numpy import save_file

    with writing(path, sum(array.nbytes for array in arrays.values())):
        save_file(dict(arrays), path, metadata=metadata)
