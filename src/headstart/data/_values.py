"""Values of typed tables and arrays: plain Python values, which of them are missing, and their text."""

from __future__ import annotations

import base64
import decimal
import json
from collections.abc import Iterable, Mapping, Sequence, Set
from types import NoneType
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from headstart.core.errors import UsageError

if TYPE_CHECKING:
    import numpy as np


@runtime_checkable
class _Listed(Protocol):
    """A scalar or an array of numpy, torch or jax."""

    def tolist(self) -> Any: ...


@runtime_checkable
class _Array(Protocol):
    """What numpy can convert: arrays of numpy, torch, jax, tensorflow."""

    def __array__(self) -> np.ndarray: ...


@runtime_checkable
class _Shaped(Protocol):
    @property
    def shape(self) -> Sequence[int]: ...


@runtime_checkable
class _Series(Protocol):
    """A Series of pandas or polars."""

    def to_list(self) -> list[Any]: ...


@runtime_checkable
class _ArrowArray(Protocol):
    def to_pylist(self) -> list[Any]: ...


@runtime_checkable
class _ArrowScalar(Protocol):
    def as_py(self) -> Any: ...


def plain(value: Any) -> Any:
    """Turn a scalar of an array library into a Python value; other values are returned unchanged.

    Floats have their shortest form: a float32 of 0.1 is 0.1, not 0.10000000149011612.

    >>> import numpy as np
    >>> plain(np.str_("a")), plain(np.array(3)), plain(np.float32(0.1)), plain("b")
    ('a', 3, 0.1, 'b')
    """
    if type(value) in (str, int, float, bool, NoneType):
        return value
    import numpy as np

    if isinstance(value, np.datetime64 | np.timedelta64):
        return None if np.isnat(value) else str(value)
    if isinstance(value, np.floating):
        return float(str(value))
    if isinstance(value, _ArrowScalar):
        return value.as_py()
    if isinstance(value, _Listed):
        return value.tolist()
    if isinstance(value, _Array):
        return np.asarray(value).tolist()
    return value


def missing(value: object) -> bool:
    """Return whether a plain value is missing: None, not-a-number of any type, pandas' NA and NaT.

    >>> [missing(value) for value in (None, float("nan"), decimal.Decimal("sNaN"), "nan", "", 0)]
    [True, True, True, False, False, False]
    """
    if isinstance(value, float):
        return value != value
    if isinstance(value, decimal.Decimal):
        return value.is_nan()
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def cell(value: object) -> str:
    """Turn a value of a typed table into text: missing values into '', nested ones into JSON.

    Bytes that are not UTF-8 become base64.

    >>> cell(None), cell(1.0), cell("x"), cell(float("nan")), cell(["a", 1])
    ('', '1.0', 'x', '', '["a", 1]')
    """
    if isinstance(value, str):
        return value
    value = plain(value)
    if missing(value):
        return ""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=cell)
    return str(value)


def values(sequence: Any, what: str) -> list[Any]:
    """Return the values of a one-dimensional list, array, tensor or Series; numpy's scalars are unchanged.

    Args:
        sequence: the values.
        what: what they are, for messages: 'texts' or 'labels'.

    Raises:
        UsageError: not a sequence, or not one-dimensional.

    >>> import numpy as np
    >>> values(np.array([1, 2]), "labels"), values(("yes", None), "labels")
    ([np.int64(1), np.int64(2)], ['yes', None])
    """
    import numpy as np

    kind = type(sequence).__name__
    elements = None if isinstance(sequence, str | bytes | Mapping | Set) else _elements(sequence)
    if elements is None:
        raise UsageError(f"the {what} are given as {kind}, where a list with one for each row is expected.")
    if isinstance(elements, _Shaped) and len(elements.shape) != 1:
        raise UsageError(
            f"the {what} are given as {kind} of shape {tuple(elements.shape)}, where one dimension is expected; "
            f"give one column, such as {_column_of(kind, what)}."
        )
    return [value if isinstance(value, np.generic) else plain(value) for value in elements]


def _elements(sequence: Any) -> Iterable[Any] | None:
    """Return an iterable, or None; an array or a frame is returned unchanged, since it knows its shape."""
    import numpy as np

    if isinstance(sequence, np.ndarray):  # also a masked one, which knows what is missing
        return sequence
    if isinstance(sequence, _Series):
        return sequence.to_list()
    if isinstance(sequence, _ArrowArray) and not isinstance(sequence, _Shaped):
        return sequence.to_pylist()
    if isinstance(sequence, _Array):
        try:
            return np.asarray(sequence)
        except (TypeError, RuntimeError):  # a tensor on another device, with a gradient, or of bfloat16
            return list(sequence.tolist()) if isinstance(sequence, _Listed) else None
    return sequence if isinstance(sequence, Iterable) else None


def _column_of(kind: str, what: str) -> str:
    return f"frame['{what.removesuffix('s')}']" if kind == "DataFrame" else f"{what}[:, 0]"
