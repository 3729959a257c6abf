"""Documents as token ids in memory-mapped files: tokenised once, then read at random from disk, whatever their size.

FOLDER/tokens.bin       the tokens of all documents end to end, uint16 (int32 for vocabularies above 65,536)
FOLDER/sentences.bin    where each sentence ends, int64
FOLDER/documents.bin    where each document ends, int64
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headstart.core.errors import DataError
from headstart.core.files import write_text
from headstart.text import sentences
from headstart.text.tokenizer import Tokenizer

# Characters tokenised at once: each distinct word in them is tokenised once, and the memory is bounded.
CHUNK = 8_000_000


@dataclass(frozen=True)
class Shard:
    """Tokenised documents.

    tokens: int ``(tokens,)``, without special tokens.
    sentences: int64 ``(sentences,)``, ascending ends.
    documents: int64 ``(documents + 1,)``; document i is ``tokens[documents[i]:documents[i + 1]]``.
    """

    tokens: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray

    def __len__(self) -> int:
        return len(self.documents) - 1


@dataclass(frozen=True)
class Windows:
    """Pieces of documents that a model reads at once, in the order of the text.

    starts: int64 ``(windows,)``, first token of each window.
    ends: int64 ``(windows,)``, token after the last one of each window.
    limits: int64 ``(windows,)``, where the document ends.
    """

    starts: np.ndarray
    ends: np.ndarray
    limits: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)


def write(folder: Path, documents: Iterable[str], tokenizer: Tokenizer) -> None:
    """Tokenise documents into the files of a folder, in bounded memory; documents without tokens are left out.

    Args:
        folder: an existing folder; the caller renames it into place when everything is written.
        documents: the texts.
        tokenizer: the tokenizer.

    Raises:
        DataError: there are fewer than two documents, so none can be held out.
    """
    tokenizer.forget()
    kind = np.dtype(np.uint16 if tokenizer.size <= 2**16 else np.int32)
    total = count = 0
    with (
        (folder / "tokens.bin").open("wb") as tokens,
        (folder / "sentences.bin").open("wb") as ends,
        (folder / "documents.bin").open("wb") as limits,
    ):
        limits.write(np.zeros(1, np.int64).tobytes())
        for chunk in _chunks(documents):
            parts = [list(sentences.split(document)) for document in chunk]
            encoded = tokenizer.encode_whole(list(itertools.chain.from_iterable(parts)))
            last = encoded.boundaries[np.cumsum([len(part) for part in parts])]
            last = last[np.diff(last, prepend=0) > 0]
            tokens.write(encoded.tokens.astype(kind).tobytes())
            ends.write((total + encoded.boundaries[1:][encoded.lengths > 0]).tobytes())
            limits.write((total + last).tobytes())
            total += len(encoded.tokens)
            count += len(last)
    if count < 2:
        raise DataError(
            f"the text holds {count} document{'s' * (count != 1)}, and at least two are needed, one of them to judge "
            "by; end documents by blank lines, or give more text."
        )
    write_text(folder / "kind.json", json.dumps(kind.name))


def read(folder: Path) -> Shard:
    """Open the files that :func:`write` wrote, without reading them."""
    kind = json.loads((folder / "kind.json").read_text(encoding="utf-8"))
    return Shard(
        np.memmap(folder / "tokens.bin", dtype=kind, mode="r"),
        np.memmap(folder / "sentences.bin", dtype=np.int64, mode="r"),
        np.memmap(folder / "documents.bin", dtype=np.int64, mode="r"),
    )


def windows(shard: Shard, room: int, documents: np.ndarray) -> Windows:
    """Cut some documents into windows of `room` tokens; the last window of each may be shorter.

    >>> shard = Shard(np.arange(9), np.array([2, 9]), np.array([0, 5, 9]))
    >>> cut = windows(shard, 3, np.array([0, 1]))
    >>> cut.starts.tolist(), cut.ends.tolist()
    ([0, 3, 5, 8], [3, 5, 8, 9])
    """
    starts, limits = shard.documents[documents], shard.documents[documents + 1]
    counts = -(-(limits - starts) // room)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    starts, limits = np.repeat(starts, counts) + room * within, np.repeat(limits, counts)
    return Windows(starts, np.minimum(starts + room, limits), limits)


def _chunks(documents: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for document in documents:
        chunk.append(document)
        size += len(document)
        if size > CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
