"""What a tokenizer.json may contain: components that cannot hang, crash or fill the memory, whatever the text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Iterator
from typing import cast

import numpy as np

from headstart.core.errors import CheckpointError

SAFE = {
    "model": {"WordPiece", "BPE", "Unigram"},
    "normalizer": {
        *("BertNormalizer", "Lowercase", "StripAccents", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Strip", "Prepend"),
        *("Replace", "Precompiled", "ByteLevel", "Sequence"),
    },
    "pre_tokenizer": {
        *("BertPreTokenizer", "ByteLevel", "Whitespace", "WhitespaceSplit", "Metaspace", "Punctuation", "Digits"),
        *("Split", "Sequence"),
    },
    "post_processor": {"TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"},
    "decoder": {
        *("WordPiece", "ByteLevel", "Metaspace", "BPEDecoder", "ByteFallback", "Fuse", "Strip", "Replace", "Sequence"),
    },
}
PARTS_OF_SEQUENCE = ("normalizers", "pretokenizers", "processors", "decoders")
# The only regular expressions that are run; others can take exponential time.
PATTERNS = {" {2,}", r"\s+", r"\s{2,}|[\n\r\t]"}
MOST_PARTS = 64
MOST_PIECES = 1_200_000
MOST_ADDED = 50_000
LONGEST_PIECE = 1_024
# WordPiece takes cubic time in the length of a word; BERT's limit is 100 characters.
LONGEST_WORD = 500
MOST_CHARSMAP = 4 * 2**20
LONGEST_PREFIX = 8
LONGEST_REPLACEMENT = 256
DEEPEST_KEY = 64


def check(stored: dict[str, object], where: str) -> dict[str, object]:
    """Return a tokenizer.json with the type of its model, without randomness, padding and truncation.

    Args:
        stored: the parsed file.
        where: the file, for messages.

    Raises:
        CheckpointError: it contains something that is not known to be safe.
    """
    model = _with_type(stored.get("model"), where)
    parts = 0
    for part, allowed in SAFE.items():
        for inner in inside(model if part == "model" else stored.get(part)):
            parts += 1
            kind = str(inner.get("type"))
            if kind not in allowed:
                known = ", ".join(sorted(allowed))
                raise CheckpointError(f"{where}: {part} of type {kind!r} is not supported; known: {known}.")
            _check_part(inner, kind, f"{where}: {part} {kind}")
    if parts > MOST_PARTS:
        raise CheckpointError(f"{where} is made of {parts} parts; no known tokenizer has more than {MOST_PARTS}.")
    check_vocabulary(pieces_of(model), where)
    if isinstance(model.get("vocab"), dict):
        check_ids(cast(dict[str, object], model["vocab"]).values(), where)
    added = stored.get("added_tokens") or []
    if not isinstance(added, list) or not all(isinstance(token, dict) for token in added):
        raise CheckpointError(f"{where} is not a readable tokenizer (added_tokens is no list of objects).")
    check_added([str(token.get("content")) for token in added], where)
    return {**stored, "model": model, "padding": None, "truncation": None}


def check_charsmap(charsmap: bytes, where: str) -> None:
    """Refuse a character map on which the library would panic, or whose replacements would fill the memory.

    The map is a double-array trie of 32-bit units (the characters to be replaced), whose leaves are offsets into a
    block of texts terminated by zero bytes (sentencepiece, `normalizer.cc`).

    Raises:
        CheckpointError: it is too large, or one of its links points outside.
    """
    damaged = CheckpointError(f"{where} holds a damaged map of characters; fetch the model again.")
    if len(charsmap) > MOST_CHARSMAP:
        raise CheckpointError(f"{where} holds a map of characters larger than {MOST_CHARSMAP // 2**20} MiB.")
    size = int.from_bytes(charsmap[:4], "little")
    if len(charsmap) < 4 or size % 4 or size > len(charsmap) - 4:
        raise damaged
    units = np.frombuffer(charsmap, dtype="<u4", count=size // 4, offset=4).astype(np.int64)
    texts = charsmap[4 + size :]
    if not len(units):
        raise damaged
    offsets = (units >> 10) << ((units & (1 << 9)) >> 6)
    labels = units & ((1 << 31) | 0xFF)
    letters = np.arange(1, 256)
    reached = np.zeros(len(units), dtype=bool)
    leaves = [np.zeros(0, dtype=np.int64)]
    bases = offsets[:1]
    for _ in range(DEEPEST_KEY):
        if (bases | 255).max(initial=0) >= len(units):
            raise damaged
        bases = np.unique(bases[~reached[bases]])
        reached[bases] = True
        if not len(bases):
            break
        following = [offsets[:0]]
        for some in np.array_split(bases, 1 + len(bases) // 4096):
            places = (some[:, None] ^ letters).ravel()
            places = places[labels[places] == np.tile(letters, len(some))]
            targets = places ^ offsets[places]
            following.append(targets)
            leaves.append(targets[(units[places] >> 8) & 1 == 1])
        bases = np.concatenate(following)
    else:
        raise damaged
    ends = np.concatenate(leaves)
    if ends.max(initial=0) >= len(units):
        raise damaged
    starts = np.unique(units[ends] & ((1 << 31) - 1))
    if starts.max(initial=0) > len(texts):
        raise damaged
    for start in starts.tolist():
        end = texts.find(b"\0", start)
        length = (len(texts) if end < 0 else end) - start
        if length and 0x80 <= texts[start] < 0xC0:
            raise damaged
        if length > LONGEST_REPLACEMENT:
            raise CheckpointError(f"{where} replaces a character by a text of {length} bytes; it is refused.")


def check_vocabulary(pieces: list[str], where: str) -> None:
    """Refuse a vocabulary with too many or too long pieces.

    Raises:
        CheckpointError: there are too many, or one is too long.
    """
    _check_pieces(pieces, MOST_PIECES, where)


def check_ids(ids: Collection[object], where: str) -> None:
    """Refuse a vocabulary in which two pieces have the same id.

    Raises:
        CheckpointError: they have.
    """
    numbers = {number for number in ids if type(number) is int}
    if len(numbers) < len(ids):
        raise CheckpointError(
            f"{where} must give each token of its vocabulary an id of its own; fetch the model again."
        )


def check_added(tokens: list[str], where: str) -> None:
    """Refuse too many or too long added tokens.

    Raises:
        CheckpointError: there are too many, or one is too long.
    """
    _check_pieces(tokens, MOST_ADDED, where)


def charsmap_of(part: dict[str, object], where: str) -> bytes:
    """Decode the character map of a `Precompiled` normalizer.

    Raises:
        CheckpointError: it is not base64.
    """
    try:
        return base64.b64decode(str(part.get("precompiled_charsmap")), validate=True)
    except (binascii.Error, ValueError):
        raise CheckpointError(f"{where} holds a damaged map of characters; fetch the model again.") from None


def normalizers_of(stored: dict[str, object]) -> list[dict[str, object]]:
    """Return the normalizers of a tokenizer.json in order, including those inside sequences."""
    return list(inside(stored.get("normalizer")))


def pieces_of(model: dict[str, object]) -> list[str]:
    """Return the pieces of a model's vocabulary, which is an object, or a list of pieces with their scores."""
    vocabulary = model.get("vocab")
    if isinstance(vocabulary, dict):
        return list(vocabulary)
    if isinstance(vocabulary, list):
        return [str(entry[0]) if isinstance(entry, list) and entry else str(entry) for entry in vocabulary]
    return []


def inside(part: object) -> Iterator[dict[str, object]]:
    """Return a component of tokenizer.json and the components inside it, in order."""
    waiting = [part]
    while waiting:
        part = waiting.pop()
        if not isinstance(part, dict):
            continue
        yield part
        for name in PARTS_OF_SEQUENCE:
            listed = part.get(name)
            waiting += reversed(listed) if isinstance(listed, list) else ()


def _with_type(model: object, where: str) -> dict[str, object]:
    """Infer the type of a model from its fields if the file is older than the field `type`."""
    if not isinstance(model, dict):
        raise CheckpointError(f"{where} is not a readable tokenizer (it has no model); fetch the model again.")
    model = dict(model)
    if "type" not in model:
        signs = {
            "WordPiece": "max_input_chars_per_word" in model,
            "BPE": "merges" in model,
            "Unigram": "unk_id" in model or isinstance(model.get("vocab"), list),
        }
        kinds = [kind for kind, present in signs.items() if present]
        if len(kinds) != 1:
            raise CheckpointError(
                f"{where}: the model has no type, and its fields are those of "
                f"{' and '.join(kinds) or 'none'} of WordPiece, BPE and Unigram; name it under model.type."
            )
        model = {"type": kinds[0], **model}
    # Both draw at random, which is for training a model; its predictions would change from call to call.
    if model["type"] == "BPE":
        model["dropout"] = None
    for field in ("alpha", "nbest_size"):
        model.pop(field, None)
    return model


def _check_part(part: dict[str, object], kind: str, where: str) -> None:
    if kind in ("Replace", "Split"):
        pattern = part.get("pattern")
        fields = cast(dict[str, object], pattern) if isinstance(pattern, dict) else {}
        text, regex = fields.get("String"), fields.get("Regex")
        if not (isinstance(text, str) and text) and not (isinstance(regex, str) and regex in PATTERNS):
            raise CheckpointError(
                f"{where} with the pattern {str(regex or text)[:60]!r} is not supported; known are plain texts and "
                f"{', '.join(map(repr, sorted(PATTERNS)))}."
            )
        # The growth of several lengthening replacements would multiply.
        if len(str(part.get("content", ""))) > len(text if isinstance(text, str) else " "):
            raise CheckpointError(f"{where} makes texts longer; it is refused.")
    elif kind == "Prepend" and len(str(part.get("prepend"))) > LONGEST_PREFIX:
        raise CheckpointError(f"{where} puts more than {LONGEST_PREFIX} characters before each text; it is refused.")
    elif kind == "Precompiled":
        check_charsmap(charsmap_of(part, where), where)
    elif kind == "TemplateProcessing":
        pieces = part.get("single")
        if isinstance(pieces, list) and len(pieces) > MOST_PARTS:
            raise CheckpointError(f"{where} puts {len(pieces)} pieces around each text; it is refused.")
    elif kind == "WordPiece" and "vocab" in part:
        longest = part.get("max_input_chars_per_word")
        if isinstance(longest, int) and longest > LONGEST_WORD:
            raise CheckpointError(
                f"{where} splits words of up to {longest} characters; more than {LONGEST_WORD} would take minutes."
            )


def _check_pieces(pieces: list[str], most: int, where: str) -> None:
    if len(pieces) > most:
        raise CheckpointError(f"{where} has {len(pieces)} tokens in one list; no known tokenizer has more than {most}.")
    longest = max(map(len, pieces), default=0)
    if longest > LONGEST_PIECE:
        raise CheckpointError(
            f"{where} has a token of {longest} characters; no known tokenizer has one of more than {LONGEST_PIECE}."
        )
