"""Encoding against transformers and against the library one text at a time; files that cannot be trusted."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import json
import time

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from headstart.core.errors import CheckpointError
from headstart.text import tokenizer as ours
from headstart.text import vocabulary
from headstart.text.tokenizer import Tokenizer

CORPUS = ["the quick brown fox, the lazy dog!", "a naïve café; 日本語 words", "hello hello world's end"] * 4
WINDOW = 10
WORDS = st.one_of(
    st.text(max_size=6),
    st.sampled_from(
        ["the", "fox,", "[SEP]", "x[MASK]", "##ing", "\x1c", "\u2028", "\u3000", "日本", "é", "\u0301", "\xa0"]
    ),
)
TEXTS = st.lists(st.lists(WORDS, max_size=14).map(" ".join), min_size=ours.MANY, max_size=ours.MANY + 3)


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train(CORPUS, 120, window=WINDOW)


@pytest.fixture(scope="module")
def theirs(tokenizer, tmp_path_factory):
    place = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save(place)
    return AutoTokenizer.from_pretrained(place)


def rows(encoded):
    return [encoded.tokens[a:b].tolist() for a, b in zip(encoded.boundaries, encoded.boundaries[1:], strict=False)]


@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, window=st.integers(3, WINDOW))
def test_cutting_is_that_of_transformers(tokenizer, theirs, texts, window):
    expected = theirs(texts, truncation=True, max_length=window)["input_ids"]
    assert rows(tokenizer.encode(texts, window)) == expected
    assert rows(tokenizer.encode(texts[:3], window)) == expected[:3]


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS)
def test_share_cut_off_is_counted_over_all_tokens_but_the_special_ones(tokenizer, theirs, texts):
    full = [len(ids) for ids in theirs(texts, add_special_tokens=False, truncation=False)["input_ids"]]
    lost = sum(max(0, length - (WINDOW - 2)) for length in full)
    assert tokenizer.encode(texts).cut_off == pytest.approx(lost / sum(full) if sum(full) else 0.0)


@settings(max_examples=30, deadline=None)
@given(texts=TEXTS)
def test_words_seen_before_change_nothing(tokenizer, texts):
    alone = [rows(tokenizer.encode([text]))[0] for text in texts]
    assert rows(tokenizer.encode(texts)) == alone


def test_the_table_of_words_may_overflow(tokenizer, monkeypatch):
    monkeypatch.setattr(ours, "MOST_WORDS", 2)
    monkeypatch.setattr(ours, "CHUNK", 4)
    texts = [f"the fox {number} the dog" for number in range(40)]
    assert rows(tokenizer.encode(texts)) == [rows(tokenizer.encode([text]))[0] for text in texts]


def test_a_special_token_with_a_space_in_it_is_found():
    backend = vocabulary.train(CORPUS, 120, window=WINDOW).backend
    backend.add_special_tokens(["lazy dog"])
    tokenizer = Tokenizer(backend, WINDOW)
    number = backend.token_to_id("lazy dog")
    assert all(number in row for row in rows(tokenizer.encode(["the lazy dog"] * ours.MANY)))


def test_no_texts_and_empty_texts(tokenizer):
    none = tokenizer.encode([])
    assert (len(none), none.tokens.tolist(), none.boundaries.tolist(), none.cut_off) == (0, [], [0], 0.0)
    empty = tokenizer.encode(["", " "])
    assert rows(empty) == [[2, 3], [2, 3]]
    assert (empty.lengths.tolist(), empty.cut_off) == ([2, 2], 0.0)
    assert (empty.tokens.dtype, empty.boundaries.dtype) == (np.int32, np.int64)


def test_lone_surrogates_become_question_marks(tokenizer):
    assert rows(tokenizer.encode(["fox \ud800"])) == rows(tokenizer.encode(["fox ?"]))


def test_a_giant_text_costs_no_more_than_its_beginning(tokenizer):
    start = time.perf_counter()
    encoded = tokenizer.encode(["hello world " * 2_000_000])
    assert time.perf_counter() - start < 2
    assert encoded.lengths.tolist() == [WINDOW]
    assert encoded.cut_off == pytest.approx(1 - (WINDOW - 2) / 4_000_000, rel=1e-3)


def test_a_window_wider_than_the_model_s_is_not_taken(tokenizer):
    assert tokenizer.encode(["the " * 50], window=1_000).lengths.tolist() == [WINDOW]


def test_padding_and_truncation_in_the_file_are_ignored(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    edit(
        tmp_path,
        padding={
            "strategy": {"Fixed": 50_000_000},
            "direction": "Right",
            "pad_to_multiple_of": None,
            "pad_id": 0,
            "pad_type_id": 0,
            "pad_token": "[PAD]",
        },
        truncation={"max_length": 4, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    )
    again = ours.load(tmp_path, 512)
    assert rows(again.encode(["the quick brown fox"])) == rows(tokenizer.encode(["the quick brown fox"]))


def test_saving_gives_back_what_was_read(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    again = ours.load(tmp_path, 512)
    assert (again.window, again.size, again.padding) == (WINDOW, tokenizer.size, 0)
    assert again.settings == tokenizer.settings | {"model_max_length": WINDOW}
    assert again.backend.to_str() == tokenizer.backend.to_str()


def edit(place, **changes):
    path = place / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_vocabulary_without_its_unknown_token_is_refused(tmp_path, tokenizer):
    tokenizer.save(tmp_path)
    edit(
        tmp_path,
        added_tokens=[],
        post_processor=None,
        model={
            "type": "WordPiece",
            "vocab": {"b": 0},
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
        },
    )
    with pytest.raises(CheckpointError, match="is not a readable tokenizer"):
        ours.load(tmp_path, 512)


def test_a_panic_of_the_library_is_an_error_like_any_other(tokenizer, tmp_path, monkeypatch):
    class Panic(BaseException):
        pass

    def panic(_):
        raise Panic("index out of bounds")

    tokenizer.save(tmp_path)
    monkeypatch.setattr(tokenizers.Tokenizer, "from_str", panic, raising=True)
    with pytest.raises(CheckpointError, match=r"is not a readable tokenizer \(index out of bounds\)"):
        ours.load(tmp_path, 512)


def test_an_interrupt_is_let_through(tokenizer, tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    tokenizer.save(tmp_path)
    monkeypatch.setattr(tokenizers.Tokenizer, "from_str", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ours.load(tmp_path, 512)


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not readable JSON"), ("[" * 100_000, "not readable JSON"), ("3", "no JSON object")]
)
def test_files_that_are_no_json(tokenizer, tmp_path, name, text, message):
    tokenizer.save(tmp_path)
    (tmp_path / name).write_text(text)
    with pytest.raises(CheckpointError, match=message):
        ours.load(tmp_path, 512)


STATED = [(7, 7), (10**30, 512), (1e30, 512), (float("inf"), 512), (float("nan"), 512), (None, 512), ("many", 512)]


@pytest.mark.parametrize(("stated", "window"), [*STATED, (True, 512), (0, 512)])
def test_the_window_is_the_lesser_of_the_model_s_and_the_tokenizer_s(tokenizer, tmp_path, stated, window):
    tokenizer.save(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"model_max_length": stated}))
    assert ours.load(tmp_path, 512).window == window


def test_a_window_without_room_for_text_is_refused(tokenizer, tmp_path):
    tokenizer.save(tmp_path)
    with pytest.raises(CheckpointError, match="a window of 2 tokens leaves no room for text next to"):
        ours.load(tmp_path, 2)


def test_a_text_is_encoded_once_whoever_opens_the_vocabulary(tmp_path, monkeypatch):
    vocabulary.train(["one two three four"] * 9, 64, window=16).save(tmp_path)
    first = ours.load(tmp_path, 512)
    encoded = first.encode(["one two", "three", "one two"])
    second = ours.load(tmp_path, 512)
    asked = []
    plain = ours.Tokenizer._encode
    monkeypatch.setattr(ours.Tokenizer, "_encode", lambda self, texts: asked.extend(texts) or plain(self, texts))
    again = second.encode(["one two", "four", "three"])
    assert asked == ["four"]
    assert again.tokens[: again.boundaries[1]].tolist() == encoded.tokens[: encoded.boundaries[1]].tolist()


def test_the_memory_of_texts_is_bounded(monkeypatch):
    tokenizer = vocabulary.train(["one two three four"] * 9, 64, window=16)
    monkeypatch.setattr(ours, "MOST_REMEMBERED", 10 * ours.BYTES_BESIDE)
    texts = [f"one {number}" for number in range(200)]
    together = tokenizer.encode(texts)
    for start in range(0, 200, 4):
        tokenizer.encode(texts[start : start + 4])
    assert len(tokenizer.memory.bodies) < 20
    assert tokenizer.memory.size < 20 * 2 * ours.BYTES_BESIDE
    assert np.array_equal(tokenizer.encode(texts).tokens, together.tokens)


def test_a_tokenizer_that_forgets_encodes_alike():
    tokenizer = vocabulary.train(["some words of a text"] * 3, 50, window=8)
    texts = ["some words", "a text", "some words", *(f"word {n}" for n in range(50))]
    before = tokenizer.encode(texts)
    tokenizer.forget()
    after = tokenizer.encode(texts)
    assert tokenizer.memory is None
    assert np.array_equal(before.tokens, after.tokens)
    assert np.array_equal(before.boundaries, after.boundaries)


def metaspace(pieces):
    backend = tokenizers.Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), *pieces], unk_id=0))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    return Tokenizer(backend, WINDOW)


def spaces_replaced(pieces):
    """As Gemma's: a space becomes a letter, and pairs are joined across nothing."""
    names = ["<unk>", *(piece for piece, _ in pieces)]
    vocabulary = {piece: number for number, piece in enumerate(names)}
    backend = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, [], unk_token="<unk>"))
    backend.normalizer = tokenizers.normalizers.Replace(" ", "▁")
    return Tokenizer(backend, WINDOW)


@pytest.mark.parametrize("make", [metaspace, spaces_replaced])
def test_tokens_that_begin_a_word_are_marked_by_a_bar_or_stand_in_a_script_without_spaces(make):
    pieces = [(piece, -1.0) for piece in ("▁", "▁wor", "ld", "天气", "▁天", "ひ", ".")]
    tokenizer = make(pieces)
    number = tokenizer.backend.token_to_id
    inside = tokenizer.inside_words()
    assert [piece for piece, _ in pieces if inside[number(piece)]] == ["ld", "."]
    assert (inside.dtype, inside.shape) == (bool, (tokenizer.size,))


def test_letters_that_other_tokenizers_mark_words_with_mean_nothing_to_wordpiece():
    tokenizer = vocabulary.train(["Ġ ▁ word words Ġa ▁b"] * 5, 60, lowercase=False, window=WINDOW)
    known = tokenizer.backend.get_vocab()
    assert {"Ġ", "▁"} <= known.keys()
    inside = tokenizer.inside_words()
    assert [piece for piece, number in known.items() if inside[number] != piece.startswith("##")] == []


def test_a_number_beyond_the_others_needs_a_row():
    backend = tokenizers.Tokenizer(tokenizers.models.WordPiece({"[UNK]": 0, "a": 90}, unk_token="[UNK]"))
    tokenizer = Tokenizer(backend, WINDOW)
    assert tokenizer.size == 91 == len(tokenizer.inside_words())


@pytest.mark.parametrize(("content", "together"), [("brown fox", True), ("fox\u00a0x", True), ("fox", False)])
def test_words_are_not_encoded_apart_where_an_added_token_may_reach_across_a_space(content, together):
    backend = vocabulary.train(CORPUS, 120, window=WINDOW).backend
    backend.add_tokens([tokenizers.AddedToken(content, normalized=True)])
    assert Tokenizer(backend, WINDOW)._splits_at_spaces() is not together


def test_a_prefix_stands_before_each_text_and_survives_saving(tmp_path):
    plain = vocabulary.train(["query: a good cat"] * 5, 64, window=12)
    made = Tokenizer(plain.backend, 12, {**plain.settings, "headstart_prefix": "query: "})
    made.save(tmp_path)
    again = ours.load(tmp_path, 12)
    for texts in (["good cat", ""], ["a cat"] * 40):
        expected = plain.encode([f"query: {text}" for text in texts]).tokens
        assert again.encode(texts).tokens.tolist() == made.encode(texts).tokens.tolist() == expected.tolist()
    # Text that is pretrained on has none.
    assert again.encode_whole(["a cat"]).tokens.tolist() == plain.encode_whole(["a cat"]).tokens.tolist()


@pytest.mark.parametrize("prefix", [3, "x" * 65])
def test_a_prefix_that_is_no_short_text(tmp_path, prefix):
    vocabulary.train(["a cat"] * 5, 64, window=12).save(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "headstart_prefix": prefix}))
    with pytest.raises(CheckpointError, match=r"'headstart_prefix' in .* must be a text of at most 64"):
        ours.load(tmp_path, 12)
