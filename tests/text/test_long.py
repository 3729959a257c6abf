"""The tokens of texts beyond the window, and the share that is cut off."""

import numpy as np
import pytest

from headstart.core.long_texts import LongTexts
from headstart.text import _long, vocabulary
from headstart.text.tokenizer import PREFIX

WINDOW, ROOM = 10, 8
CORPUS = ["alpha beta gamma delta epsilon", "query: passage: one two three four"] * 4


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train(CORPUS, 120, window=WINDOW)


def rows(encoded):
    return [encoded.tokens[a:b].tolist() for a, b in zip(encoded.boundaries, encoded.boundaries[1:], strict=False)]


def numbered(count):
    """Give a text of so many words, each one token."""
    return " ".join(np.array(["alpha", "beta", "gamma", "delta"])[np.arange(count) % 4])


def test_the_first_tokens_are_read_by_default(tokenizer):
    texts = [numbered(count) for count in (0, 3, 8, 30)]
    plain, again = tokenizer.encode(texts), tokenizer.reading(LongTexts("first")).encode(texts)
    assert np.array_equal(plain.tokens, again.tokens)
    assert (plain.rows, again.rows, again.cut_off) == (None, None, plain.cut_off)


def test_head_and_tail_are_a_quarter_and_three_quarters(tokenizer):
    texts = [numbered(count) for count in (0, 8, 13)]
    whole = tokenizer.encode_whole(texts)
    body = whole.tokens[whole.boundaries[2] :].tolist()
    assert len(body) == 13
    encoded = tokenizer.reading(LongTexts("head-tail")).encode(texts)
    (opening,), (closing,) = tokenizer.opening, tokenizer.closing
    assert rows(encoded)[2] == [opening, *body[:2], *body[7:], closing]
    assert rows(encoded)[:2] == rows(tokenizer.encode(texts[:2]))
    assert encoded.rows is None
    assert encoded.cut_off == pytest.approx(5 / 21)


@pytest.mark.parametrize("way", ["mean", "max"])
@pytest.mark.parametrize("count", [0, 1, 8, 9, 16, 17, 64, 65, 1000])
def test_windows_together_are_the_text(tokenizer, way, count):
    texts = [numbered(3), numbered(count)]
    encoded = tokenizer.reading(LongTexts(way)).encode(texts)
    assert len(encoded) == 2
    windows = rows(encoded)[1:]
    body = tokenizer.encode_whole(texts[1:]).tokens.tolist()
    joined = [token for window in windows for token in window[1:-1]]
    assert joined == body[: 8 * ROOM]
    assert all(len(window) <= WINDOW for window in windows)
    assert max(map(len, windows)) - min(map(len, windows)) <= 1
    assert encoded.cut_off == pytest.approx(
        max(0, count - 64) / (3 + count), rel=1e-3
    )  # estimated beyond the characters that are read
    if count <= ROOM:
        assert encoded.rows is None
        assert rows(encoded) == rows(tokenizer.encode(texts))


def test_a_very_long_text_costs_no_more_than_what_is_read_of_it(tokenizer):
    text = "alpha " * 100_000
    windows = tokenizer.reading(LongTexts("mean", most_windows=2)).encode([text])
    assert len(windows.tokens) == 2 * WINDOW
    assert windows.cut_off == pytest.approx(1 - 16 / 100_000, rel=1e-3)
    both = tokenizer.reading(LongTexts("head-tail")).encode([text + "beta"])
    assert both.tokens[-2] == tokenizer.encode_whole(["beta"]).tokens[0]
    assert both.cut_off == pytest.approx(1 - 8 / 100_000, rel=1e-3)
    assert len(_long.readable(text, 10, LongTexts("head-tail"))) == 21


def test_every_window_begins_with_the_prefix(tokenizer):
    from headstart.text.tokenizer import Tokenizer

    with_prefix = Tokenizer(tokenizer.backend, WINDOW, {**tokenizer.settings, PREFIX: "query: "})
    begin = with_prefix.encode_whole(["query:"]).tokens.tolist()
    encoded = with_prefix.reading(LongTexts("mean")).encode([numbered(13), numbered(1)])
    windows = rows(encoded)
    assert all(window[1 : 1 + len(begin)] == begin for window in windows)
    body = tokenizer.encode_whole([numbered(13)]).tokens.tolist()
    assert [token for window in windows[:-1] for token in window[1 + len(begin) : -1]] == body
    assert windows[-1] == rows(with_prefix.encode([numbered(1)]))[0]
    assert encoded.cut_off == 0.0
