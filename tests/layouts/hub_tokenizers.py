"""Tokenizers in the files that models have on their hubs: fields and order as they were first written."""

import base64
import functools
import io
import json

import numpy as np
import sentencepiece
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers.convert_slow_tokenizer import import_protobuf

GOOD, BAD = ["great", "lovely", "fine", "happy", "warm"], ["awful", "broken", "slow", "sad", "cold"]
COMMON = "the a film food was and with it This My café hotel , . 很 好 不 吃".split()  # noqa: SIM905 (a list of so many words reads worse)
TEXTS = (
    "The film was great , and it was Lovely .",
    "awful food",
    "My café : slow, sad… and cold!",
    "很好吃 , lovely hotel",
    "unheard words, 不好",
)
BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
CORPUS = [" ".join(np.random.default_rng(n).permutation([*GOOD, *BAD, *COMMON]).tolist()) for n in range(60)]


# --- vocabularies ---------------------------------------------------------------------------------------------


@functools.cache
def wordpieces(special=BERT, lowercase=True):
    """Words, letters and continuing letters, as a vocab.txt lists them."""
    words = [*GOOD, *BAD, *COMMON, "cafe", "hotel"]
    words = sorted({word.lower() for word in words} if lowercase else {*words, *(word.title() for word in words)})
    letters = sorted({letter for word in [*words, *(chr(n) for n in range(33, 127))] for letter in word})
    return list(dict.fromkeys([*special, *letters, *words, *("##" + letter for letter in letters)]))


def vocab_txt(end="\n", **options):
    return "".join(piece + end for piece in wordpieces(**options)).encode()


@functools.cache
def bytepairs(special):
    """Byte-level BPE: vocabulary and merges."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    train = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, train)
    model = json.loads(backend.to_str())["model"]
    return model["vocab"], [" ".join(merge) for merge in model["merges"]]


@functools.cache
def sentencepieces(*control):
    """A model of SentencePiece."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=written,
        vocab_size=120,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        control_symbols=list(control),
    )
    return written.getvalue()


def scored(model):
    """Pieces with scores, and the map of characters in base64."""
    read = import_protobuf().ModelProto.FromString(model)
    charsmap = base64.b64encode(read.normalizer_spec.precompiled_charsmap).decode()
    return [[piece.piece, piece.score] for piece in read.pieces], charsmap


# --- tokenizer.json as it was first written ---------------------------------------------------------------------


def added(numbers, **flags):
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return [
        {"id": number, "special": True, "content": token, **usual, **flags.get(token, {})}
        for token, number in numbers.items()
    ]


def template(numbers, opening, closing, pair=()):
    def part(name):
        kind = "Sequence" if name in "AB" else "SpecialToken"
        return {kind: {"id": name, "type_id": 0}}

    return {
        "type": "TemplateProcessing",
        "single": [part(opening), part("A"), part(closing)],
        "pair": [part(name) for name in pair or (opening, "A", closing, "B", closing)],
        "special_tokens": {
            token: {"id": token, "ids": [numbers[token]], "tokens": [token]} for token in (opening, closing)
        },
    }


def file(model, tokens, **parts):
    empty = dict.fromkeys(("truncation", "padding"))
    return {"version": "1.0", **empty, "added_tokens": tokens, **parts, "model": model}


def bert_json(special=BERT, lowercase=True):
    """bert-base-uncased's: its model has no type."""
    vocabulary = {piece: number for number, piece in enumerate(wordpieces(special, lowercase))}
    numbers = {token: vocabulary[token] for token in special}
    return file(
        {
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": vocabulary,
        },
        added(numbers),
        normalizer={
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": lowercase,
        },
        pre_tokenizer={"type": "BertPreTokenizer"},
        post_processor=template(numbers, special[2], special[3]),
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": True},
    )


MPNET = ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def roberta_json():
    """roberta-base's."""
    vocabulary, merges = bytepairs(ROBERTA)
    numbers = {token: vocabulary[token] for token in ROBERTA}
    bytes_ = {"type": "ByteLevel", "trim_offsets": True}
    flags = {token: {"normalized": True} for token in ROBERTA[:4]} | {"<mask>": {"lstrip": True}}
    return file(
        {
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "vocab": vocabulary,
            "merges": merges,
        },
        added(numbers, **flags),
        normalizer=None,
        pre_tokenizer={**bytes_, "add_prefix_space": False},
        post_processor={
            "type": "RobertaProcessing",
            "sep": ["</s>", 2],
            "cls": ["<s>", 0],
            "trim_offsets": True,
            "add_prefix_space": False,
        },
        decoder={**bytes_, "add_prefix_space": True},
    )


def roberta_files():
    vocabulary, merges = bytepairs(ROBERTA)
    return {
        "vocab.json": vocabulary,
        "merges.txt": "\n".join(["#version: 0.2 - Trained by `huggingface/tokenizers`", *merges, ""]).encode(),
    }


METASPACE = {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}


def xlm_json():
    """xlm-roberta-base's; Metaspace is written as it was before it had schemes."""
    pieces, charsmap = scored(sentencepieces())
    vocabulary = [[token, 0.0] for token in ("<s>", "<pad>", "</s>", "<unk>")] + pieces[3:] + [["<mask>", 0.0]]
    numbers = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": len(vocabulary) - 1}
    stored = file(
        {"unk_id": 3, "vocab": vocabulary},
        added(numbers, **{"<mask>": {"lstrip": True}}),
        normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]},
        post_processor=template(numbers, "<s>", "</s>", ("<s>", "A", "</s>", "</s>", "B", "</s>")),
        decoder=METASPACE,
    )
    return stored | {"truncation": {"max_length": 512, "strategy": "LongestFirst", "stride": 0}}


def albert_json():
    pieces, charsmap = scored(sentencepieces())
    special = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    numbers = {token: number for number, token in enumerate(special)}
    replaced = [{"type": "Replace", "pattern": {"String": quotes}, "content": '"'} for quotes in ("``", "''")]
    steps = [*replaced, *({"type": kind} for kind in ("NFKD", "StripAccents", "Lowercase"))]
    return file(
        {"unk_id": 1, "vocab": [[token, 0.0] for token in special] + pieces[3:]},
        added(numbers, **{"[MASK]": {"lstrip": True}}),
        normalizer={
            "type": "Sequence",
            "normalizers": [*steps, {"type": "Precompiled", "precompiled_charsmap": charsmap}],
        },
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]},
        post_processor=template(numbers, "[CLS]", "[SEP]"),
        decoder=METASPACE,
    )


def mpnet_json():
    made = bert_json(MPNET)
    made["added_tokens"][-1]["lstrip"] = True
    made["post_processor"] = {
        "type": "RobertaProcessing",
        "sep": ["</s>", 2],
        "cls": ["<s>", 0],
        "trim_offsets": True,
        "add_prefix_space": False,
    }
    return made


def modernbert_json():
    vocabulary, merges = bytepairs(("|||IP_ADDRESS|||", "<|padding|>"))
    after = [" " * count for count in range(8, 1, -1)]
    after += ["|||EMAIL_ADDRESS|||", "<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", "[unused0]"]
    numbers = {"|||IP_ADDRESS|||": 0, "<|padding|>": 1} | {
        token: len(vocabulary) + number for number, token in enumerate(after)
    }
    plain = {"special": False, "normalized": True}
    flags = {token: plain for token in numbers if token[0] in " |" or "unused" in token} | {"[MASK]": {"lstrip": True}}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return file(
        {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [merge.split(" ") for merge in merges],
        },
        added(numbers, **flags),
        normalizer={"type": "NFC"},
        pre_tokenizer=bytes_,
        post_processor=template(numbers, "[CLS]", "[SEP]"),
        decoder=bytes_,
    )


def by_id(listed):
    """The same tokens as tokenizer_config.json lists them."""
    return {str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in listed}


def modernbert_settings(listed):
    roles = {f"{token.strip('[]').lower()}_token": token for token in ("[CLS]", "[MASK]", "[PAD]", "[SEP]", "[UNK]")}
    return {
        "added_tokens_decoder": by_id(listed),
        "clean_up_tokenization_spaces": True,
        "extra_special_tokens": {},
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": 8192,
        "tokenizer_class": "PreTrainedTokenizerFast",
        **roles,
    }
