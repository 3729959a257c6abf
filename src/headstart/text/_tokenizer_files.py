"""The files of a model folder that define a tokenizer, read within size limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from headstart.core import lfs
from headstart.core.opening import MOST_BYTES, parsed_object, present, read_bytes

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
        return parsed_object(self.read(name), self.path(name)) if name in self else {}


def read(folder: Path, model_type: str = "") -> Files:
    """Read the existing files.

    Raises:
        CheckpointError: one is larger than any tokenizer's, or is only a Git LFS pointer.
    """
    contents = []
    for name in NAMES:
        path = folder / name
        if present(path):
            lfs.refuse_pointer(path)
            contents.append((name, read_bytes(path, MOST_BYTES)))
    return Files(folder, tuple(contents), model_type)
