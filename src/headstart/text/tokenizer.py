"""Texts to token ids, stored flat: one array of tokens for all texts and the boundaries between them."""

from __future__ import annotations

import copy
import json
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import tokenizers

from headstart.core.errors import CheckpointError, UsageError
from headstart.core.files import write_text
from headstart.core.long_texts import LongTexts
from headstart.core.opening import guarded, naming
from headstart.core.sequences import Encoded
from headstart.text import _long, marked, turns, windows
from headstart.text._open_tokenizer import build
from headstart.text._pairs import shares_of
from headstart.text._special_tokens import around, of_pairs
from headstart.text._tokenizer_files import read as read_files
from headstart.text._tokenizer_safety import inside
from headstart.text._words import windowed
from headstart.text.scripts import starts_unspaced

# Maximum length of a text passed to a tokenizer, in characters per token of the window. A 10 MB text costs seconds and
# gigabytes even when everything but its beginning is truncated afterwards. No word in running text is so long.
CHARACTERS_PER_TOKEN = 64
# Texts are encoded in chunks of this size; fewer than MANY texts share too few words for a table of words.
CHUNK = 1024
MANY = 32
MOST_WORDS = 500_000
# Maximum number of characters cached per vocabulary; a text takes about BYTES_BESIDE more.
MOST_REMEMBERED = 100_000_000
BYTES_BESIDE = 250
BYTES = array("i").itemsize
# In tokenizer_config.json: a prefix that a model was trained with, such as 'query: '.
PREFIX, LONGEST_PREFIX = "headstart_prefix", 64


class Memory:
    """A cache of encoded texts for one vocabulary: each text is encoded once for all contenders.

    bodies: text -> its ids without special tokens, as the bytes of 32-bit numbers.
    """

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.size = 0

    def find(self, texts: list[str], encode: Callable[[list[str]], list[bytes]]) -> list[bytes]:
        """Return texts' ids, calling `encode` for those not cached; the oldest are evicted beyond a limit."""
        if self.size > MOST_REMEMBERED:
            for text in list(self.bodies)[: len(self.bodies) // 2]:
                del self.bodies[text]
            self.size = sum(map(len, self.bodies)) + BYTES_BESIDE * len(self.bodies)
        new = [text for text in dict.fromkeys(texts) if text not in self.bodies]
        self.bodies.update(zip(new, encode(new), strict=True))
        self.size += sum(map(len, new)) + BYTES_BESIDE * len(new)
        return [self.bodies[text] for text in texts]


class Tokenizer:
    """A tokenizer of the `tokenizers` library with its window and special tokens, without padding."""

    def __init__(
        self,
        backend: tokenizers.Tokenizer,
        window: int,
        settings: Mapping[str, object] | None = None,
        memory: Memory | None = None,
    ):
        """Wrap a backend; its own padding and truncation are turned off.

        Args:
            backend: the tokenizer.
            window: maximum number of tokens of a text, with special tokens.
            settings: contents of ``tokenizer_config.json``, which are saved again. If it contains `PREFIX`,
                :meth:`encode` puts that before each text.
            memory: cache shared with other tokenizers of the same vocabulary; None for a new one.
        """
        self.memory: Memory | None = memory or Memory()
        self.backend = backend
        self.backend.no_padding()
        self.backend.no_truncation()
        self.window = window
        self.settings = dict(settings or {})
        self.prefix = str(self.settings.get(PREFIX, ""))
        self.long = LongTexts()
        self.opening, self.closing = around(backend)
        self.between, self.segments = of_pairs(backend, self.closing)

    def reading(self, long: LongTexts) -> Tokenizer:
        """Return the same tokenizer with another way to read texts beyond its window."""
        copied = copy.copy(self)
        copied.long = long
        return copied

    def forget(self) -> None:
        """Stop caching texts, for a stream of texts that rarely repeat."""
        self.memory = None

    @property
    def size(self) -> int:
        """Number of rows that an embedding of the tokens needs: the highest id plus one."""
        ids = self.backend.get_vocab(with_added_tokens=True).values()
        return 1 + max([*ids, *self.opening, *self.closing])

    @property
    def padding(self) -> int:
        """Id of the padding token, for models opened in other libraries; 0 if there is none."""
        return self._special("pad_token", "[PAD]", "<pad>") or 0

    @property
    def ending(self) -> list[int]:
        """Id of the token that ends a text; empty if there is none."""
        end = self._special("eos_token", "</s>", "<|endoftext|>")
        return self.closing[-1:] or ([] if end is None else [end])

    @property
    def unknown(self) -> int | None:
        """Id of the unknown token; None if there is none."""
        return self._special("unk_token", "[UNK]", "<unk>")

    @property
    def mask(self) -> int | None:
        """Id of the mask token of pretraining; None if there is none."""
        return self._special("mask_token", "[MASK]", "<mask>")

    @property
    def special(self) -> list[int]:
        """Ids of all special tokens, ascending."""
        added = self.backend.get_added_tokens_decoder()
        return sorted(number for number, token in added.items() if token.special)

    def inside_words(self) -> np.ndarray:
        """Return which tokens continue the word of the previous token, bool ``(size,)``.

        WordPiece marks these; byte-level BPE and Metaspace mark the tokens that begin a word. Each character of a
        script without spaces begins a word, but byte-level BPE does not show them.
        """
        marked = np.zeros(self.size, dtype=bool)
        model = self.backend.model
        kinds = {str(part["type"]) for part in (*_parts(self.backend.pre_tokenizer), *_parts(self.backend.normalizer))}
        known = self.backend.get_vocab(with_added_tokens=True).items()
        if isinstance(model, tokenizers.models.WordPiece):
            prefix = model.continuing_subword_prefix
            for token, number in known:
                marked[number] = token.startswith(prefix)
        elif "ByteLevel" in kinds:
            for token, number in known:
                marked[number] = not token.startswith("Ġ")
        elif kinds & {"Metaspace", "Replace"}:
            for token, number in known:
                marked[number] = not token.startswith("▁") and not starts_unspaced(token)
        return marked

    def _special(self, role: str, *usual: str) -> int | None:
        token = self.settings.get(role)
        if isinstance(token, dict):
            token = token["content"]
        ids = (self.backend.token_to_id(str(name)) for name in ((token,) if token else usual))
        return next((number for number in ids if number is not None), None)

    def encode(self, texts: Sequence[str], window: int | None = None) -> Encoded:
        """Turn texts into token ids, limit each to the window as `long` says, and count what was cut off.

        Args:
            texts: the texts.
            window: maximum number of tokens of a text, with special tokens; None for the tokenizer's own.
        """
        window = min(window or self.window, self.window)
        limit = window * CHARACTERS_PER_TOKEN
        if self.long.way != "first":
            read = [_long.readable(text, limit, self.long) for text in texts]
            longer = (max(1.0, len(text) / max(1, len(part))) for text, part in zip(texts, read, strict=True))
            prefix = b"".join(self._bodies([self.prefix.strip()], None)) if self.prefix else b""
            bodies = self._bodies(read, None, self.prefix)
            return _long.joined(bodies, longer, prefix, self.opening, self.closing, window, self.long)
        room = max(0, window - len(self.opening) - len(self.closing))
        opening, closing = array("i", self.opening).tobytes(), array("i", self.closing).tobytes()
        joined = bytearray()
        lengths = array("q", [0])
        left_out = total = 0.0
        for body, text in zip(self._bodies(texts, limit, self.prefix), texts, strict=True):
            count = len(body) // BYTES
            used = min(count, room)
            # For a text truncated before tokenising, the missing tokens are estimated from the part that was read.
            full = count * max(1.0, len(text) / limit)
            total += full
            left_out += full - used
            joined += opening + body[: used * BYTES] + closing
            lengths.append(len(self.opening) + used + len(self.closing))
        tokens = np.frombuffer(joined, dtype=np.int32)
        return Encoded(tokens, np.cumsum(lengths, dtype=np.int64), left_out / total if total else 0.0)

    def encode_pairs(self, first: Sequence[str], second: Sequence[str], window: int | None = None) -> Encoded:
        """Turn pairs of texts into token ids and segments, each pair truncated to the window, its longer text first.

        Ids and segments are those of a fast tokenizer of Hugging Face with ``truncation="longest_first"``.

        Args:
            first: the first text of each pair.
            second: the second text of each pair.
            window: maximum number of tokens of a pair, with special tokens; None for the tokenizer's own.

        Raises:
            UsageError: long texts are to be read in another way.
        """
        if self.long.way != "first":
            raise UsageError(
                "pairs of texts are truncated to the model's window, the longer text first; leave 'long' at 'first'."
            )
        window = min(window or self.window, self.window)
        limit = window * CHARACTERS_PER_TOKEN
        opening, between, closing = (array("i", part).tobytes() for part in (self.opening, self.between, self.closing))
        room = max(0, window - len(self.opening) - len(self.between) - len(self.closing))
        joined, numbers, lengths = bytearray(), array("B"), array("q", [0])
        left_out = total = 0.0
        sides = self._bodies(first, limit, self.prefix), self._bodies(second, limit)
        for one, other, *texts in zip(*sides, first, second, strict=True):
            counts = len(one) // BYTES, len(other) // BYTES
            used = shares_of(room, *counts)
            # For a text truncated before tokenising, the missing tokens are estimated from the part that was read.
            full = sum(n * max(1.0, len(text) / limit) for n, text in zip(counts, texts, strict=True))
            total += full
            left_out += full - sum(used)
            joined += opening + one[: used[0] * BYTES] + between + other[: used[1] * BYTES] + closing
            parts = len(self.opening), used[0], len(self.between), used[1], len(self.closing)
            for number, count in zip(self.segments, parts, strict=True):
                numbers.extend([number] * count)
            lengths.append(sum(parts))
        return Encoded(
            np.frombuffer(joined, dtype=np.int32),
            np.cumsum(lengths, dtype=np.int64),
            left_out / total if total else 0.0,
            segments=np.frombuffer(numbers, dtype=np.uint8) if any(self.segments) else None,
        )

    def encode_words(self, rows: Sequence[Sequence[str]], window: int | None = None) -> Encoded:
        """Turn rows of words into token ids with the number of the word that each token is from.

        Ids are those of Hugging Face with ``is_split_into_words=True``. A row with more tokens than the window becomes
        several sequences, which share a quarter of their tokens.

        Args:
            rows: the words of each row. A space at the beginning of a word matters to byte-level vocabularies, in which
                words have other tokens without it.
            window: maximum number of tokens of a sequence, with special tokens; None for the tokenizer's own.
        """
        window = min(window or self.window, self.window)
        clear = [[clean(word[: window * CHARACTERS_PER_TOKEN]) for word in words] for words in rows]
        prefix = [self.prefix.strip()] if self.prefix else []
        known: dict[str, bytes] = {}
        self._add_words(set(prefix).union(*clear), known)
        opening = [*self.opening, *(number for word in prefix for number in array("i", known[word]))]
        return windowed(clear, known, opening, self.closing, window)

    def encode_windows(self, questions: Sequence[str], contexts: Sequence[str]) -> Encoded:
        """Turn questions with contexts into pairs of texts, see `text.windows`."""
        return windows.encode(self, questions, contexts)

    def encode_marked(self, rows: Sequence[Sequence[str]], numbers: Sequence[Sequence[int]]) -> Encoded:
        """Turn texts that are divided into parts, some of them marked, into token ids, see `text.marked`."""
        return marked.encode(self, rows, numbers)

    def encode_turns(self, rows: Sequence[Sequence[tuple[str, str]]]) -> Encoded:
        """Turn conversations into token ids, see `text.turns`."""
        return turns.encode(self, rows)

    def encode_whole(self, texts: Sequence[str]) -> Encoded:
        """Turn texts into token ids without special tokens and without truncation."""
        bodies = list(self._bodies(texts, None))
        lengths = [0, *(len(body) // BYTES for body in bodies)]
        return Encoded(np.frombuffer(b"".join(bodies), dtype=np.int32), np.cumsum(lengths, dtype=np.int64))

    def _bodies(self, texts: Sequence[str], limit: int | None, prefix: str = "") -> Iterator[bytes]:
        """Return each text's ids without special tokens, without those of a prefix, as the bytes of 32-bit numbers."""
        known: dict[str, bytes] | None = {} if len(texts) >= MANY and self._splits_at_spaces() else None
        for start in range(0, len(texts), CHUNK):
            chunk = [clean(prefix + text[:limit]) for text in texts[start : start + CHUNK]]
            encode = self._encode if known is None else partial(self._encode_words, known=known)
            yield from encode(chunk) if self.memory is None else self.memory.find(chunk, encode)

    def _encode(self, texts: list[str]) -> list[bytes]:
        encodings = self.backend.encode_batch_fast(texts, add_special_tokens=False)
        return [array("i", encoding.ids).tobytes() for encoding in encodings]

    def _encode_words(self, texts: list[str], known: dict[str, bytes]) -> list[bytes]:
        """Encode each distinct word once: several times faster, since most words of a text have occurred before.

        Args:
            texts: the texts.
            known: ids of words already encoded; extended in place.
        """
        split = [text.split(" ") for text in texts]
        if len(known) > MOST_WORDS:
            known.clear()
        self._add_words(set().union(*split) - known.keys(), known)
        return [b"".join(map(known.__getitem__, words)) for words in split]

    def _add_words(self, new: Collection[str], known: dict[str, bytes]) -> None:
        """Add the ids of words that are encoded one by one to those of known words."""
        listed = list(new)
        groups = [listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK)]
        # Not the "fast" call, which does not return which word a token came from.
        encodings = self.backend.encode_batch(groups, is_pretokenized=True, add_special_tokens=False)
        for words, encoding in zip(groups, encodings, strict=True):
            ids = array("i", encoding.ids).tobytes()
            starts = np.searchsorted(np.array(encoding.word_ids, dtype=np.int64), range(len(words) + 1)) * BYTES
            ends = starts[1:].tolist()
            known.update((word, ids[start:end]) for word, start, end in zip(words, starts.tolist(), ends, strict=False))

    def _splits_at_spaces(self) -> bool:
        """Return whether a word's tokens never depend on what comes after the next space, as in BERT."""
        return (
            isinstance(self.backend.pre_tokenizer, tokenizers.pre_tokenizers.BertPreTokenizer)
            and isinstance(self.backend.normalizer, tokenizers.normalizers.BertNormalizer)
            and not any(map(self._holds_space, self.backend.get_added_tokens_decoder().values()))
        )

    def _holds_space(self, token: tokenizers.AddedToken) -> bool:
        """Return whether an added token may contain a space of the normalized text."""
        content = str(token.content)
        normal = self.backend.normalizer.normalize_str(content) if token.normalized else content
        return any(map(str.isspace, content + normal))

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json`` in Hugging Face's format."""
        write_text(folder / "tokenizer.json", self.backend.to_str(pretty=True))
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **self.settings,
            "model_max_length": self.window,
        }
        write_text(folder / "tokenizer_config.json", json.dumps(settings, indent=2))


def load(folder: Path, window: int, model_type: str = "") -> Tokenizer:
    """Read the tokenizer of a model folder; its ids are those of transformers' `AutoTokenizer`.

    The vocabulary comes from ``tokenizer.json``, otherwise from ``vocab.txt``, or ``vocab.json`` with ``merges.txt``.

    Args:
        folder: the model folder.
        window: maximum number of tokens that the model accepts, with special tokens; the folder may set a lower limit.
        model_type: family of the weights, such as 'bert', for defaults that no file sets; empty to use that of
            ``config.json``.

    Raises:
        CheckpointError: there is no vocabulary, or it cannot be read or is not safe.
    """
    with guarded(folder), naming(folder):
        return _load(folder, window, model_type)


def _load(folder: Path, window: int, model_type: str) -> Tokenizer:
    opened = build(read_files(folder, model_type))
    prefix = opened.settings.get(PREFIX, "")
    if not isinstance(prefix, str) or len(prefix) > LONGEST_PREFIX:
        raise CheckpointError(
            f"{folder}: '{PREFIX}' in tokenizer_config.json must be a text of at most {LONGEST_PREFIX} characters."
        )
    most = opened.settings.get("model_max_length", opened.settings.get("max_len"))
    # Some files contain 1e30 for "no limit", or even Infinity.
    if isinstance(most, int | float) and not isinstance(most, bool) and 1 <= most < window:
        window = int(most)
    content = opened.backend.to_str() + str(opened.backend.encode_special_tokens)
    tokenizer = Tokenizer(opened.backend, window, opened.settings, _memory(sha256(content.encode()).hexdigest()))
    if window <= len(tokenizer.opening) + len(tokenizer.closing):
        raise CheckpointError(
            f"{folder}: a window of {window} tokens leaves no room for text next to the special tokens."
        )
    return tokenizer


def _parts(part: object) -> Iterator[dict[str, object]]:
    """Return a normalizer or pre-tokenizer and the components inside it, as in tokenizer.json."""
    if isinstance(part, tokenizers.normalizers.Normalizer | tokenizers.pre_tokenizers.PreTokenizer):
        yield from inside(json.loads(part.__getstate__()))


@lru_cache(maxsize=4)
def _memory(digest: str) -> Memory:
    """Share one cache among all tokenizers of the same content: a comparison opens a backbone many times."""
    return Memory()


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer accepts, by question marks."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
