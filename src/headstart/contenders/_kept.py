"""States of frozen stages, computed once per text: in a memory-mapped file that trainings share.

FOLDER/KEY.rows     the states, one row a token (or a text), 16-bit floats (or 32-bit)
FOLDER/KEY.index    which text's rows begin where, written whole once the rows are there

KEY names the weights and what is kept of them, so a folder serves every seed and every number of rows. A kill while
rows are added leaves the index that was, and the same rows are computed again.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from headstart.core.files import replacing
from headstart.nn.packed import Kept

# All files of a folder together. IMDB's 25,000 reviews take 5 GB.
MOST_BYTES = 16 * 2**30
KEY_BYTES = 16


@dataclass
class _Index:
    """Where each text's rows begin, how many rows there are, and the seconds that they took."""

    places: dict[bytes, int]
    rows: int = 0
    seconds: float = 0.0


def name_texts(tokens: np.ndarray, boundaries: np.ndarray) -> list[bytes]:
    """Name texts by their token ids: equal ids, equal names.

    >>> names = name_texts(np.array([5, 6, 5, 6, 7], dtype=np.int32), np.array([0, 2, 4, 5]))
    >>> names[0] == names[1], names[0] == names[2]
    (True, False)
    """
    data = tokens.tobytes()
    ends = (boundaries * tokens.itemsize).tolist()
    return [hashlib.blake2b(data[a:b], digest_size=KEY_BYTES).digest() for a, b in itertools.pairwise(ends)]


def keep(
    folder: Path,
    key: str,
    names: Sequence[bytes],
    lengths: np.ndarray,
    width: int,
    stages: int,
    by_token: bool,
    compute: Callable[[np.ndarray], Iterable[tuple[np.ndarray, Tensor]]],
) -> tuple[Kept | None, float]:
    """Find the states of texts, computing and adding those that are not there.

    Args:
        names: one per text, see :func:`name_texts`.
        lengths: tokens of each text, int64 ``(texts,)``.
        stages, by_token: see :class:`~headstart.nn.packed.Kept`.
        compute: given texts' numbers, yields batches: some of these numbers, and their states end to end.

    Returns:
        the states, None where they would not fit in `MOST_BYTES` (older files of the folder make room first); and the
        seconds that it took, at some other time, to compute those that were here already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{key}.rows"
    kind = np.dtype(np.float16 if by_token else np.float32)
    index = _read(path.with_suffix(".index"))
    sizes = lengths if by_token else np.ones_like(lengths)
    first = {name: number for number, name in reversed(list(enumerate(names)))}
    missing = np.array(sorted(number for name, number in first.items() if name not in index.places), dtype=np.int64)
    known = np.array([number for name, number in first.items() if name in index.places], dtype=np.int64)
    reused = index.seconds * int(sizes[known].sum()) / max(1, index.rows)
    size = index.rows + int(sizes[missing].sum())
    if not _make_room(path, size * width * kind.itemsize):
        return None, 0.0
    array = np.memmap(path, dtype=kind, mode="r+", shape=(size, width))
    states = torch.from_numpy(array)
    if len(missing):
        began = time.perf_counter()
        for texts, found in compute(missing):
            places = index.rows + np.cumsum(sizes[texts]) - sizes[texts]
            states[index.rows : index.rows + len(found)] = found.to("cpu", states.dtype)
            index.places.update(zip([names[text] for text in texts.tolist()], places.tolist(), strict=True))
            index.rows += len(found)
        index.seconds += time.perf_counter() - began
        array.flush()
        _write(path.with_suffix(".index"), index)
    starts = np.fromiter((index.places[name] for name in names), dtype=np.int64, count=len(names))
    return Kept(stages, states, starts, by_token), reused


def _make_room(path: Path, size: int) -> bool:
    """Give the file its size on the disk, deleting others of its folder, the oldest first, where they leave no room.

    Space is reserved at once: a full disk is then an error here, and not a signal in the middle of a write.
    """
    if size > MOST_BYTES:
        return False
    others = sorted((other for other in path.parent.glob("*.rows") if other != path), key=lambda o: o.stat().st_mtime)
    taken = sum(other.stat().st_size for other in others)
    for other in others:
        if taken + size <= MOST_BYTES:
            break
        taken -= other.stat().st_size
        other.with_suffix(".index").unlink(missing_ok=True)
        other.unlink()
    with path.open("ab") as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
    return True


def _read(path: Path) -> _Index:
    if not path.is_file():
        return _Index({})
    with np.load(path) as stored:
        places = dict(zip((name.tobytes() for name in stored["names"]), stored["starts"].tolist(), strict=True))
        return _Index(places, int(stored["rows"]), float(stored["seconds"]))


def _write(path: Path, index: _Index) -> None:
    names = np.frombuffer(b"".join(index.places), dtype=np.uint8).reshape(-1, KEY_BYTES)
    starts = np.fromiter(index.places.values(), dtype=np.int64, count=len(index.places))
    with replacing(path) as fresh, fresh.open("wb") as file:
        np.savez(file, names=names, starts=starts, rows=index.rows, seconds=index.seconds)
