"""Arrays of a saved model that is not a Transformer: names, shapes and types are checked before any is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors

from headstart.core.errors import CheckpointError, shown
from headstart.core.opening import present

KINDS = {"F16", "F32", "F64"}


def read(
    path: Path, shapes: Mapping[str, tuple[int, ...]], kind: type[np.floating], optional: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Read the arrays of a safetensors file as `kind`.

    Args:
        path: the file.
        shapes: of the required arrays.
        kind: the type to return.
        optional: shapes of the optional arrays.

    Raises:
        CheckpointError: the file is missing or damaged; an array is missing, unknown, of another shape, not of
            floating-point numbers, or not finite.
    """
    if not present(path):
        raise CheckpointError(f"no {path.name} in {path.parent}: copy the model's folder again.")
    try:
        with safetensors.safe_open(path, framework="np") as file:
            names = set(file.keys())
            if not shapes.keys() <= names <= shapes.keys() | optional.keys():
                raise CheckpointError(
                    f"{path} holds the arrays {shown(', '.join(sorted(names)))} instead of "
                    f"{', '.join(sorted(shapes))}; copy the model's folder again."
                )
            expected = {**optional, **shapes}
            for name in sorted(names):
                part = file.get_slice(name)
                if tuple(part.get_shape()) != expected[name] or part.get_dtype() not in KINDS:
                    raise CheckpointError(
                        f"{path}: '{name}' is {part.get_dtype()} of shape {tuple(part.get_shape())} instead of "
                        f"floating-point numbers of shape {expected[name]}; copy the model's folder again."
                    )
            arrays = {name: file.get_tensor(name).astype(kind) for name in sorted(names)}
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({error}); copy the model's folder again.") from None
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: '{name}' holds values that are not finite; copy the model's folder again.")
    return arrays
