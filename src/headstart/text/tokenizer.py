"""Texts to token ids, stored flat: one array of tokens for all texts and the boundaries between them."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np
import tokenizers

from headstart.core.errors import CheckpointError
from headstart.text._open_tokenizer import build
from headstart.text._tokenizer_files import read as read_files
from headstart.text._tokenizer_safety import inside
from headstart.text.scripts import starts_unspaced

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
# In tokenizer_config.json: what a model was trained to find before each text, such as 'query: '.
PREFIX, LONGEST_PREFIX = "headstart_prefix", 64


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
        settings: Mapping[str, object] | None = None,
        memory: Memory | None = None,
    ):
        """Take over a backend; its own padding and truncation are switched off.

        Args:
            window: most tokens of one text, special tokens included.
            settings: what ``tokenizer_config.json`` held, kept so that saving gives it back. With `PREFIX` among them,
                :meth:`encode` puts that before each text.
            memory: of the texts that the same vocabulary has encoded elsewhere; None for a fresh one.
        """
        self.memory: Memory | None = memory or Memory()
        self.backend = backend
        self.backend.no_padding()
        self.backend.no_truncation()
        self.window = window
        self.settings = dict(settings or {})
        self.prefix = str(self.settings.get(PREFIX, ""))
        self.opening, self.closing = _around(backend)

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
        return self._special("pad_token", "[PAD]", "<pad>") or 0

    @property
    def unknown(self) -> int | None:
        """Id of the token that stands for unknown words; None where there is none."""
        return self._special("unk_token", "[UNK]", "<unk>")

    @property
    def mask(self) -> int | None:
        """Id of the token that hides a word in pretraining; None where there is none."""
        return self._special("mask_token", "[MASK]", "<mask>")

    @property
    def special(self) -> list[int]:
        """Ids of all special tokens, ascending."""
        added = self.backend.get_added_tokens_decoder()
        return sorted(number for number, token in added.items() if token.special)

    def inside_words(self) -> np.ndarray:
        """Say which tokens continue the word of the token before them, bool ``(size,)``.

        WordPiece marks these; byte-level BPE and Metaspace mark the tokens that begin a word. Characters of scripts
        without spaces begin one of their own, but byte-level BPE does not show them.
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
        for body, text in zip(self._bodies(texts, limit, self.prefix), texts, strict=True):
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

    def _bodies(self, texts: Sequence[str], limit: int | None, prefix: str = "") -> Iterator[bytes]:
        """Give each text's ids without special tokens, behind those of a prefix, as the bytes of 32-bit numbers."""
        known: dict[str, bytes] | None = {} if len(texts) >= MANY and self._splits_at_spaces() else None
        for start in range(0, len(texts), CHUNK):
            chunk = [clean(prefix + text[:limit]) for text in texts[start : start + CHUNK]]
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
            and not any(map(self._holds_space, self.backend.get_added_tokens_decoder().values()))
        )

    def _holds_space(self, token: tokenizers.AddedToken) -> bool:
        """Say whether an added token may reach across a space of the text, once that is normalized."""
        content = str(token.content)
        normal = self.backend.normalizer.normalize_str(content) if token.normalized else content
        return any(map(str.isspace, content + normal))

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json`` and ``tokenizer_config.json`` as Hugging Face reads them."""
        self.backend.save(str(folder / "tokenizer.json"))
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **self.settings,
            "model_max_length": self.window,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2), encoding="utf-8")


def load(folder: Path, window: int, model_type: str = "") -> Tokenizer:
    """Read the tokenizer of a model folder; its ids are those of transformers' `AutoTokenizer`.

    The vocabulary comes from ``tokenizer.json``, or else from ``vocab.txt``, or ``vocab.json`` with ``merges.txt``.

    Args:
        window: most tokens that the model takes, special tokens included; the folder may ask for fewer.
        model_type: the family of the weights, such as 'bert', whose defaults fill in what no file says; empty for what
            ``config.json`` in the folder says.

    Raises:
        CheckpointError: there is no vocabulary, or it cannot be read or trusted.
    """
    opened = build(read_files(folder, model_type))
    prefix = opened.settings.get(PREFIX, "")
    if not isinstance(prefix, str) or len(prefix) > LONGEST_PREFIX:
        raise CheckpointError(
            f"{folder}: '{PREFIX}' in tokenizer_config.json must be a text of at most {LONGEST_PREFIX} characters."
        )
    most = opened.settings.get("model_max_length", opened.settings.get("max_len"))
    # Some files say 1e30 for "no limit", or even Infinity.
    if isinstance(most, int | float) and not isinstance(most, bool) and 1 <= most < window:
        window = int(most)
    content = opened.backend.to_str() + str(opened.backend.encode_special_tokens)
    tokenizer = Tokenizer(opened.backend, window, opened.settings, _memory(sha256(content.encode()).hexdigest()))
    if window <= len(tokenizer.opening) + len(tokenizer.closing):
        raise CheckpointError(f"{folder}: a window of {window} tokens has no room for text beside the special tokens.")
    return tokenizer


def _around(backend: tokenizers.Tokenizer) -> tuple[list[int], list[int]]:
    """Find the special tokens before and after a text.

    Raises:
        CheckpointError: they stand elsewhere, or no text has tokens.
    """
    for text in _samples(backend):
        plain = backend.encode(text, add_special_tokens=False).ids
        if not plain:
            continue
        found = backend.encode(text)
        places = [place for place, owner in enumerate(found.sequence_ids) if owner is not None]
        start, end = places[0], places[-1] + 1
        if found.ids[start:end] != plain:
            raise CheckpointError("the tokenizer puts special tokens inside a text, which is not supported.")
        return found.ids[:start], found.ids[end:]
    raise CheckpointError("the tokenizer finds no tokens in any text; fetch the model again.")


def _samples(backend: tokenizers.Tokenizer) -> Iterator[str]:
    """Give texts that ought to have tokens: a letter, then tokens of the vocabulary, which may be of any alphabet."""
    yield "a"
    yield from islice(backend.get_vocab(with_added_tokens=False), 100)


def _parts(part: object) -> Iterator[dict[str, object]]:
    """List a normalizer or pre-tokenizer and the parts inside it, as tokenizer.json holds them."""
    if isinstance(part, tokenizers.normalizers.Normalizer | tokenizers.pre_tokenizers.PreTokenizer):
        yield from inside(json.loads(part.__getstate__()))


@lru_cache(maxsize=4)
def _memory(digest: str) -> Memory:
    """Share one memory among all tokenizers of the same content: a comparison opens a backbone many times."""
    return Memory()


def clean(text: str) -> str:
    """Replace lone surrogates, which no tokenizer takes, by question marks."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
