"""Files that cannot be trusted or understood are refused with one sentence; nothing in them is run."""

import base64
import json
import struct

import numpy as np
import pytest
import tokenizers

from headstart.core.errors import CheckpointError
from headstart.text import _tokenizer_files as files
from headstart.text import _tokenizer_safety as safety
from headstart.text import tokenizer as ours
from headstart.text import vocabulary

WORDS = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, "a": 5, "##b": 6}
FAST = {"tokenizer_class": "PreTrainedTokenizerFast"}
PIECES = [["<unk>", 0.0], ["▁a", -1.0], ["b", -2.0]]
UNIGRAM = {"unk_id": 0, "vocab": PIECES}


def write(folder, settings=FAST, model=..., **changes):
    """A small tokenizer.json with changes; the settings say that it is used as it is."""
    tokenizer = vocabulary.train(["a b c abc"] * 3, 50, window=16)
    tokenizer.save(folder)
    stored = json.loads((folder / "tokenizer.json").read_text()) | changes
    if model is not ...:
        stored |= {"model": model, "added_tokens": [], "post_processor": None} | changes
    (folder / "tokenizer.json").write_text(json.dumps(stored))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def split(**pattern):
    return {"type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": False}


def replace(content, **pattern):
    return {"type": "Replace", "pattern": pattern, "content": content}


def charsmap(data):
    return {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(data).decode()}


def template(pieces):
    return {"type": "TemplateProcessing", "single": pieces, "pair": [], "special_tokens": {}}


TWICE = template([{"Sequence": {"id": "A", "type_id": 0}}] * 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"pre_tokenizer": split(Regex="(a+)+$")},
            r"Split with the pattern '\(a\+\)\+\$' is not supported",
        ),
        (
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split(Regex="(a+)+$")]}},
            "pre_tokenizer Split with the pattern",
        ),
        ({"pre_tokenizer": {"type": "UnicodeScripts"}}, "pre_tokenizer of type 'UnicodeScripts' is not supported"),
        ({"normalizer": replace(" ", Regex="(a|a)*b")}, "normalizer Replace with the pattern"),
        ({"normalizer": replace(" ", String="")}, "normalizer Replace with the pattern '' is not supported; known are"),
        ({"normalizer": replace("aaa", String="a")}, "normalizer Replace makes texts longer; it is refused"),
        ({"normalizer": replace("aaa", Regex=" {2,}")}, "normalizer Replace makes texts longer; it is refused"),
        ({"decoder": replace(" ", Regex="(a|a)*b")}, "decoder Replace with the pattern"),
        ({"normalizer": {"type": "Prepend", "prepend": "a" * 9}}, "more than 8 characters before each text"),
        ({"normalizer": charsmap(b"")}, "holds a damaged map of characters"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "!"}}, "holds a damaged map of characters"),
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}] * 70}}, "is made of 7. parts"),
        ({"model": {"type": "WordLevel", "vocab": {}}}, "model of type 'WordLevel' is not supported; known: BPE, Unig"),
        ({"model": {}}, "the model has no type, and its fields are those of none of WordPiece, BPE and Unigram"),
        (
            {"model": {"merges": [], "max_input_chars_per_word": 100, "vocab": {}}},
            "its fields are those of WordPiece and BPE of WordPiece, BPE and Unigram; name it under model.type",
        ),
        ({"post_processor": {"type": "Sequence", "processors": [{"type": "Odd"}]}}, "post_processor of type 'Odd'"),
        (
            {"post_processor": template([{"Sequence": {"id": "A", "type_id": 0}}] * 99)},
            "puts 99 pieces around",
        ),
        ({"post_processor": TWICE}, "puts special tokens inside a text, which is not"),
        ({"model": {"type": "WordPiece", "vocab": 3}}, "is not a readable tokenizer"),
        ({"model": None}, r"is not a readable tokenizer \(it has no model\)"),
        ({"added_tokens": 7}, r"is not a readable tokenizer \(added_tokens is no list of objects\)"),
        ({"added_tokens": [7]}, r"is not a readable tokenizer \(added_tokens is no list of objects\)"),
        (
            {"model": {"type": "WordPiece", "vocab": WORDS, "max_input_chars_per_word": 10**6, "unk_token": "[UNK]"}},
            "splits words of up to 1000000 characters; more than 500 would take minutes",
        ),
        ({"model": {"type": "Unigram", "vocab": PIECES, "unk_id": None}}, "is not a readable tokenizer .*unk_id"),
        ({"model": {"type": "Unigram", "vocab": PIECES, "unk_id": 7}}, "is not a readable tokenizer"),
        ({"model": {"type": "Unigram", "vocab": [], "unk_id": None}}, "is not a readable tokenizer"),
        ({"model": UNIGRAM | {"vocab": [*PIECES, ["x" * 2000, 0.0]]}}, "has a token of 2000 characters; no known"),
    ],
)
def test_a_crafted_file_is_refused(tmp_path, changes, message):
    write(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=message):
        ours.load(tmp_path, 512)


def test_a_class_that_builds_its_own_parts_still_refuses_what_is_not_safe(tmp_path):
    write(tmp_path, {"tokenizer_class": "BertTokenizer"}, pre_tokenizer=split(Regex="(a+)+$"))
    with pytest.raises(CheckpointError, match="pre_tokenizer Split with the pattern"):
        ours.load(tmp_path, 512)


@pytest.mark.parametrize(("name", "most"), [("MOST_PIECES", 6), ("MOST_ADDED", 3)])
def test_lists_of_tokens_have_a_limit(tmp_path, monkeypatch, name, most):
    monkeypatch.setattr(safety, name, most)
    with pytest.raises(CheckpointError, match=rf"has \d+ tokens in one list; no known tokenizer has more than {most}"):
        ours.load(write(tmp_path), 512)


def test_tokens_that_the_settings_add_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(safety, "MOST_ADDED", 8)
    write(tmp_path, FAST | {"extra_special_tokens": [f"<{number}>" for number in range(9)]})
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json has 14 tokens in one list"):
        ours.load(tmp_path, 512)


def test_parts_inside_parts_without_end(tmp_path):
    part = {"type": "NFC"}
    for _ in range(400):
        part = {"type": "Sequence", "normalizers": [part]}
    with pytest.raises(CheckpointError, match=r"is made of 40. parts; no known tokenizer has more than 64"):
        ours.load(write(tmp_path, normalizer=part), 512)


def test_files_have_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 2**20)
    write(tmp_path, padding={"x": "y" * 2**20})
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is larger than 1 MiB, so it is no tokenizer's file"):
        ours.load(tmp_path, 512)


@pytest.mark.parametrize("model", [UNIGRAM, {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}])
def test_nothing_is_drawn_at_random(tmp_path, model):
    model = model | {"dropout": 0.5, "alpha": 0.1, "nbest_size": -1}
    loaded = ours.load(write(tmp_path, model=model), 512)
    loaded.forget()
    assert len({loaded.encode(["ab"]).tokens.tobytes() for _ in range(30)}) == 1
    assert "0.5" not in loaded.backend.to_str()


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (
            {
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": WORDS,
            },
            "WordPiece",
        ),
        ({"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"], "unk_token": None, "dropout": None}, "BPE"),
        (UNIGRAM, "Unigram"),
    ],
)
def test_a_missing_type_is_inferred_and_saved(tmp_path, model, kind):
    loaded = ours.load(write(tmp_path, model=model), 512)
    assert type(loaded.backend.model).__name__ == kind
    loaded.save(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text())["model"]["type"] == kind


def trie(keys, texts):
    """A double array as SentencePiece stores it, each node in a block of its own."""
    root = {}
    for key, start in keys.items():
        node = root
        for byte in key.encode():
            node = node.setdefault(byte, {})
        node["start"] = start
    units = np.zeros(256 * (2 + sum(map(len, keys)) * 4), dtype=np.uint32)
    free = iter(range(256, len(units), 256))

    def fill(place, node):
        base = next(free)
        units[place] |= np.uint32((place ^ base) << 10)
        if "start" in node:
            units[place] |= np.uint32(1 << 8)
            units[base] = node["start"] | 1 << 31
        for byte, child in node.items():
            if byte != "start":
                units[base ^ byte] = byte
                fill(base ^ byte, child)

    fill(0, root)
    return struct.pack("<I", 4 * len(units)) + units.tobytes() + texts


def test_a_sound_map_of_characters_is_run(tmp_path):
    data = trie({"ﬁ": 0, "É": 3}, b"fi\0e\0")
    safety.check_charsmap(data, "here")
    normalizer = tokenizers.normalizers.Precompiled(data)
    assert normalizer.normalize_str("ﬁn É") == "fin e"
    write(tmp_path, model=UNIGRAM, normalizer=charsmap(data), pre_tokenizer={"type": "Metaspace", "replacement": "▁"})
    assert ours.load(tmp_path, 512).size == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x07\0\0\0" + b"\0" * 8, "damaged"),
        (b"\xff\0\0\0" + b"\0" * 8, "damaged"),
        (struct.pack("<I", 0), "damaged"),
        (struct.pack("<III", 8, 0xFFFFF << 10, 0), "damaged"),
        (struct.pack("<I", 1024) + b"\0" * 1020, "damaged"),
        (trie({"a": 50}, b"x\0"), "damaged"),
        (trie({"a": 1}, "é\0".encode()), "damaged"),
        (trie({"a" * 65: 0}, b"x\0"), "damaged"),
        (trie({"a": 0}, b"x" * 300), "here replaces a character by a text of 300 bytes; it is refused"),
        (b"\0" * (4 * 2**20 + 1), "here holds a map of characters larger than 4 MiB"),
    ],
)
def test_a_damaged_map_of_characters_is_refused(data, message):
    with pytest.raises(CheckpointError, match=message):
        safety.check_charsmap(data, "here")


def test_random_damage_never_makes_the_library_panic(rng):
    sound = np.frombuffer(trie({"a": 0, "ﬁ": 2, "É": 2}, b"x\0fi\0"), dtype=np.uint8)
    passed = 0
    for _ in range(200):
        data = sound.copy()
        places = rng.choice(np.flatnonzero(sound), 3)
        data[places] = rng.integers(0, 256, 3)
        try:
            safety.check_charsmap(data.tobytes(), "here")
        except CheckpointError:
            continue
        try:
            normalizer = tokenizers.normalizers.Precompiled(data.tobytes())
        except Exception:  # a panic is none
            continue
        passed += 1
        normalizer.normalize_str("a b é É ﬁ ﷺ 日本 \U0001f600" + bytes(range(1, 128)).decode())
    assert passed


@pytest.mark.parametrize(
    ("name", "model_type", "present", "message"),
    [
        (None, "", {}, r"no tokenizer\.json in .*: the tokenizer is needed in addition to the weights"),
        (None, "bert", {}, r"no tokenizer\.json or vocab\.txt in"),
        ("RobertaTokenizer", "", {"vocab.json": "{}"}, r"no tokenizer\.json or vocab\.json with merges\.txt in"),
        ("XLMRobertaTokenizer", "", {"vocab.txt": "a"}, r"no tokenizer\.json or sentencepiece\.bpe\.model in"),
        (
            "AlbertTokenizer",
            "",
            {"spiece.model": "\x0a\x7f"},
            r"spiece\.model is not a readable tokenizer \(a field is",
        ),
        ("AlbertTokenizer", "", {"spiece.model": "\x08"}, r"spiece\.model is not a readable tokenizer \(a num"),
        ("AlbertTokenizer", "", {"spiece.model": "\x12\x02\x18\x02"}, r"\(it is not a Unigram model\)"),
        (
            "AlbertTokenizer",
            "",
            {"spiece.model": "\x1a\x03\x12\x01a"},
            r"spiece\.model holds a damaged map of",
        ),
        ("AlbertTokenizer", "", {"spiece.model": ""}, r"spiece\.model is not a readable tokenizer"),
        (
            None,
            "",
            {"vocab.txt": "a"},
            r"neither tokenizer_config\.json nor config\.json says how to read",
        ),
        (
            "BertJapaneseTokenizer",
            "bert",
            {"vocab.txt": "a"},
            "is a BertJapaneseTokenizer, which splits words by rules",
        ),
        ("OddTokenizer", "bert", {"vocab.txt": "a"}, r"\(found 'OddTokenizer'\); name a 'tokenizer_class'"),
        ("BertTokenizer", "", {"vocab.txt": "a\nb"}, r"vocab\.txt is not a readable tokenizer"),
        ("BertTokenizer", "", {"vocab.txt": "x" * 2000}, "has a token of 2000 characters"),
        ("RobertaTokenizer", "", {"vocab.json": "{", "merges.txt": ""}, r"vocab\.json is not a readable tokenizer"),
        ("RobertaTokenizer", "", {"vocab.json": "{}", "merges.txt": "a b c"}, r"vocab\.json is not a readable"),
    ],
)
def test_vocabularies_alone_that_cannot_be_read(tmp_path, name, model_type, present, message):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": name}))
    for file, content in present.items():
        (tmp_path / file).write_text(content)
    with pytest.raises(CheckpointError, match=message):
        ours.load(tmp_path, 512, model_type)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"tokenizer_class": "BertTokenizer", "do_lower_case": "no"},
            "'do_lower_case' must be true or false, not",
        ),
        ({"tokenizer_class": "BertTokenizer", "strip_accents": 1}, "'strip_accents' must be true or false, not '1'"),
        (
            {"tokenizer_class": "XLMRobertaTokenizer"},
            "holds a WordPiece model, but XLMRobertaTokenizer is",
        ),
        ({**FAST, "mask_token": 7}, "a special token must be a text or an object with 'content', not '7'"),
    ],
)
def test_settings_that_cannot_be_followed(tmp_path, settings, message):
    with pytest.raises(CheckpointError, match=message):
        ours.load(write(tmp_path, settings), 512)


def test_the_caller_may_know_the_family(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    loaded = ours.load(tmp_path, 512, "bert")
    assert loaded.encode(["A Ab"]).tokens.tolist() == [2, 5, 5, 6, 3]
    assert (loaded.mask, loaded.unknown, loaded.padding) == (4, 1, 0)


def test_a_tokenizer_that_finds_no_tokens(tmp_path):
    model = {"type": "BPE", "vocab": {}, "merges": []}
    with pytest.raises(CheckpointError, match="the tokenizer finds no tokens in any text"):
        ours.load(write(tmp_path, model=model), 512)
