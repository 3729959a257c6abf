"""States of frozen stages, computed once per text, in a memory-mapped file that trainings share.

FOLDER/KEY.rows     the states, one row per token (or per text), 16-bit floats (or 32-bit)
FOLDER/KEY.index    where each text's rows begin, and the hashes of the rows; written atomically after the rows

KEY identifies the weights and which states are stored, so a folder serves every seed and every number of rows. A kill
while rows are added leaves the previous index, and the same rows are computed again. Rows that do not match the index,
and a damaged index, are deleted and computed again. Processes that share a folder append to it in turn; files are only
appended to, so what another process has mapped does not change.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from headstart.core import sealed
from headstart.core.alone import in_turn
from headstart.core.files import replacing, writing
from headstart.nn.packed import StoredStates

# All files of a folder together. IMDB's 25,000 reviews take 5 GB.
MOST_BYTES = 16 * 2**30
KEY_BYTES = 16
HASH_BYTES = 32
CHUNK = 2**20  # bytes hashed at a time

# Parts of files that this process has written or verified: device, inode, first byte, last byte, hash.
_sound: set[tuple[int, int, int, int, bytes]] = set()


@dataclass
class _Index:
    """Where each text's rows begin, how many rows there are, and the seconds that computing them took.

    parts: for rows that were added together, the number of rows up to their end and the SHA-256 of their bytes.
    """

    places: dict[bytes, int] = field(default_factory=dict)
    rows: int = 0
    seconds: float = 0.0
    parts: list[tuple[int, bytes]] = field(default_factory=list)


def name_texts(
    tokens: np.ndarray, boundaries: np.ndarray, segments: np.ndarray | None = None, marks: np.ndarray | None = None
) -> list[bytes]:
    """Identify texts by their token ids, and by their segments and marks if there are any: equal ids, equal names.

    >>> names = name_texts(np.array([5, 6, 5, 6, 7], dtype=np.int32), np.array([0, 2, 4, 5]))
    >>> names[0] == names[1], names[0] == names[2]
    (True, False)
    """
    if segments is not None:
        tokens = np.stack([tokens, segments.astype(tokens.dtype)], axis=1)  # (tokens, 2)
    data = tokens.tobytes()
    ends = (boundaries * tokens[:1].nbytes).tolist()
    after = [b""] * (len(boundaries) - 1) if marks is None else [part.tobytes() for part in marks]
    return [
        hashlib.blake2b(data[a:b] + more, digest_size=KEY_BYTES).digest()
        for (a, b), more in zip(itertools.pairwise(ends), after, strict=True)
    ]


def keep(
    folder: Path,
    key: str,
    names: Sequence[bytes],
    lengths: np.ndarray,
    width: int,
    stages: int,
    by_token: bool,
    compute: Callable[[np.ndarray], Iterable[tuple[np.ndarray, Tensor]]],
) -> tuple[StoredStates | None, float]:
    """Return the states of texts; compute and add those that are missing.

    Args:
        folder: of the files.
        key: identifies the weights and which states are stored.
        names: one per text, see :func:`name_texts`.
        lengths: tokens of each text, int64 ``(texts,)``.
        width: values per row.
        stages: see :class:`~headstart.nn.packed.StoredStates`.
        by_token: see :class:`~headstart.nn.packed.StoredStates`.
        compute: given texts' numbers, yields batches: some of these numbers, and their states end to end.

    Returns:
        the states, None if they would not fit in `MOST_BYTES` (older files of the folder are deleted first); and the
        seconds that computing the reused ones took before.
    """
    kind = np.dtype(np.float16 if by_token else np.float32)
    path = folder / f"{key}.rows"
    with in_turn(folder / "states"):
        index = _checked(path, width * kind.itemsize)
        sizes = lengths if by_token else np.ones_like(lengths)
        first = {name: number for number, name in reversed(list(enumerate(names)))}
        missing = np.array(sorted(number for name, number in first.items() if name not in index.places), dtype=np.int64)
        known = np.array([number for name, number in first.items() if name in index.places], dtype=np.int64)
        reused = index.seconds * int(sizes[known].sum()) / max(1, index.rows)
        size = index.rows + int(sizes[missing].sum())
        if not _make_room(path, size * width * kind.itemsize):
            return None, 0.0
        array = np.memmap(path, dtype=kind, mode="r+", shape=(size, width))
        if len(missing):
            began = time.perf_counter()
            _add(array, index, ((texts, sizes[texts], block) for texts, block in compute(missing)), names)
            array.flush()
            index.seconds += time.perf_counter() - began
            _write(path.with_suffix(".index"), index)
            _sound.add(_parts(path, index, width * kind.itemsize)[-1])
    starts = np.fromiter((index.places[name] for name in names), dtype=np.int64, count=len(names))
    return StoredStates(stages, torch.from_numpy(array), starts, by_token), reused


def _add(
    array: np.ndarray, index: _Index, batches: Iterable[tuple[np.ndarray, np.ndarray, Tensor]], names: Sequence[bytes]
) -> None:
    """Append states to the file, as one part, and hash them.

    Args:
        array: the memory-mapped file.
        index: what the file contains so far.
        batches: numbers of texts, rows of each, and all their states end to end.
        names: the name of each text.
    """
    states = torch.from_numpy(array)
    digest = hashlib.sha256()
    for texts, sizes, block in batches:
        places = index.rows + np.cumsum(sizes) - sizes
        end = index.rows + len(block)
        states[index.rows : end] = block.to("cpu", states.dtype)
        digest.update(array[index.rows : end].data)
        index.places.update(zip([names[text] for text in texts.tolist()], places.tolist(), strict=True))
        index.rows = end
    index.parts.append((index.rows, digest.digest()))


def _checked(path: Path, row_bytes: int) -> _Index:
    """Read the index of a file whose rows match it; an empty index if there is none or they do not match."""
    index_path = path.with_suffix(".index")
    try:
        index = _read(index_path)
        if (
            index is not None
            and path.is_file()
            and path.stat().st_size >= index.rows * row_bytes
            and all(part in _sound or _is_sound(path, part) for part in _parts(path, index, row_bytes))
        ):
            return index
    except OSError:
        pass  # no rows, or unreadable ones
    if index_path.exists():
        sealed.discard(index_path)
    # Rows without an index are those of a training that was killed before it had written one.
    sealed.remove(path)
    return _Index()


def _parts(path: Path, index: _Index, row_bytes: int) -> list[tuple[int, int, int, int, bytes]]:
    """Return which bytes of a file have which hash, see `_is_sound`."""
    file = path.stat()
    ends = [0, *(end * row_bytes for end, _ in index.parts)]
    spans = zip(itertools.pairwise(ends), index.parts, strict=True)
    return [(file.st_dev, file.st_ino, start, end, digest) for (start, end), (_, digest) in spans]


def _is_sound(path: Path, part: tuple[int, int, int, int, bytes]) -> bool:
    """Hash a part of a file, and remember it if the hash is right."""
    *_, start, end, expected = part
    digest = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (data := file.read(min(CHUNK, end - start))):
            digest.update(data)
            start += len(data)
    sound = start == end and digest.digest() == expected
    if sound:
        _sound.add(part)
    return sound


def _make_room(path: Path, size: int) -> bool:
    """Extend the file to its size on disk, and delete other files of its folder, oldest first, if space is needed.

    Space is reserved immediately: a full disk is then an error here, and not a signal in the middle of a write.
    """
    if size > MOST_BYTES:
        return False
    others = sorted((other for other in path.parent.glob("*.rows") if other != path), key=lambda o: o.stat().st_mtime)
    taken = sum(other.stat().st_size for other in others)
    for other in others:
        if taken + size <= MOST_BYTES:
            break
        taken -= other.stat().st_size
        sealed.remove(other.with_suffix(".index"))
        sealed.remove(other)
    with writing(path, size), path.open("ab") as file:
        file.truncate(size)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
    return True


def _read(path: Path) -> _Index | None:
    """Read an index; None if there is none or it is damaged.

    Raises:
        OSError: it is not a file.
    """
    if not path.exists():
        return None
    data = path.read_bytes()
    if hashlib.sha256(data[HASH_BYTES:]).digest() != data[:HASH_BYTES]:
        return None
    with np.load(io.BytesIO(data[HASH_BYTES:])) as stored:
        names = (name.tobytes() for name in stored["names"])
        hashes = (digest.tobytes() for digest in stored["hashes"])
        return _Index(
            dict(zip(names, stored["starts"].tolist(), strict=True)),
            int(stored["rows"]),
            float(stored["seconds"]),
            list(zip(stored["ends"].tolist(), hashes, strict=True)),
        )


def _write(path: Path, index: _Index) -> None:
    """Write an index after its own hash."""
    file = io.BytesIO()
    np.savez(
        file,
        names=np.frombuffer(b"".join(index.places), dtype=np.uint8).reshape(-1, KEY_BYTES),
        starts=np.fromiter(index.places.values(), dtype=np.int64, count=len(index.places)),
        rows=index.rows,
        seconds=index.seconds,
        ends=np.array([end for end, _ in index.parts], dtype=np.int64),
        hashes=np.frombuffer(b"".join(digest for _, digest in index.parts), dtype=np.uint8).reshape(-1, HASH_BYTES),
    )
    with replacing(path) as fresh:
        fresh.write_bytes(hashlib.sha256(file.getvalue()).digest() + file.getvalue())
