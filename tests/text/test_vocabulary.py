"""Training a vocabulary: the same everywhere, BERT's form, odd corpora."""

import itertools
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headstart.core.errors import DataError, UsageError
from headstart.text import vocabulary
from headstart.text.tokenizer import load

ENGLISH = ["The cat sat on the mat; the CAT purred.", "Naïve cats: café, purring & purrs!", "a mat, a cat, a hat"] * 3


def numbered(tokenizer):
    return sorted(tokenizer.backend.get_vocab().items(), key=lambda item: item[1])


def test_special_tokens_come_first_and_numbers_have_no_gaps():
    tokenizer = vocabulary.train(ENGLISH, 80, window=16)
    pieces = numbered(tokenizer)
    assert tuple(piece for piece, _ in pieces[:5]) == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert [number for _, number in pieces] == list(range(tokenizer.size))
    assert tokenizer.size <= 80
    assert (tokenizer.window, tokenizer.padding) == (16, 0)


SCRIPT = """
import random
from headstart.text import vocabulary
rng = random.Random(5)
texts = [" ".join("".join(rng.choices("abcdefghijkl,é日", k=rng.randint(1, 6))) for _ in range(30)) for _ in range(60)]
for learn in (vocabulary.train, vocabulary.train_bytes):
    print(sorted(learn(texts, 400, window=64).backend.get_vocab().items(), key=lambda item: item[1]))
"""


def test_the_same_texts_give_the_same_vocabulary_in_any_process():
    seen = set()
    for number in ("1", "2", "3"):
        environment = os.environ | {"PYTHONHASHSEED": number, "RAYON_NUM_THREADS": number}
        run = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        seen.add(run.stdout)
    assert len(seen) == 1


def test_the_order_of_the_texts_does_not_matter():
    assert numbered(vocabulary.train(ENGLISH, 80, window=16)) == numbered(
        vocabulary.train(ENGLISH[::-1], 80, window=16)
    )


def test_capitals_and_accents_go_unless_they_are_wanted():
    folded = vocabulary.train(ENGLISH, 80, window=16)
    assert folded.encode(["CAFÉ"]).tokens.tolist() == folded.encode(["cafe"]).tokens.tolist()
    cased = vocabulary.train(ENGLISH, 80, lowercase=False, window=16)
    assert cased.encode(["CAT"]).tokens.tolist() != cased.encode(["cat"]).tokens.tolist()
    assert cased.settings["do_lower_case"] is False


def test_frequent_words_become_one_piece():
    tokenizer = vocabulary.train(ENGLISH, 200, window=16)
    assert tokenizer.backend.encode("The cat purred").tokens == ["[CLS]", "the", "cat", "purred", "[SEP]"]


def test_chinese_is_learned_by_character_the_frequent_ones_first():
    texts = ["今天天气很好", "天气不好", "好好好"] + [chr(0x4E00 + number) for number in range(200)]
    tokenizer = vocabulary.train(texts, 40, window=16)
    assert {"天", "气", "好"} <= dict(numbered(tokenizer)).keys()
    assert not any(piece.startswith("##") for piece, _ in numbered(tokenizer))
    assert len(tokenizer.encode(["天气好"]).tokens) == 5
    assert tokenizer.size <= 40


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=20), max_size=6), size=st.integers(32, 60))
def test_any_texts_give_a_vocabulary_within_its_size_or_a_clear_error(texts, size):
    try:
        tokenizer = vocabulary.train(texts, size, window=8)
    except DataError:
        return
    assert 5 < tokenizer.size <= size
    assert tokenizer.encode(texts).tokens.max() < tokenizer.size


@pytest.mark.parametrize("texts", [[], [""], [" \n\t", "\x00"]])
def test_texts_without_characters(texts):
    with pytest.raises(DataError, match="the texts hold no characters to learn a vocabulary from"):
        vocabulary.train(texts, 100, window=8)


def test_a_size_that_is_too_small():
    with pytest.raises(UsageError, match="a vocabulary of 31 tokens is too small; ask for at least 32"):
        vocabulary.train(ENGLISH, 31, window=8)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=40))
def test_bytes_lose_no_character(byte_level, text):
    text = text.encode("utf-8", "replace").decode("utf-8")
    if any(token in text for token in vocabulary.SPECIAL):
        return
    ids = byte_level.backend.encode(text, add_special_tokens=False).ids
    assert byte_level.backend.decode(ids) == (text if text[:1] in ("", " ") else f" {text}")


@pytest.fixture(scope="module")
def byte_level():
    return vocabulary.train_bytes(ENGLISH, 300, window=16)


def test_bytes_are_read_alike_by_our_tokenizer_from_a_folder_and_by_transformers(byte_level, tmp_path):
    from transformers import AutoTokenizer

    byte_level.save(tmp_path)
    again = load(tmp_path, 16)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("the cat", "", "Naïve 🦁 CATS"):
        ids = byte_level.encode([text]).tokens.tolist()
        assert ids == again.encode([text]).tokens.tolist() == theirs(text)["input_ids"]
    assert (again.mask, again.padding, again.unknown) == (4, 0, 1) == (theirs.mask_token_id, 0, 1)
    assert numbered(byte_level)[0][0] == "[PAD]"


def test_too_few_tokens_for_all_bytes():
    with pytest.raises(UsageError, match="260 tokens is too small for all bytes; ask for at least 261"):
        vocabulary.train_bytes(ENGLISH, 260, window=16)


@given(sizes=st.lists(st.integers(1, 30), max_size=60), most=st.integers(30, 200))
def test_a_sample_is_bounded_and_spread_evenly(sizes, most):
    texts = [chr(100 + number) * size for number, size in enumerate(sizes)]
    sampled = vocabulary.sample(iter(texts), most)
    places = [texts.index(text) for text in sampled]
    assert sum(map(len, sampled)) <= most
    assert len({b - a for a, b in itertools.pairwise(places)}) <= 1
    if sum(sizes) <= most:
        assert sampled == texts
