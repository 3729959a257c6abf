"""Pairs of texts: ids, segments and truncation as Hugging Face's fast tokenizers have them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.test_checkpoints import byte_level
from transformers import PreTrainedTokenizerFast

from headstart.text import vocabulary
from headstart.text.tokenizer import shares_of

WORDS = ["the", "cat", "sat", "on", "a", "hat", "quietly", "42", "naïve"]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), min_size=3, max_size=3)


@pytest.fixture(scope="module", params=["BERT", "RoBERTa"])
def tokenizer(request):
    return byte_level() if request.param == "RoBERTa" else vocabulary.train([" ".join(WORDS)] * 9, 60, window=24)


@settings(max_examples=40, deadline=None)
@given(first=TEXTS, second=TEXTS, window=st.integers(5, 24))
def test_pairs_are_those_of_a_fast_tokenizer(tokenizer, first, second, window):
    theirs = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend)
    padded = theirs(first, second, truncation="longest_first", max_length=window, return_token_type_ids=True)
    theirs.backend_tokenizer.no_truncation()
    encoded = tokenizer.encode_pairs(first, second, window)
    assert [part.tolist() for part in np.split(encoded.tokens, encoded.boundaries[1:-1])] == padded["input_ids"]
    segments = np.zeros(len(encoded.tokens)) if encoded.segments is None else encoded.segments
    assert segments.tolist() == [number for row in padded["token_type_ids"] for number in row]


def test_the_share_of_what_was_truncated_counts_both_texts(tokenizer):
    whole = tokenizer.encode_pairs(["cat"], ["hat"])
    assert whole.cut_off == 0.0
    first, second = "cat " * 10, "hat " * 30
    special = len(tokenizer.opening) + len(tokenizer.between) + len(tokenizer.closing)
    count = len(tokenizer.encode_whole([first]).tokens) + len(tokenizer.encode_whole([second]).tokens)
    encoded = tokenizer.encode_pairs([first], [second], 20)
    assert encoded.lengths.tolist() == [20]
    assert encoded.cut_off == pytest.approx(1 - (20 - special) / count)


@given(room=st.integers(0, 40), first=st.integers(0, 60), second=st.integers(0, 60))
def test_the_longer_text_is_truncated_first(room, first, second):
    """One token at a time from the longer text, the slow way."""
    expected = [first, second]
    while sum(expected) > room:
        expected[0 if expected[0] > expected[1] else 1] -= 1
    one, other = shares_of(room, first, second)
    assert one + other == sum(expected)
    assert abs(one - expected[0]) <= 1
