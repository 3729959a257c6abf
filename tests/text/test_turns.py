"""Conversations become tokens: whole turns, the latest ones that fit."""

import pytest

from headstart.text import turns, vocabulary

TALK = [("user", "one two"), ("assistant", "three"), ("user", "four five")]


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train_bytes(["one two three four five"] * 3, 280, window=64)


@pytest.fixture(scope="module")
def chat():
    made = vocabulary.train_bytes(["one two three four five", "user assistant\n"] * 3, 280, window=64)
    made.backend.add_special_tokens([turns.BEGIN, turns.END])
    return made


def read(tokenizer, *talks):
    encoded = tokenizer.encode_turns(talks)
    rows = [encoded.tokens[a:b] for a, b in zip(encoded.boundaries[:-1], encoded.boundaries[1:], strict=True)]
    return [tokenizer.backend.decode(row, skip_special_tokens=False) for row in rows], encoded


def test_each_turn_ends_with_the_token_that_ends_texts(tokenizer):
    (text, other), encoded = read(tokenizer, TALK, TALK[:1])
    assert text == "[CLS] one two[SEP] three[SEP] four five[SEP]"
    assert other == "[CLS] one two[SEP]"
    assert encoded.cut_off == 0


def test_chatml_has_roles_and_begins_the_answer(chat):
    (text,), _ = read(chat, TALK[:1])
    assert text == "<|im_start|> user\none two<|im_end|> \n<|im_start|> assistant\n"


@pytest.mark.parametrize(("window", "expected"), [(12, " three[SEP] four five[SEP]"), (7, " four five[SEP]")])
def test_the_oldest_turns_are_left_out(tokenizer, window, expected):
    tokenizer = vocabulary.train_bytes(["one two three four five"] * 3, 400, window=window)
    (text,), encoded = read(tokenizer, [("user", "one two " * 9), *TALK[1:]])
    assert text.endswith(expected)
    assert len(encoded.tokens) <= window
    assert 0 < encoded.cut_off < 1


def test_a_system_message_stays_and_a_last_turn_that_is_too_long_is_cut_at_its_end(tokenizer):
    short = vocabulary.train_bytes(["one two three four five"] * 3, 400, window=12)
    (text,), _ = read(short, [("system", "one"), ("user", "two " * 9), ("user", "three")])
    assert text == "[CLS] one[SEP] three[SEP]"
    (text,), encoded = read(short, [("user", "two " * 50)])
    assert text.startswith("[CLS] two two")
    assert text.endswith("[SEP]")
    assert len(encoded.tokens) == 12
