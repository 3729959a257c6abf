"""Unknown tokens and tokens per word: a vocabulary's own language against others."""

import pytest
import tokenizers

from headstart.text import coverage, scripts, vocabulary
from headstart.text.tokenizer import Tokenizer

ENGLISH = ["The food was good and came quickly.", "Bad food, cold and late; never again!", "Good price, good food."]
CHINESE = ["送餐很快,味道好极了。", "味道不好,以后再也不订了", "very 好吃的"]


@pytest.fixture(scope="module")
def english():
    return vocabulary.train(ENGLISH * 5, 200, window=32)


def test_its_own_language_is_known(english):
    measured = coverage.measure(ENGLISH, english)
    assert (measured.unknown, measured.unknown_share) == (0, 0.0)
    assert measured.words == sum(len(text.split()) for text in ENGLISH)
    assert 1.0 <= measured.tokens_per_word < 1.6
    assert measured.tokens == sum(len(english.backend.encode(text).ids) - 2 for text in ENGLISH)


def test_chinese_is_unknown_to_an_english_vocabulary(english):
    measured = coverage.measure(CHINESE, english)
    counted = [english.backend.encode(text).tokens[1:-1] for text in CHINESE]
    assert measured.unknown == sum(tokens.count("[UNK]") for tokens in counted)
    assert measured.unknown_share > 0.8


def test_bytes_are_never_unknown_but_take_many_tokens(english):
    tokenizer = vocabulary.train_bytes(ENGLISH * 5, 400, window=32)
    own, foreign = coverage.measure(ENGLISH, tokenizer), coverage.measure(CHINESE, tokenizer)
    assert own.unknown == foreign.unknown == 0
    assert foreign.tokens_per_word > 2 > own.tokens_per_word


def test_what_a_unigram_vocabulary_lacks_is_unknown():
    pieces = [("<s>", 0.0), ("<unk>", 0.0), ("▁good", -1.0), ("▁", -2.0)]
    backend = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=1))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    measured = coverage.measure(["good 好"], Tokenizer(backend, 32, {"unk_token": "<unk>"}))
    assert (measured.tokens, measured.unknown, measured.words) == (3, 1, 2)


@pytest.mark.parametrize("texts", [[], [""], [" \n", "\u3000"]])
def test_no_words(english, texts):
    measured = coverage.measure(texts, english)
    assert measured == coverage.Coverage(0, 0, 0)
    assert (measured.unknown_share, measured.tokens_per_word) == (0.0, 0.0)


def test_only_the_part_that_a_model_is_given_is_read(english):
    measured = coverage.measure(["food " * 100_000], english)
    assert measured.words <= 32 * 64


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("two words", 2),
        ("don't stop.", 2),
        ("天气 很好", 4),
        ("天气。", 3),
        ("ภาษาไทย", 7),
        ("カタカナ漢字", 6),
        ("한국어 문장", 2),
        ("привет мир", 2),
        ("iPhone很好", 3),
        ("\u00a0a\u2028b\u3000", 2),
    ],
)
def test_words(text, count):
    assert scripts.words(text) == count
