"""Ids of every family's tokenizer against transformers on a thousand texts in ten scripts, read and saved."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import functools
import io
import json
import random

import pytest
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import import_protobuf

from headstart.text import tokenizer as ours

SCRIPTS = {
    "latin": ("abcdefghijklmnoprstuvwyzßçéèêëíïñóöøúüšžıİABCDEFGÀÉÎÖÜŠ", " "),
    "cyrillic": ("абвгдежзийклмнопрстуфхцчшщъыьэюяёїАБВЙЁ", " "),
    "greek": ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώΑΣΩ", " "),
    "arabic": ("ابتثجحخدذرزسشصضطظعغفقكلمنهوي\u064b\u064eﷺ", " "),
    "hebrew": ("אבגדהוזחטיכלמנסעפצקרשתםןףץ\u05b8\u05bc", " "),
    "devanagari": ("अआइईउकखगघचछजटडतथदधनपबमयरलवशसह\u093e\u093f\u094d\u0947", " "),
    "thai": ("กขคงจชซดตถทนบปผพมยรลวสหอ\u0e31\u0e34\u0e48\u0e49เแ", ""),
    "chinese": ("的一是不了人我在有他这中大来上国个到说们很好吃饭店味道", ""),
    "japanese": ("のにはをたがでてとしれさあいうカタナコーヒ日本語が\u3099ｶﾞ", ""),
    "korean": ("가나다라마바사아자차카타파하한국어좋습니다각힣", " "),
}
ODD = [
    *("😀", "👩\u200d👩\u200d👧", "👍🏽", "🇩🇪", "\u00a0", "\u3000", "\u2028", "\t", "\n", "\r\n", "  ", "   "),
    *("\x00", "\x1f", "\x7f", "\u200b", "\u200d", "\ufeff", "\ufffd", "\u0301", "\u0308", "ﬁ", "Ⅷ", "½", "…", "x²"),
    *("``", "''", '"', "don't", "...", "!?", "3,000", "1999", "ｆｕｌｌ", "①", "ꙮ", "𒀀", "Ġ", "▁", "##ing", "#", "_"),
    *(
        "[MASK]",
        "<mask>",
        "<s>",
        " </s>",
        "[SEP]",
        "[unk]",
        "<pad>",
        "Extra",
        "<new>",
        *(f"Extra{n}" for n in range(10)),
    ),
]


def word(rng, script):
    letters, _ = SCRIPTS[script]
    return "".join(rng.choices(letters, k=rng.randint(1, 9)))


@functools.cache
def texts(count=1000, seed=3):
    """Random mixtures of words of ten scripts, emoji, odd white space, control characters and special tokens."""
    rng = random.Random(seed)
    known = corpus()
    made = ["", " ", "\n", "a"]
    while len(made) < count:
        scripts = rng.sample(sorted(SCRIPTS), rng.choice((1, 1, 2, 4)))
        pieces = [" " * rng.choice((0, 0, 0, 1, 2))]
        for _ in range(rng.randint(1, 14)):
            script = rng.choice(scripts)
            chance = rng.random()
            pieces.append(rng.choice(ODD) if chance < 0.2 else word(rng, script) if chance < 0.4 else rng.choice(known))
            pieces.append(rng.choice((" ", "", SCRIPTS[script][1])))
        made.append("".join(pieces))
    return made


@functools.cache
def corpus():
    rng = random.Random(1)
    stems = [word(rng, script) for script in SCRIPTS for _ in range(40)]
    return [" ".join(rng.choices(stems, k=4)) + rng.choice((".", "!", ", 12", " (x)", "")) for _ in range(500)]


@functools.cache
def wordpiece(lowercase, special, extra=()):
    """A WordPiece vocabulary as an object of JSON."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    train = trainers.WordPieceTrainer(vocab_size=700, special_tokens=[*special, *extra], show_progress=False)
    backend.train_from_iterator(corpus(), train)
    return backend.get_vocab(with_added_tokens=False)


@functools.cache
def bytepairs(special):
    """Byte-level BPE: the model of a tokenizer.json."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    train = trainers.BpeTrainer(
        vocab_size=700, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(corpus(), train)
    return json.loads(backend.to_str())["model"]


@functools.cache
def sentencepieces(lowercase=False, control=(), own=()):
    """A model of SentencePiece as its own trainer writes it."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus()),
        model_writer=written,
        vocab_size=700,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
        character_coverage=0.98,
        control_symbols=list(control),
        user_defined_symbols=list(own),
        normalization_rule_name="nmt_nfkc_cf" if lowercase else "nmt_nfkc",
    )
    return written.getvalue()


def scored(model):
    """The pieces of a SentencePiece model with their scores, and its map of characters."""
    read = import_protobuf().ModelProto.FromString(model)
    return [(piece.piece, piece.score) for piece in read.pieces], read.normalizer_spec.precompiled_charsmap


def write(folder, model_type, tokenizer=None, settings=None, drop=(), **files):
    """Write a model folder; `drop` names fields of the model that older files do not have."""
    folder.mkdir()
    contents = {"config__json": {"model_type": model_type} if model_type else {}, **files}
    if tokenizer is not None:
        stored = json.loads(tokenizer.to_str())
        for field in drop:
            stored["model"].pop(field, None)
        contents["tokenizer__json"] = stored
    if settings is not None:
        contents["tokenizer_config__json"] = settings
    for name, content in contents.items():
        written = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
        (folder / name.replace("__", ".")).write_bytes(written)
    return folder


BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def bert(lowercase=True, chinese=True, accents=None, special=BERT):
    """BERT's tokenizer.json."""
    vocabulary = wordpiece(lowercase, special)
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(True, chinese, accents, lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    template(backend, special[2], special[3])
    backend.add_special_tokens(list(special))
    return backend


def template(backend, opening, closing):
    backend.post_processor = processors.TemplateProcessing(
        single=f"{opening} $A {closing}",
        pair=f"{opening} $A {closing} $B:1 {closing}:1",
        special_tokens=[(token, backend.token_to_id(token)) for token in {opening, closing}],
    )


def mpnet():
    special = ("<s>", "<pad>", "</s>", "[UNK]", "<mask>")
    backend = bert(special=(special[1], "[UNK]", "<s>", "</s>", "<mask>"))
    backend.post_processor = processors.RobertaProcessing(
        ("</s>", backend.token_to_id("</s>")), ("<s>", backend.token_to_id("<s>")), True, False
    )
    backend.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    return backend


def roberta(prefix=False):
    backend = Tokenizer.from_str(json.dumps({"model": bytepairs(ROBERTA)}))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), True, prefix)
    backend.add_special_tokens([AddedToken(token, normalized=True) for token in ROBERTA[:4]])
    backend.add_special_tokens([AddedToken("<mask>", lstrip=True)])
    return backend


def modernbert():
    """GPT-NeoX's pieces; each run of spaces is a token of its own, and the special tokens come last."""
    backend = Tokenizer.from_str(json.dumps({"model": bytepairs(("<|endoftext|>",))}))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken(" " * spaces, normalized=True) for spaces in range(8, 1, -1)])
    backend.add_special_tokens(["<|endoftext|>", "[UNK]", "[CLS]", "[SEP]", "[PAD]", AddedToken("[MASK]", lstrip=True)])
    template(backend, "[CLS]", "[SEP]")
    return backend


def xlm_roberta():
    pieces, charsmap = scored(sentencepieces())
    vocabulary = [(token, 0.0) for token in ("<s>", "<pad>", "</s>", "<unk>")] + pieces[3:] + [("<mask>", 0.0)]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    backend.normalizer = normalizers.Precompiled(charsmap)
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    backend.decoder = decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    backend.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True)])
    return backend


def multilingual():
    """XLM-R's pieces as later versions convert them: runs of spaces are joined, the file says all by itself."""
    backend = xlm_roberta()
    _, charsmap = scored(sentencepieces())
    backend.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(charsmap), normalizers.Strip(left=False), normalizers.Replace(Regex(" {2,}"), "▁")]
    )
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return backend


def albert(lowercase=True):
    pieces, charsmap = scored(sentencepieces(lowercase))
    special = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
    vocabulary = [(token, 0.0) for token in special] + pieces[3:]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=1))
    steps = [normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD()]
    steps += [normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Precompiled(charsmap)]
    backend.normalizer = normalizers.Sequence([*steps, normalizers.Replace(Regex(" {2,}"), " ")])
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    backend.decoder = decoders.Metaspace()
    template(backend, "[CLS]", "[SEP]")
    backend.add_special_tokens([*special[:4], AddedToken("[MASK]", lstrip=True)])
    return backend


def deberta():
    pieces, charsmap = scored(sentencepieces())
    special = ("[PAD]", "[CLS]", "[SEP]", "[UNK]")
    backend = Tokenizer(models.Unigram([(token, 0.0) for token in special] + pieces[3:], unk_id=3))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Strip(), normalizers.Precompiled(charsmap), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace()])
    backend.decoder = decoders.Metaspace()
    template(backend, "[CLS]", "[SEP]")
    backend.add_special_tokens([*special, "[MASK]"])
    return backend


def lines(vocabulary, end="\n"):
    return "".join(piece + end for piece in sorted(vocabulary, key=vocabulary.get)).encode()


def merges():
    return ("#version: 0.2\n" + "".join(" ".join(merge) + "\n" for merge in bytepairs(ROBERTA)["merges"])).encode()


def with_words(backend):
    """Added tokens with every flag."""
    flags = ({}, {"single_word": True}, {"lstrip": True}, {"rstrip": True}, {"normalized": False}, {"special": True})
    backend.add_tokens([AddedToken(f"Extra{number}", **some) for number, some in enumerate(flags)])
    return backend


def odd_vocabulary():
    """The vocab.txt of a Chinese BERT: Windows line ends, repeated, blank and odd lines."""
    pieces = sorted(wordpiece(True, BERT), key=wordpiece(True, BERT).get)
    pieces[50:50] = [pieces[40], "", "\u3000", "的", "two words", "的"]
    return "\r\n".join(pieces).encode()


CASED = {"do_lower_case": False, "model_max_length": 512}
VOCABULARY = wordpiece(True, BERT)
SHAPES = {
    "bert, old": lambda f: write(f, "bert", bert(), {"do_lower_case": True}, ["type"]),
    "bert, without settings": lambda f: write(f, "bert", bert(False)),
    "bert, cased, old": lambda f: write(f, "bert", bert(False), CASED, ["type"]),
    "bert, lower case against cased": lambda f: write(f, "bert", bert(False), {"do_lower_case": True}),
    "bert, cased against lower case": lambda f: write(f, "bert", bert(), {"do_lower_case": False}),
    "bert, accents": lambda f: write(f, "bert", bert(), {"strip_accents": False}),
    "bert, accents off when cased": lambda f: write(f, "bert", bert(), {**CASED, "strip_accents": True}),
    "bert, Chinese words": lambda f: write(f, "bert", bert(), {"tokenize_chinese_chars": False}),
    "bert, file alone": lambda f: write(f, "bert", bert(False, False), {"tokenizer_class": "PreTrainedTokenizerFast"}),
    "bert, no family": lambda f: write(f, "", bert(), {"tokenizer_class": "BertTokenizerFast", **CASED}),
    "bert, added tokens": lambda f: write(
        f, "bert", with_words(bert()), {"extra_special_tokens": ["Extra9", "Extra3"]}
    ),
    "bert, listed tokens": lambda f: write(f, "bert", bert(), {"added_tokens_decoder": LISTED, "mask_token": "[MASK]"}),
    "bert, vocab.txt": lambda f: write(f, "bert", vocab__txt=lines(VOCABULARY)),
    "bert, odd vocab.txt": lambda f: write(f, "bert", settings=CASED, vocab__txt=odd_vocabulary()),
    "bert, vocab.txt, own tokens": lambda f: write(
        f, "bert", special_tokens_map__json=OWN, added_tokens__json={"Extra": 9999}, vocab__txt=lines(OWN_VOCABULARY)
    ),
    "distilbert": lambda f: write(f, "distilbert", bert(), {"tokenizer_class": "DistilBertTokenizer"}, ["type"]),
    "electra": lambda f: write(f, "electra", bert(), {"tokenizer_class": "ElectraTokenizer", "strip_accents": None}),
    "roberta, old": lambda f: write(f, "roberta", roberta(), drop=["type", "byte_fallback", "ignore_merges"]),
    "roberta, prefix against none": lambda f: write(f, "roberta", roberta(), {"add_prefix_space": True}),
    "roberta, none against prefix": lambda f: write(f, "roberta", roberta(True), {"max_len": 512}),
    "roberta, added tokens": lambda f: write(f, "roberta", with_words(roberta()), {"cls_token": "<s>"}),
    "roberta, two files": lambda f: write(
        f, "roberta", vocab__json=bytepairs(ROBERTA)["vocab"], merges__txt=merges(), special_tokens_map__json=MASK
    ),
    "roberta model, bert words": lambda f: write(f, "roberta", bert(), {"tokenizer_class": "BertTokenizer"}),
    "xlm-roberta": lambda f: write(f, "xlm-roberta", xlm_roberta(), {"model_max_length": 512}),
    "xlm-roberta, old": lambda f: write(f, "xlm-roberta", xlm_roberta(), drop=["type", "byte_fallback"]),
    "xlm-roberta, no prefix": lambda f: write(f, "xlm-roberta", with_words(xlm_roberta()), {"add_prefix_space": False}),
    "minilm, many languages": lambda f: write(f, "bert", multilingual(), {"tokenizer_class": "XLMRobertaTokenizer"}),
    "minilm, file alone": lambda f: write(f, "bert", multilingual(), {"tokenizer_class": "PreTrainedTokenizerFast"}),
    "albert": lambda f: write(f, "albert", albert(), {"do_lower_case": True}),
    "albert, accents and capitals": lambda f: write(f, "albert", albert(), {**CASED, "keep_accents": True}),
    "deberta-v3": lambda f: write(f, "deberta-v2", deberta(), {"do_lower_case": False, "vocab_type": "spm"}),
    "deberta-v3, by punctuation": lambda f: write(
        f, "deberta-v2", deberta(), {"do_lower_case": True, "split_by_punct": True, "add_prefix_space": False}
    ),
    "xlm-roberta, model of SentencePiece": lambda f: write(
        f, "xlm-roberta", sentencepiece__bpe__model=sentencepieces(), special_tokens_map__json=MASK
    ),
    "albert, model of SentencePiece": lambda f: write(
        f, "albert", settings={"mask_token": "[MASK]"}, spiece__model=sentencepieces(True, ("[CLS]", "[SEP]"))
    ),
    "deberta-v3, model of SentencePiece": lambda f: write(
        f,
        "deberta-v2",
        settings={"do_lower_case": False, "vocab_type": "spm"},
        spm__model=sentencepieces(False, ("[PAD]", "[CLS]", "[SEP]"), ("Extra1", "<new>")),
    ),
    "mpnet": lambda f: write(f, "mpnet", mpnet(), {"tokenizer_class": "MPNetTokenizer", "do_lower_case": True}),
    "mpnet, vocab.txt": lambda f: write(f, "mpnet", settings={"do_lower_case": True}, vocab__txt=lines(MPNET)),
    "mpnet, two parts of one token": lambda f: write(
        f, "mpnet", special_tokens_map__json={"bos_token": "<s>", "cls_token": ALONE}, vocab__txt=lines(MPNET)
    ),
    "modernbert": lambda f: write(
        f, "modernbert", modernbert(), {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 1e30, **PARTS}
    ),
    "modernbert, without settings": lambda f: write(f, "modernbert", modernbert()),
}
LISTED = {
    "1": {"content": "[UNK]", "special": True},
    "5": {
        "content": "Extra",
        "lstrip": True,
        "rstrip": True,
        "normalized": True,
        "single_word": False,
        "special": False,
    },
    "9000": {"content": "<new>", "lstrip": False, "rstrip": False, "normalized": False, "special": True},
}
MASK = {"mask_token": {"content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False, "normalized": False}}
ALONE = {"content": "<s>", "single_word": True, "lstrip": False, "rstrip": True, "normalized": False}
OWN = {"unk_token": "<unk>", "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
OWN_VOCABULARY = wordpiece(True, ("<pad>", "<unk>", "<s>", "</s>", "<mask>"))
MPNET = wordpiece(True, ("<s>", "<pad>", "</s>", "[UNK]", "<mask>"))
PARTS = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


@pytest.fixture(params=SHAPES)
def folder(request, tmp_path):
    return SHAPES[request.param](tmp_path / "model")


def rows(encoded):
    return [encoded.tokens[a:b].tolist() for a, b in zip(encoded.boundaries, encoded.boundaries[1:], strict=False)]


def test_ids_are_those_of_transformers_read_and_saved(folder, tmp_path):
    theirs = AutoTokenizer.from_pretrained(folder)
    mine = ours.load(folder, 512)
    expected = theirs(texts(), truncation=True, max_length=512)["input_ids"]
    assert rows(mine.encode(texts())) == expected
    assert [rows(mine.encode([text]))[0] for text in texts()[:100]] == expected[:100]
    roles = {"mask": theirs.mask_token_id, "unknown": theirs.unk_token_id}
    assert {role: getattr(mine, role) for role, number in roles.items() if number is not None} == {
        role: number for role, number in roles.items() if number is not None
    }
    assert theirs.pad_token_id in (mine.padding, None)
    assert mine.size == 1 + max(theirs.get_vocab().values())

    saved = tmp_path / "saved"
    saved.mkdir()
    (saved / "config.json").write_bytes((folder / "config.json").read_bytes())
    mine.save(saved)
    assert json.loads((saved / "tokenizer.json").read_text())["model"]["type"]
    again = AutoTokenizer.from_pretrained(saved)
    assert again(texts()[:300], truncation=True, max_length=512)["input_ids"] == expected[:300]
    assert rows(ours.load(saved, 512).encode(texts()[:300])) == expected[:300]
    alone = Tokenizer.from_file(str(saved / "tokenizer.json"))
    assert [row.ids[:511] for row in alone.encode_batch(texts()[:50])] == [row[:511] for row in expected[:50]]
