"""The files of a model folder that make a tokenizer, read within limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from headstart.core import lfs
from headstart.core.errors import CheckpointError

TOKENIZER = "tokenizer.json"
SETTINGS = "tokenizer_config.json"
# Older folders keep special tokens beside the settings; config.json says which family a vocabulary belongs to.
ROLES = "special_tokens_map.json"
ADDED = "added_tokens.json"
MODEL = "config.json"
WORDPIECE = "vocab.txt"
BPE = "vocab.json"
MERGES = "merges.txt"
# Of SentencePiece, under the names that DeBERTa, ALBERT and XLM-RoBERTa give it.
SENTENCEPIECE = ("spm.model", "spiece.model", "sentencepiece.bpe.model")
NAMES = (TOKENIZER, SETTINGS, ROLES, ADDED, MODEL, WORDPIECE, BPE, MERGES, *SENTENCEPIECE)
# The largest in use, of XLM-V's 900,000 pieces, takes less.
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Files:
    """What a folder holds of a tokenizer.

    contents: name and bytes of each file that is there. model_type: the family that the caller knows the weights to be
        of; empty for what config.json says.
    """

    folder: Path
    contents: tuple[tuple[str, bytes], ...]
    model_type: str = ""

    def __contains__(self, name: str) -> bool:
        return any(name == found for found, _ in self.contents)

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        return self.folder / name

    def read(self, name: str) -> bytes:
        """Return a file's bytes; none where it is not there."""
        return next((content for found, content in self.contents if found == name), b"")

    def json(self, name: str) -> dict[str, object]:
        """Return a file's JSON object; an empty one where it is not there.

        Raises:
            CheckpointError: it is no JSON object.
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
    """Read the files that are there.

    Raises:
        CheckpointError: one is larger than any tokenizer's, or only a pointer of Git LFS.
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
