"""Read GGUF, the file format of llama.cpp: settings, a vocabulary and quantised tensors in one file.

Little-endian: ``GGUF``, version 3, the numbers of tensors and of settings; each setting's name, type and value; of each
tensor its name, sizes (columns first), type and place; padding; the tensors. Quantised values come in blocks of 32.
Every number is checked before it is used, since a damaged file holds any.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headstart.core.contracts import Value
from headstart.core.errors import CheckpointError, shown

MAGIC, VERSION = b"GGUF", 3
ALIGNMENT = "general.alignment", 32  # the setting with it, and its value where there is none
MOST_SIZES = 4  # of a tensor
# Types of settings: those of numbers in numpy's notation, texts, and lists of one of the others.
NUMBERS = {
    0: "<u1",
    1: "<i1",
    2: "<u2",
    3: "<i2",
    4: "<u4",
    5: "<i4",
    6: "<f4",
    7: "?",
    10: "<u8",
    11: "<i8",
    12: "<f8",
}
TEXT, LIST = 8, 9


@dataclass(frozen=True)
class Kind:
    """A type of tensors.

    values: number of values in a block.
    block: how a block is stored.
    """

    values: int
    block: np.dtype[Any]


KINDS = {
    0: Kind(1, np.dtype("<f4")),  # F32
    1: Kind(1, np.dtype("<f2")),  # F16
    2: Kind(32, np.dtype([("scale", "<f2"), ("halves", "u1", 16)])),  # Q4_0
    3: Kind(32, np.dtype([("scale", "<f2"), ("least", "<f2"), ("halves", "u1", 16)])),  # Q4_1
    8: Kind(32, np.dtype([("scale", "<f2"), ("bytes", "i1", 32)])),  # Q8_0
}


@dataclass(frozen=True)
class Stored:
    """Where a tensor is.

    kind: number of its type.
    shape: rows first.
    start: its first byte, counted over the file.
    blocks: number of its blocks.
    """

    kind: int
    shape: tuple[int, ...]
    start: int
    blocks: int


@dataclass(frozen=True)
class Opened:
    """An opened file.

    path: of the file.
    settings: name -> number, text, or list of either.
    tensors: name -> where it is.
    data: the bytes of the file.
    """

    path: Path
    settings: Mapping[str, Value]
    tensors: Mapping[str, Stored]
    data: mmap.mmap

    def values(self, name: str) -> np.ndarray:
        """Read a tensor as float32.

        Raises:
            CheckpointError: the file has no such tensor.
        """
        if name not in self.tensors:
            raise CheckpointError(f"{self.path} has no tensor {shown(name)}; fetch the file again.")
        stored = self.tensors[name]
        blocks = np.frombuffer(self.data, KINDS[stored.kind].block, stored.blocks, stored.start)
        return dequantised(blocks).reshape(stored.shape)


def dequantised(blocks: np.ndarray) -> np.ndarray:
    """Compute the values that blocks stand for, float32 ``(values,)``.

    Args:
        blocks: of a dtype in `KINDS`, ``(blocks,)``. Q4_0 is ``scale * (number - 8)`` and Q4_1 ``scale * number +
            least``, where the low halves of the bytes are the first 16 numbers and the high halves the last; Q8_0 is
            ``scale * number``.
    """
    if blocks.dtype.names is None:
        plain: np.ndarray = blocks.astype(np.float32)
        return plain
    scale = blocks["scale"].astype(np.float32)[:, None]
    if "bytes" in blocks.dtype.names:
        return (scale * blocks["bytes"].astype(np.float32)).reshape(-1)
    halves = blocks["halves"]
    numbers = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32)  # (blocks, 32)
    if "least" in blocks.dtype.names:
        return (scale * numbers + blocks["least"].astype(np.float32)[:, None]).reshape(-1)
    return (scale * (numbers - 8)).reshape(-1)


def open_file(path: Path) -> Opened:
    """Read the settings of a file, and where its tensors are.

    Raises:
        CheckpointError: it is not a GGUF file of version 3, it is damaged, or it has tensors of an unknown type.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        if size < len(MAGIC) or file.read(len(MAGIC)) != MAGIC:
            raise CheckpointError(f"{path} is not a GGUF file; fetch it again.")
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    reader = _Reader(data, path)
    version, tensors, count = reader.take("<IQQ")
    if version != VERSION:
        raise CheckpointError(f"{path} is GGUF of version {version}; only version {VERSION} is read.")
    settings: dict[str, Value] = {}
    for _ in range(reader.bounded(count, 12 + 1, "settings")):
        name = reader.text()
        if name in settings:
            raise reader.damaged(f"the setting {shown(name)} is there twice")
        settings[name] = reader.value()
    described: dict[str, tuple[int, tuple[int, ...], int]] = {}
    for _ in range(reader.bounded(tensors, 24 + 1, "tensors")):
        name = reader.text()
        if name in described:
            raise reader.damaged(f"the tensor {shown(name)} is there twice")
        described[name] = reader.tensor(name)
    alignment = settings.get(ALIGNMENT[0], ALIGNMENT[1])
    if type(alignment) is not int or alignment < 1:
        raise reader.damaged(f"{ALIGNMENT[0]} is {shown(str(alignment))}, but must be a positive number")
    first = math.ceil(reader.place / alignment) * alignment
    return Opened(path, settings, {name: _placed(reader, first, name, *each) for name, each in described.items()}, data)


def _placed(reader: _Reader, first: int, name: str, kind: int, shape: tuple[int, ...], offset: int) -> Stored:
    """Check that all blocks of a tensor are in the file."""
    values, block = KINDS[kind].values, KINDS[kind].block
    if shape[-1] % values:
        raise reader.damaged(
            f"the rows of {shown(name)} have {shape[-1]} values, which blocks of {values} do not divide"
        )
    blocks = math.prod(shape) // values
    if first + offset + blocks * block.itemsize > len(reader.data):
        raise reader.damaged(f"the tensor {shown(name)} ends beyond the end of the file")
    return Stored(kind, shape, first + offset, blocks)


class _Reader:
    """Bytes read from front to back, never beyond the end."""

    def __init__(self, data: mmap.mmap, path: Path):
        self.data, self.path, self.place = data, path, len(MAGIC)

    def damaged(self, reason: str) -> CheckpointError:
        return CheckpointError(f"{self.path} is damaged: {reason}; fetch the file again.")

    def skip(self, size: int) -> int:
        """Move over so many bytes; return where they begin."""
        start = self.place
        if size > len(self.data) - start:
            raise self.damaged("it ends early")
        self.place += size
        return start

    def take(self, layout: str) -> tuple[Any, ...]:
        """Read values in a layout of `struct`."""
        return struct.unpack_from(layout, self.data, self.skip(struct.calcsize(layout)))

    def bounded(self, count: int, least: int, what: str) -> int:
        """Check a number of things of at least so many bytes each against what is left of the file."""
        if count > (len(self.data) - self.place) // least:
            raise self.damaged(f"it has no room for {count} {what}")
        return count

    def text(self) -> str:
        (length,) = self.take("<Q")
        start = self.skip(length)
        try:
            return self.data[start : start + length].decode()
        except UnicodeDecodeError:
            raise self.damaged("a text is no UTF-8") from None

    def value(self) -> Value:
        """Read the type and the value of a setting."""
        (kind,) = self.take("<I")
        if kind != LIST:
            return self.values(kind, 1)[0]
        kind, count = self.take("<IQ")
        return self.values(kind, count)

    def values(self, kind: int, count: int) -> list[Value]:
        if kind == TEXT:
            return [self.text() for _ in range(self.bounded(count, 8, "texts"))]
        if kind not in NUMBERS:
            raise self.damaged(f"a setting is of the unknown type {kind}")
        numbers = np.dtype(NUMBERS[kind])
        start = self.skip(self.bounded(count, numbers.itemsize, "numbers") * numbers.itemsize)
        listed: list[Value] = np.frombuffer(self.data, numbers, count, start).tolist()
        return listed

    def tensor(self, name: str) -> tuple[int, tuple[int, ...], int]:
        """Read type, shape and place of a tensor."""
        (count,) = self.take("<I")
        if not 1 <= count <= MOST_SIZES:
            raise self.damaged(f"the tensor {shown(name)} has {count} sizes")
        *sizes, kind, offset = self.take(f"<{count}QIQ")
        if not all(0 < size < 2**31 for size in sizes):
            raise self.damaged(f"the tensor {shown(name)} has the sizes {sizes}")
        if kind not in KINDS:
            raise CheckpointError(
                f"{self.path} holds tensors of type {kind}; only F32, F16, Q4_0, Q4_1 and Q8_0 are read: choose a file "
                "of one of these."
            )
        return kind, tuple(reversed(sizes)), offset
