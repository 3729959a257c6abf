"""The tokenizer classes of transformers: what each builds from a vocabulary and its settings.

Since version 5 these classes take only the vocabulary from ``tokenizer.json`` and build everything else from
``tokenizer_config.json`` and their defaults, so the two files cannot contradict each other. Only the generic class
`PreTrainedTokenizerFast` runs the pipeline in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tokenizers
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors

from headstart.core.errors import CheckpointError

GENERIC = "PreTrainedTokenizerFast"
SPACE = "▁"
Scored = list[tuple[str, float]]
Token = str | AddedToken


@dataclass(frozen=True)
class Source:
    """The vocabulary of a folder.

    pieces: ids of WordPiece and BPE.
    scored: pieces and scores of Unigram, in the order of their ids.
    merges: of BPE.
    charsmap: what SentencePiece replaces before segmentation.
    template: how the file puts special tokens around a text.
    extra: tokens that the vocabulary itself marks as special.
    unknown: id of the unknown piece, if the vocabulary names it.
    """

    model: str
    pieces: Mapping[str, int]
    scored: Scored
    merges: list[tuple[str, str]]
    charsmap: bytes | None = None
    template: processors.PostProcessor | None = None
    extra: tuple[AddedToken, ...] = ()
    unknown: int | None = None


@dataclass(frozen=True)
class Settings:
    """The settings of tokenizer_config.json that affect tokenization, by transformers' names; None if absent.

    values: the parsed file.
    where: the file, for messages.
    """

    values: Mapping[str, object]
    where: str

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean setting.

        Raises:
            CheckpointError: it is not a boolean.
        """
        value = self.values.get(name, default)
        if not isinstance(value, bool):
            raise CheckpointError(f"{self.where}: '{name}' must be true or false, not {str(value)[:40]!r}.")
        return value

    def optional(self, name: str) -> bool | None:
        """Return a setting that is true, false or null."""
        return None if self.values.get(name) is None else self.flag(name, False)

    def number(self, name: str, default: int) -> int:
        """Return an integer setting, or the default if it is not an integer."""
        value = self.values.get(name, default)
        return value if isinstance(value, int) and not isinstance(value, bool) else default


@dataclass(frozen=True)
class TokenizerClass:
    """How one class builds a tokenizer.

    model: kind of vocabulary.
    roles: its special tokens.
    build: builds the tokenizer without special tokens.
    finish: adds the special tokens around texts, once they have ids.
    options: the settings that it reads, with their defaults.
    files: the separate vocabulary files of older models without tokenizer.json.
    """

    model: str
    roles: Mapping[str, Token]
    build: Callable[[Source, Settings, Mapping[str, Token]], tokenizers.Tokenizer]
    finish: Callable[[tokenizers.Tokenizer, Mapping[str, Token], Settings], None]
    options: Mapping[str, bool | None]
    files: tuple[str, ...]


def _wordpiece(source: Source, settings: Settings, roles: Mapping[str, Token]) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.WordPiece(dict(source.pieces), unk_token=str(roles["unk_token"])))
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True,
        handle_chinese_chars=settings.flag("tokenize_chinese_chars", True),
        strip_accents=settings.optional("strip_accents"),
        lowercase=settings.flag("do_lower_case", True),
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    return backend


def _bytes(source: Source, settings: Settings, roles: Mapping[str, Token]) -> tokenizers.Tokenizer:
    model = models.BPE(dict(source.pieces), source.merges, continuing_subword_prefix="", end_of_word_suffix="")
    backend = tokenizers.Tokenizer(model)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=settings.flag("add_prefix_space", False))
    backend.decoder = decoders.ByteLevel()
    return backend


def _xlm_roberta(source: Source, settings: Settings, roles: Mapping[str, Token]) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.Unigram(source.scored, unk_id=3, byte_fallback=False))
    if source.charsmap is not None:
        backend.normalizer = normalizers.Precompiled(source.charsmap)
    _metaspace(backend, [pre_tokenizers.WhitespaceSplit()], settings, "never")
    return backend


def _albert(source: Source, settings: Settings, roles: Mapping[str, Token]) -> tokenizers.Tokenizer:
    backend = tokenizers.Tokenizer(models.Unigram(source.scored, unk_id=1, byte_fallback=False))
    steps: list[normalizers.Normalizer] = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"')]
    if not settings.flag("keep_accents", False):
        steps += [normalizers.NFKD(), normalizers.StripAccents()]
    if settings.flag("do_lower_case", True):
        steps.append(normalizers.Lowercase())
    if source.charsmap is not None:
        steps.append(normalizers.Precompiled(source.charsmap))
    backend.normalizer = normalizers.Sequence(steps)
    _metaspace(backend, [pre_tokenizers.WhitespaceSplit()], settings, "never")
    return backend


def _deberta_v2(source: Source, settings: Settings, roles: Mapping[str, Token]) -> tokenizers.Tokenizer:
    unknown = (str(roles["unk_token"]), 0.0)
    stated = settings.number("unk_id", 1) if source.unknown is None else source.unknown
    number = source.scored.index(unknown) if unknown in source.scored else stated
    backend = tokenizers.Tokenizer(models.Unigram(source.scored, unk_id=number, byte_fallback=False))
    steps: list[normalizers.Normalizer] = [
        normalizers.Replace(tokenizers.Regex(r"\s{2,}|[\n\r\t]"), " "),
        normalizers.NFC(),
        normalizers.Strip(left=False, right=True),
    ]
    if settings.flag("do_lower_case", False):
        steps.insert(0, normalizers.Lowercase())
    backend.normalizer = normalizers.Sequence(steps)
    split = settings.flag("split_by_punct", False)
    _metaspace(backend, [pre_tokenizers.Punctuation(behavior="isolated")] if split else [], settings, "first")
    return backend


def _metaspace(
    backend: tokenizers.Tokenizer, before: list[pre_tokenizers.PreTokenizer], settings: Settings, otherwise: str
) -> None:
    """Mark the beginnings of words, with a space before the text unless the settings turn it off."""
    scheme = "always" if settings.flag("add_prefix_space", True) else otherwise
    steps = [*before, pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme)]
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    backend.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme=scheme)


def _template(
    opening: str, closing: str, pair: str
) -> Callable[[tokenizers.Tokenizer, Mapping[str, Token], Settings], None]:
    """Put the tokens of two roles around a text; `pair` is the template of two texts, with {0} and {1} for them."""

    def finish(backend: tokenizers.Tokenizer, roles: Mapping[str, Token], settings: Settings) -> None:
        around = str(roles[opening]), str(roles[closing])
        backend.post_processor = processors.TemplateProcessing(
            single=[around[0], "$A", around[1]],
            pair=[piece.format(*around) for piece in pair.split()],
            special_tokens=[(token, backend.token_to_id(token)) for token in dict.fromkeys(around)],
        )

    return finish


def _roberta_pair(backend: tokenizers.Tokenizer, roles: Mapping[str, Token], settings: Settings) -> None:
    closing, opening = (str(roles[role]) for role in ("sep_token", "cls_token"))
    backend.post_processor = processors.RobertaProcessing(
        (closing, backend.token_to_id(closing) or 0),
        (opening, backend.token_to_id(opening) or 0),
        settings.flag("trim_offsets", True),
        settings.flag("add_prefix_space", False),
    )


def _keep(backend: tokenizers.Tokenizer, roles: Mapping[str, Token], settings: Settings) -> None:
    """Use the file's template; ALBERT's class has a default for files without one."""
    if backend.post_processor is None:
        _BERT_PAIR(backend, roles, settings)


_BERT_PAIR = _template("cls_token", "sep_token", "{0} $A {1} $B:1 {1}:1")
_BERT_ROLES = {
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_ROBERTA_ROLES = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
_BERT_OPTIONS = {"do_lower_case": True, "tokenize_chinese_chars": True, "strip_accents": None}

BERT = TokenizerClass("WordPiece", _BERT_ROLES, _wordpiece, _BERT_PAIR, _BERT_OPTIONS, ("vocab.txt",))
ROBERTA = TokenizerClass(
    "BPE", _ROBERTA_ROLES, _bytes, _roberta_pair, {"add_prefix_space": False}, ("vocab.json", "merges.txt")
)
MPNET = TokenizerClass(
    "WordPiece",
    # As transformers does: they are matched in the normalized text too.
    {
        role: AddedToken(token, lstrip=role == "mask_token", rstrip=False)
        for role, token in (_ROBERTA_ROLES | {"unk_token": "[UNK]"}).items()
    },
    _wordpiece,
    _roberta_pair,
    _BERT_OPTIONS,
    ("vocab.txt",),
)
XLM_ROBERTA = TokenizerClass(
    "Unigram",
    _ROBERTA_ROLES,
    _xlm_roberta,
    _template("bos_token", "eos_token", "{0} $A {1} {1} $B {1}"),
    {"add_prefix_space": True},
    ("sentencepiece.bpe.model",),
)
ALBERT = TokenizerClass(
    "Unigram",
    _BERT_ROLES | {"bos_token": "[CLS]", "eos_token": "[SEP]", "unk_token": "<unk>", "pad_token": "<pad>"},
    _albert,
    _keep,
    {"do_lower_case": True, "keep_accents": False, "add_prefix_space": True},
    ("spiece.model",),
)
DEBERTA_V2 = TokenizerClass(
    "Unigram",
    _BERT_ROLES | {"bos_token": "[CLS]", "eos_token": "[SEP]"},
    _deberta_v2,
    _BERT_PAIR,
    {"do_lower_case": False, "split_by_punct": False, "add_prefix_space": True},
    ("spm.model",),
)

CLASSES: Mapping[str, TokenizerClass] = {
    **dict.fromkeys(("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"), BERT),
    **dict.fromkeys(("SqueezeBertTokenizer", "LayoutLMTokenizer", "LxmertTokenizer", "ConvBertTokenizer"), BERT),
    **dict.fromkeys(("RobertaTokenizer", "LongformerTokenizer", "BartTokenizer"), ROBERTA),
    "MPNetTokenizer": MPNET,
    "XLMRobertaTokenizer": XLM_ROBERTA,
    "AlbertTokenizer": ALBERT,
    "DebertaV2Tokenizer": DEBERTA_V2,
}
# For each model family, the tokenizer class used if no file names one.
OF_FAMILY = {
    "bert": "BertTokenizer",
    "distilbert": "BertTokenizer",
    "electra": "BertTokenizer",
    "roberta": "RobertaTokenizer",
    "xlm-roberta": "XLMRobertaTokenizer",
    "albert": "AlbertTokenizer",
    "deberta-v2": "DebertaV2Tokenizer",
    "mpnet": "MPNetTokenizer",
    "modernbert": GENERIC,
}
# These split words with programs and tables that no file of the folder contains.
UNKNOWN_RULES = {
    *("BertJapaneseTokenizer", "BertweetTokenizer", "PhobertTokenizer", "BartphoTokenizer", "RoCBertTokenizer"),
    *("FlaubertTokenizer", "XLMTokenizer", "RoFormerTokenizer", "EsmTokenizer", "CanineTokenizer"),
}
