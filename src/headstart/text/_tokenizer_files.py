"""The files of a model folder that define a tokenizer, read within size limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from headstart.core import lfs
from headstart.core.errors import CheckpointError

TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
# Older folders have special tokens in a separate file; config.json names the family of the model.
ROLES = "special_tokens_map.json"
ADDED = "added_tokens.json"
MODEL = "config.json"
WORDPIECE = "vocab.txt"
BPE = "vocab.json"
MERGES = "merges.txt"
# SentencePiece models, under the names that DeBERTa, ALBERT and XLM-RoBERTa use.
SENTENCEPIECE = ("spm.model", "spiece.model", "sentencepiece.bpe.model")
NAMES = (TOKENIZER, SETTINGS, ROLES, ADDED, MODEL, WORDPIECE, BPE, MERGES, *SENTENCEPIECE)
# The largest in use, with XLM-V's 900,000 pieces, is smaller.
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Files:
    """The tokenizer files of a folder.

    folder: where they are.
    contents: name and bytes of each existing file.
    model_type: the model family known to the caller; empty to use that of config.json.
    """

    folder: Path
    contents: tuple[tuple[str, bytes], ...]
    model_type: str = ""

    def __contains__(self, name: str) -> bool:
        return any(name == existing for existing, _ in self.contents)

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self.folder / name

    def read(self, name: str) -> bytes:
        """Return a file's bytes, empty if it does not exist."""
        return next((content for existing, content in self.contents if existing == name), b"")

    def json(self, name: str) -> dict[str, object]:
        """Return a file's JSON object, empty if the file does not exist.

        Raises:
            CheckpointError: it is not a JSON object.
        """
        if name not in self:
            return {}
        try:
            stored = json.loads(self.read(name).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            message = f"{self.path(name)} is no readable JSON ({error}); fetch the model again."
            raise CheckpointError(message) from None
        if not isinstance(stored, dict):
            raise CheckpointError(f"{self.path(name)} holds no JSON object; fetch the model again.")
        return stored


def read(folder: Path, model_type: str = "") -> Files:
    """Read the existing files.

    Raises:
        CheckpointError: one is larger than any tokenizer's, or is only a Git LFS pointer.
    """
    contents = []
    for name in NAMES:
        path = folder / name
        if not path.is_file():
            continue
        if path.stat().st_size > MOST_BYTES:
            raise CheckpointError(f"{path} is larger than {MOST_BYTES // 2**20} MiB, so it is no tokenizer's file.")
        lfs.refuse_pointer(path)
        contents.append((name, path.read_bytes()))
    return Files(folder, tuple(contents), model_type)
