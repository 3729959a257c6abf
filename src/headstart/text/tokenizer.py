"""Texts to token ids, stored flat: one array of tokens for all texts and the boundaries between them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from headstart.core.errors import CheckpointError

# Longest text handed to a tokenizer, in characters per token of the window: a 10 MB text costs seconds and gigabytes
# even when all but its beginning is cut off afterwards. No word in running text comes near it.
CHARACTERS_PER_TOKEN = 64
# Texts are encoded so many at a time; fewer than MANY of them have too few words in common to be worth a table.
CHUNK = 1024
MANY = 32
MOST_WORDS = 500_000
# Characters of the texts remembered for a vocabulary; beside them a text takes about BYTES_BESIDE more.
MOST_REMEMBERED = 100_000_000
BYTES_BESIDE = 250
BYTES = array("i").itemsize

# Parts of a tokenizer.json that are known to be safe; others take patterns or tables that can hang or crash.
SAFE = {
    "model": {"WordPiece", "BPE"},
    "normalizer": {"BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD", "Sequence"},
    "pre_tokenizer": {"BertPreTokenizer", "ByteLevel", "Whitespace", "WhitespaceSplit", "Sequence"},
    "post_processor": {"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"},
}
PARTS_OF_SEQUENCE = ("normalizers", "pretokenizers", "processors")


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


class Memory:
    """Texts that a vocabulary has encoded, by their characters: each is encoded once, whoever asks.

    bodies: text -> its ids without special tokens, as the bytes of 32-bit numbers.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.size = 0

    def find(self, texts: list[str], encode: Callable[[list[str]], list[bytes]]) -> list[bytes]:
        """Give texts' ids, calling `encode` for those not seen before; the oldest are forgotten beyond a limit."""
        if self.size > MOST_REMEMBERED:
            for text in list(self.bodies)[: len(self.bodies) // 2]:
                del self.bodies[text]
            self.size = sum(map(len, self.bodies)) + BYTES_BESIDE * len(self.bodies)
        new = [text for text in dict.fromkeys(texts) if text not in self.bodies]
        self.bodies.update(zip(new, encode(new), strict=True))
        self.size += sum(map(len, new)) + BYTES_BESIDE * len(new)
        return [self.bodies[text] for text in texts]


class Tokenizer:
    """A `tokenizers` tokenizer with its window and special tokens, and nothing of padding."""

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        window: int,
        settings: dict[str, Any] | None = None,
        memory: Memory | None = None,
    ):
        """Take over a backend; its own padding and truncation are switched off.

        Args:
            window: most tokens of one text, special tokens included.
            settings: what ``tokenizer_config.json`` held, kept so that saving gives it back.
            memory: of the texts that the same vocabulary has encoded elsewhere; None for a fresh one.
        """
        self.memory: Memory | None = memory or Memory()
        self.backend = backend
        self.backend.no_padding()
        self.backend.no_truncation()
        self.window = window
        self.settings = dict(settings or {})
        probe = backend.encode("a")
        inside = probe.special_tokens_mask.index(0)
        closing = probe.special_tokens_mask[::-1].index(0)
        self.opening: list[int] = probe.ids[:inside]
        self.closing: list[int] = probe.ids[len(probe.ids) - closing :]

    def forget(self) -> None:
        """Remember no texts from now on, for a stream of them that seldom come twice."""
        self.memory = None

    @property
    def size(self) -> int:
        """Number of rows that an embedding of the tokens needs: the highest id plus one."""
        ids = self.backend.get_vocab(with_added_tokens=True).values()
        return 1 + max([*ids, *self.opening, *self.closing])

    @property
    def padding(self) -> int:
        """Id of the padding token, for models opened elsewhere; 0 where there is none."""
        return self._special("pad_token", "[PAD]") or 0

    @property
    def unknown(self) -> int | None:
        """Id of the token that stands for unknown words; None where there is none."""
        return self._special("unk_token", "[UNK]")

    @property
    def mask(self) -> int | None:
        """Id of the token that hides a word in pretraining; None where there is none."""
        return self._special("mask_token", "[MASK]")

    @property
    def special(self) -> list[int]:
        """Ids of all special tokens, ascending."""
        added = self.backend.get_added_tokens_decoder()
        return sorted(number for number, token in added.items() if token.special)

    def _special(self, role: str, usual: str) -> int | None:
        token = self.settings.get(role) or usual
        found: int | None = self.backend.token_to_id(token["content"] if isinstance(token, dict) else str(token))
        return found

    def encode(self, texts: Sequence[str], window: int | None = None) -> Encoded:
        """Turn texts into token ids, cutting each to the window and counting what was cut.

        Args:
            window: most tokens of one text, special tokens included; None for the tokenizer's own.
        """
        window = min(window or self.window, self.window)
        limit = window * CHARACTERS_PER_TOKEN
        room = max(0, window - len(self.opening) - len(self.closing))
        opening, closing = array("i", self.opening).tobytes(), array("i", self.closing).tobytes()
        joined = bytearray()
        lengths = array("q", [0])
        left_out = total = 0.0
        for body, text in zip(self._bodies(texts, limit), texts, strict=True):
            found = len(body) // BYTES
            kept = min(found, room)
            # A text cut before tokenising has its missing tokens estimated from the part that was read.
            full = found * max(1.0, len(text) / limit)
            total += full
            left_out += full - kept
            joined += opening + body[: kept * BYTES] + closing
            lengths.append(len(self.opening) + kept + len(self.closing))
        tokens = np.frombuffer(joined, dtype=np.int32)
        return Encoded(tokens, np.cumsum(lengths, dtype=np.int64), left_out / total if total else 0.0)

    def encode_whole(self, texts: Sequence[str]) -> Encoded:
        """Turn texts into token ids without special tokens, and cut nothing off."""
        bodies = list(self._bodies(texts, None))
        lengths = [0, *(len(body) // BYTES for body in bodies)]
        return Encoded(np.frombuffer(b"".join(bodies), dtype=np.int32), np.cumsum(lengths, dtype=np.int64))

    def _bodies(self, texts: Sequence[str], limit: int | None) -> Iterator[bytes]:
        """Give each text's ids without special tokens, as the bytes of 32-bit numbers."""
        known: dict[str, bytes] | None = {} if len(texts) >= MANY and self._splits_at_spaces() else None
        for start in range(0, len(texts), CHUNK):
            chunk = [clean(text[:limit]) for text in texts[start : start + CHUNK]]
            encode = self._encode if known is None else partial(self._encode_words, known=known)
            yield from encode(chunk) if self.memory is None else self.memory.find(chunk, encode)

    def _encode(self, texts: list[str]) -> list[bytes]:
        encodings = self.backend.encode_batch_fast(texts, add_special_tokens=False)
        return [array("i", encoding.ids).tobytes() for encoding in encodings]

    def _encode_words(self, texts: list[str], known: dict[str, bytes]) -> list[bytes]:
        """Encode each distinct word once: several times faster, since most words of a text have been seen before.

        Args:
            known: words already encoded; grows in place.
        """
        split = [text.split(" ") for text in texts]
        if len(known) > MOST_WORDS:
            known.clear()
        new = list(set().union(*split) - known.keys())
        groups = [new[start : start + CHUNK] for start in range(0, len(new), CHUNK)]
        # Not the "fast" call, which forgets which word a token came from.
        encodings = self.backend.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
        for words, encoding in zip(groups, encodings, strict=True):
            ids = array("i", encoding.ids).tobytes()
            starts = np.searchsorted(np.array(encoding.word_ids, dtype=np.int64), range(len(words) + 1)) * BYTES
            ends = starts[1:].tolist()
            known.update((word, ids[start:end]) for word, start, end in zip(words, starts.tolist(), ends, strict=False))
        return [b"".join(map(known.__getitem__, words)) for words in split]

    def _splits_at_spaces(self) -> bool:
        """Say whether a word's tokens never depend on what stands beyond the next space, as in BERT."""
        return (
            isinstance(self.backend.pre_tokenizer, tokenizers.pre_tokenizers.BertPreTokenizer)
            and isinstance(self.backend.normalizer, tokenizers.normalizers.BertNormalizer)
            and not any(" " in token.content for token in self.backend.get_added_tokens_decoder().values())
        )

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
        window: most tokens that the model takes, special tokens included; the folder may ask for fewer.

    Raises:
        CheckpointError: there is no ``tokenizer.json``, or it cannot be read or trusted.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(f"no tokenizer.json in {folder}: a fast tokenizer is needed beside the weights.")
    stored = _read_json(path)
    for part, allowed in SAFE.items():
        for kind in _kinds(stored.get(part)):
            if kind not in allowed:
                known = ", ".join(sorted(allowed))
                raise CheckpointError(f"{path}: {part} of type {kind!r} is not supported; known: {known}.")
    config = folder / "tokenizer_config.json"
    settings = _read_json(config) if config.is_file() else {}
    most = settings.get("model_max_length")
    window = min(window, int(most)) if isinstance(most, int | float) and most >= 1 else window
    try:
        # Padding to a length that the file chooses could take all memory.
        content = json.dumps({**stored, "padding": None, "truncation": None})
        return Tokenizer(tokenizers.Tokenizer.from_str(content), window, settings, _memory(content))
    except BaseException as error:  # a damaged file makes the library panic, which is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        raise CheckpointError(f"{path} is no readable tokenizer ({error}); fetch the model again.") from None


@lru_cache(maxsize=4)
def _memory(content: str) -> Memory:
    """Share one memory among all tokenizers of the same content: a comparison opens a backbone many times."""
    return Memory()


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes, by question marks."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def _kinds(part: Any) -> Iterator[str]:
    """List the types of a part of tokenizer.json and of the parts inside it."""
    if isinstance(part, dict):
        yield str(part.get("type"))
        for name in PARTS_OF_SEQUENCE:
            for inner in part.get(name) or ():
                yield from _kinds(inner)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is no readable JSON ({error}); fetch the model again.") from None
    if not isinstance(stored, dict):
        raise CheckpointError(f"{path} holds no JSON object; fetch the model again.")
    return stored
