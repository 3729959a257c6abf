"""A saved model whose word embeddings differ from its backbone's only in some rows: these rows, and the backbone.

FOLDER/model.safetensors    all weights but the word embeddings
FOLDER/words.safetensors    'index' int64 (rows,) and 'rows' float32 (rows, width); its header names the backbone and
                            the hash of its weights

A training changes only the rows that its texts use, far fewer than the 250,000 of a multilingual vocabulary. Such a
folder opens only in Headstart, as long as its backbone exists; :func:`complete` makes it an ordinary one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from headstart.checkpoints import _files, hub
from headstart.checkpoints._family import Family
from headstart.checkpoints._weights import WORDS, Weights, open_weights
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.files import replacing
from headstart.core.hashing import file_sha256
from headstart.core.opening import present
from headstart.core.tensors import save_tensors

FILE = "words.safetensors"
CHUNK = 4096  # rows compared at a time
MOST = 0.5  # share of changed rows from which the whole table is written


def save_changed(folder: Path, table: Tensor, family: Family, source: str) -> bool:
    """Write the rows of word embeddings ``(rows, width)`` that differ from those of the initial model.

    Args:
        folder: where to write.
        table: the word embeddings.
        family: the model's family.
        source: the initial model, as for `hub.find`.

    Returns:
        whether this was done: not if the source has no such table or most rows differ.
    """
    try:
        files = _files.find(hub.find(source))
    except (UsageError, CheckpointError):
        return False
    with open_weights(files, family) as weights:
        if not weights.has(WORDS) or weights.shape(WORDS) != tuple(table.shape):
            return False
        before = weights.read(WORDS)
    changed = [(a != b).any(1) for a, b in zip(table.split(CHUNK), before.split(CHUNK), strict=True)]
    index = torch.cat(changed).nonzero().flatten()
    if len(index) > MOST * len(table):
        return False
    place = str(Path(source).expanduser().absolute()) if Path(source).expanduser().is_dir() else source
    header = {"source": place, "sha256": _sha256(files), "bytes": str(table.nbytes)}
    save_tensors({"index": index, "rows": table[index].clone()}, folder / FILE, header)
    return True


@contextmanager
def opened(folder: Path, files: Sequence[Path], family: Family) -> Iterator[Weights]:
    """Open a folder's weights, with the unchanged rows of the word embeddings from the backbone.

    Raises:
        CheckpointError: a file is missing or malformed, or the backbone has changed.
    """
    path = folder / FILE
    with open_weights(files, family) as own:
        if not present(path):
            yield own
            return
        source, expected = _header(path)["source"], _header(path)["sha256"]
        try:
            base = _files.find(hub.find(source))
        except (UsageError, CheckpointError) as error:
            raise CheckpointError(
                f"{folder} was saved without the words of its backbone '{source}', which cannot be opened: put it "
                f"back, or run the comparison again; 'best' beside 'models' needs no backbone. ({error})"
            ) from None
        if _sha256(base) != expected:
            raise CheckpointError(
                f"{folder} was saved without the words of its backbone '{source}', which is another model now; "
                "run the comparison again."
            )
        with open_weights(base, family) as before:
            yield Weights(_Completed(own, before, _changed(path, before)), folder, family, in_place=True)


def _changed(path: Path, before: Weights) -> dict[str, Tensor]:
    """Read the changed rows, and check that they are rows of the backbone's table."""
    tensors = load_file(path)
    index, rows = tensors.get("index"), tensors.get("rows")
    height, width = before.shape(WORDS)
    if index is None or rows is None or index.dtype is not torch.int64 or rows.shape != (*index.shape, width):
        raise CheckpointError(f"{path} holds no rows of a table of words {width} wide; run the comparison again.")
    if index.ndim != 1 or not ((index >= 0) & (index < height)).all() or len(index.unique()) != len(index):
        raise CheckpointError(f"{path} names rows that the table of words does not have; run the comparison again.")
    if rows.dtype is not torch.float32 or not torch.isfinite(rows).all():
        raise CheckpointError(f"{path} holds values that are not finite numbers; run the comparison again.")
    return tensors


def base_of(folder: Path) -> str:
    """Return the backbone of a folder saved by its changed rows; '' for any other."""
    return _header(folder / FILE)["source"] if present(folder / FILE) else ""


def complete(folder: Path, family: Family) -> None:
    """Replace the files of a folder saved by its changed rows with one that contains all weights."""
    path = folder / "model.safetensors"
    with opened(folder, [path], family) as weights:
        tensors = {name: weights.file.get_tensor(name) for name in weights.present}
    with replacing(path) as fresh:
        save_tensors({name: tensor.contiguous() for name, tensor in tensors.items()}, fresh, {"format": "pt"})
    (folder / FILE).unlink()


def left_out(folder: Path) -> int:
    """Return the bytes by which the complete models of a folder are larger than its files."""
    return sum(int(_header(path)["bytes"]) - path.stat().st_size for path in folder.rglob(FILE))


class _Completed:
    """The tensors of an open file, and the word embeddings of the backbone with the changed rows replaced."""

    def __init__(self, own: Weights, before: Weights, changed: dict[str, Tensor]):
        self.own, self.before, self.changed = own.file, before, changed
        (self.words,) = own.family.names([WORDS])[WORDS]

    def keys(self) -> list[str]:
        """Return all names."""
        return [*self.own.keys(), self.words]

    def get_slice(self, name: str) -> _files.Slice:
        """Return the shape of a tensor without reading it."""
        if name != self.words:
            return self.own.get_slice(name)
        return self.before.slice(WORDS)

    def get_tensor(self, name: str) -> Tensor:
        """Read a tensor."""
        if name != self.words:
            return self.own.get_tensor(name)
        table = self.before.read(WORDS)
        table[self.changed["index"]] = self.changed["rows"]
        return table


def _header(path: Path) -> dict[str, str]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({error}); run the comparison again.") from None
    if not {"source", "sha256", "bytes"} <= header.keys():
        raise CheckpointError(f"{path} does not name its backbone; run the comparison again.")
    return dict(header)


def _sha256(files: Sequence[Path]) -> str:
    return hashlib.sha256("".join(map(file_sha256, files)).encode()).hexdigest()
