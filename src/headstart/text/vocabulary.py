"""Train a vocabulary on your own texts: WordPiece, or byte-level BPE."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from headstart.core.errors import DataError, UsageError
from headstart.text.tokenizer import CHARACTERS_PER_TOKEN, Tokenizer, clean

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROLES = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
SMALLEST = 32
# Of a large collection, at most so many characters, spread evenly over it, are used to learn a vocabulary.
SAMPLED = 20_000_000


def train(texts: Iterable[str], size: int, *, lowercase: bool = True, window: int) -> Tokenizer:
    """Learn word pieces from texts; the same texts give the same vocabulary on any machine.

    Text is normalised and split as in BERT (Devlin et al. 2019): accents are removed together with case, and each
    punctuation mark and each Chinese character is a word. Pieces are merged by how often they are adjacent (Sennrich et
    al. 2016, section 3.2) and applied longest first (Wu et al. 2016, section 4.1). The special tokens have ids 0 to 4.

    Args:
        texts: what to learn from.
        size: maximum number of tokens, with special ones; at least 32.
        lowercase: whether case and accents are removed.
        window: maximum number of tokens of a text, with special tokens.

    Raises:
        DataError: the texts contain no characters.
        UsageError: `size` is too small.

    >>> tokenizer = train(["low lower lowest"] * 9, 64, window=8)
    >>> tokenizer.backend.encode("lower Lowest").tokens
    ['[CLS]', 'lower', 'lowest', '[SEP]']
    """
    if size < SMALLEST:
        raise UsageError(f"a vocabulary of {size} tokens is too small; ask for at least {SMALLEST}.")
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    limit = window * CHARACTERS_PER_TOKEN
    normal = [normalizer.normalize_str(clean(text[:limit])) for text in texts]
    characters = _frequent(normal, (size - len(SPECIAL)) // 2)
    if not characters:
        raise DataError("the texts hold no characters to learn a vocabulary from.")
    # The trainer numbers single characters in the order of a hash map and breaks ties between merges by number. So it
    # runs twice: once for the characters only, and again with these numbered in their natural order.
    words = {word for text in normal for word in text.split(" ")}
    alphabet = sorted(_learn(words, 0, characters, ()))
    vocabulary = _learn(normal, size, characters, (*SPECIAL, *alphabet))
    return Tokenizer(_backend(vocabulary, normalizer), window, _settings(lowercase))


def train_bytes(texts: Iterable[str], size: int, *, window: int) -> Tokenizer:
    """Learn byte-level BPE (Sennrich et al. 2016, section 3.2; Radford et al. 2019, section 2.2).

    Nothing is normalised and no character is unknown, which suits code, names and mixed scripts; words that differ only
    in case or accents are different tokens. The special tokens have ids 0 to 4, bytes the next 256.

    Args and Raises: as for :func:`train`; `size` is at least 261.

    >>> tokenizer = train_bytes(["low lower lowest"] * 9, 270, window=8)
    >>> tokenizer.backend.decode(tokenizer.backend.encode("Löwe 🦁").ids)
    ' Löwe 🦁'
    """
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    least = len(SPECIAL) + len(alphabet)
    if size < least:
        raise UsageError(f"a vocabulary of {size} tokens is too small for all bytes; ask for at least {least}.")
    backend = tokenizers.Tokenizer(models.BPE())
    # With a space before the first word too, which is then tokenised as anywhere else.
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=2, show_progress=False, special_tokens=list(SPECIAL), initial_alphabet=alphabet
    )
    limit = window * CHARACTERS_PER_TOKEN
    backend.train_from_iterator((clean(text[:limit]) for text in texts), trainer)
    _finish(backend)
    return Tokenizer(backend, window, {"tokenizer_class": "PreTrainedTokenizerFast", **ROLES})


def sample(texts: Iterable[str], most: int = SAMPLED) -> list[str]:
    """Take texts spread evenly over any number of them, at most `most` characters, in bounded memory.

    >>> sample((letter * 10 for letter in "abcdefgh"), most=40)
    ['aaaaaaaaaa', 'cccccccccc', 'eeeeeeeeee', 'gggggggggg']
    """
    sampled: list[str] = []
    size, stride = 0, 1
    for number, text in enumerate(texts):
        if number % stride == 0:
            sampled.append(text)
            size += len(text)
        while size > most and len(sampled) > 1:
            sampled, stride = sampled[::2], 2 * stride
            size = sum(map(len, sampled))
    return sampled


def _frequent(texts: list[str], most: int) -> list[str]:
    """Return the most frequent characters other than white space; the lower code point comes first among equals."""
    counts = np.zeros(0x110000, dtype=np.int64)
    for start in range(0, len(texts), 4096):
        codes = np.frombuffer("".join(texts[start : start + 4096]).encode("utf-32-le"), dtype=np.uint32)
        counts += np.bincount(codes, minlength=len(counts))
    order = np.argsort(-counts, kind="stable")
    present = (chr(code) for code in order[: np.count_nonzero(counts)])
    return [character for character in present if not character.isspace()][:most]


def _learn(texts: Iterable[str], size: int, characters: list[str], first: tuple[str, ...]) -> dict[str, int]:
    """Learn pieces made of these characters, with the pieces of `first` numbered first."""
    backend = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(first),
        initial_alphabet=characters,
        limit_alphabet=len(characters),
    )
    backend.train_from_iterator(texts, trainer)
    vocabulary: dict[str, int] = backend.get_vocab(with_added_tokens=False)
    return vocabulary


def _backend(vocabulary: dict[str, int], normalizer: normalizers.Normalizer) -> tokenizers.Tokenizer:
    """Build BERT's tokenizer around a vocabulary."""
    backend = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizer
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    _finish(backend)
    return backend


def _finish(backend: tokenizers.Tokenizer) -> None:
    """Add BERT's special tokens around what a backend encodes."""
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, backend.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    backend.add_special_tokens(list(SPECIAL))


def _settings(lowercase: bool) -> dict[str, object]:
    """Return the contents of ``tokenizer_config.json`` in Hugging Face's format."""
    return {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": lowercase,
        "tokenize_chinese_chars": True,
        "strip_accents": None,
        **ROLES,
    }
