"""Texts to token ids, stored flat: one array of tokens for all texts and the boundaries between them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tokenizers

from headstart.core.errors import CheckpointError

# Longest text handed to a tokenizer, in characters per token of the window: a 10 MB text costs seconds and gigabytes
# even when all but its beginning is cut off afterwards. No word in running text comes near it.
CHARACTERS_PER_TOKEN = 64


@dataclass(frozen=True)
class Encoded:
    """Token ids of many texts without padding.

    tokens: int32 ``(tokens,)``, text after text, special tokens included.
    boundaries: int64 ``(texts + 1,)``; text i is ``tokens[boundaries[i]:boundaries[i + 1]]``.
    cut_off: share (0 to 1) of the texts' tokens that lie beyond the window and were left out.
    """

    tokens: np.ndarray
    boundaries: np.ndarray
    cut_off: float = 0.0

    def __len__(self) -> int:
        return len(self.boundaries) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, int64 ``(texts,)``."""
        return np.diff(self.boundaries)


class Tokenizer:
    """A `tokenizers` tokenizer with its window and special tokens, and nothing of padding."""

    def __init__(self, backend: tokenizers.Tokenizer, window: int, settings: dict[str, object] | None = None):
        """Take over a backend; its own padding and truncation are switched off.

        Args:
            window: most tokens of one text, special tokens included.
            settings: what ``tokenizer_config.json`` held, kept so that saving gives it back.
        """
        self.backend = backend
        self.backend.no_padding()
        self.backend.no_truncation()
        self.window = window
        self.settings = dict(settings or {})

    @property
    def size(self) -> int:
        """Number of token ids, special tokens included."""
        return self.backend.get_vocab_size(with_added_tokens=True)

    @property
    def padding(self) -> int:
        """Id of the padding token, for models opened elsewhere; 0 where there is none."""
        token = self.settings.get("pad_token") or "[PAD]"
        return self.backend.token_to_id(token["content"] if isinstance(token, dict) else str(token)) or 0

    def encode(self, texts: Sequence[str], window: int | None = None) -> Encoded:
        """Turn texts into token ids, cutting each to the window and counting what was cut.

        Args:
            window: most tokens of one text, special tokens included; None for the tokenizer's own.
        """
        window = min(window or self.window, self.window)
        limit = window * CHARACTERS_PER_TOKEN
        special = self.backend.num_special_tokens_to_add(is_pair=False)
        pieces: list[np.ndarray] = []
        lengths = [0]
        left_out = 0.0
        total = 0.0
        for encoding, text in zip(self._encodings(texts, limit), texts, strict=True):
            ids = encoding.ids
            # A text cut before tokenising has its missing tokens estimated from the part that was read.
            full = (len(ids) - special) * max(1.0, len(text) / limit)
            total += full
            if len(ids) > window:
                # The closing special tokens stay: they follow the last token that fits.
                tail = _closing(encoding.special_tokens_mask)
                ids = ids[: window - tail] + ids[len(ids) - tail :]
            left_out += full - (len(ids) - special)
            pieces.append(np.asarray(ids, dtype=np.int32))
            lengths.append(len(ids))
        tokens = np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int32)
        return Encoded(tokens, np.cumsum(lengths, dtype=np.int64), left_out / total if total else 0.0)

    def _encodings(self, texts: Sequence[str], limit: int) -> Iterator[tokenizers.Encoding]:
        for start in range(0, len(texts), 1024):
            chunk = [clean(text[:limit]) for text in texts[start : start + 1024]]
            yield from self.backend.encode_batch_fast(chunk)

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json`` as Hugging Face reads them."""
        self.backend.save(str(folder / "tokenizer.json"))
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **self.settings,
            "model_max_length": self.window,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")


def load(folder: Path, window: int) -> Tokenizer:
    """Read the tokenizer of a model folder.

    Args:
        window: most tokens that the model takes, special tokens included.

    Raises:
        CheckpointError: there is no ``tokenizer.json``, or it cannot be read.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(f"no tokenizer.json in {folder}: a fast tokenizer is needed beside the weights.")
    try:
        backend = tokenizers.Tokenizer.from_file(str(path))
    except BaseException as error:  # a damaged file makes the library panic, which is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        raise CheckpointError(f"{path} is no readable tokenizer: {error}; fetch the model again.") from None
    config = folder / "tokenizer_config.json"
    settings = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    return Tokenizer(backend, window, settings)


def _closing(special_mask: list[int]) -> int:
    """Count the special tokens at the end of a text."""
    count = 0
    while count < len(special_mask) and special_mask[-1 - count]:
        count += 1
    return count


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
