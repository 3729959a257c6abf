"""What pretraining asks of a text: which words are hidden, and which passages are exchanged."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headstart.core.errors import CheckpointError
from headstart.pretraining.objective import UNASKED, Objective, vocabulary_of
from headstart.text import shards, vocabulary

SAMPLE = (
    "The battery lasts two days. It charges fast.",
    "Arrived early. Works well, very happy.",
    "A joy to use from the first minute. I bought a second one.",
    "It broke after a week. Nobody answers.",
    "Far too loud. The manual is useless.",
    "Waste of money! I sent it back.",
)
WINDOW = 24


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train(SAMPLE * 3, 90, window=WINDOW)


@pytest.fixture(scope="module")
def words(tokenizer):
    return vocabulary_of(tokenizer)


@pytest.fixture(scope="module")
def shard(tokenizer, tmp_path_factory):
    place = tmp_path_factory.mktemp("shards")
    shards.write(place, SAMPLE, tokenizer)
    return shards.read(place)


def cut(shard, task, words):
    return shards.windows(shard, task.room(WINDOW, words), np.arange(len(shard)))


def texts_of(questions):
    """Each text's ids as they were before words were hidden, with its segments, in the order of the windows."""
    ids = questions.batch.ids.clone()
    ids[questions.places] = questions.words
    ends = questions.batch.boundaries[1:-1].long()
    parts = ids.tensor_split(ends), questions.batch.segments.tensor_split(ends)
    by_place = dict(zip(questions.batch.order.tolist(), zip(*parts, strict=True), strict=True))
    return [tuple(part.numpy() for part in by_place[place]) for place in range(len(by_place))]


def test_the_sample_has_six_documents_of_two_sentences(shard):
    assert len(shard) == len(SAMPLE) == 6
    assert len(shard.sentences) == 12


@given(seed=st.integers(0, 200))
def test_passages_are_what_the_answer_says(shard, words, seed):
    task = Objective()
    windows = cut(shard, task, words)
    rows = np.arange(len(windows))
    questions = task.ask(shard, windows, rows, words, np.random.default_rng(seed))
    answers = dict(zip(questions.batch.order.tolist(), questions.pairs.tolist(), strict=True))
    for row, (ids, segments) in enumerate(texts_of(questions)):
        assert len(ids) <= WINDOW
        first, second = ids[segments == 0], ids[segments == 1]
        assert first[0] == words.opening[0]
        assert first[-1] == words.closing[0]
        window = shard.tokens[windows.starts[row] : windows.ends[row]]
        if answers[row] == UNASKED:
            assert not len(second)
            assert np.array_equal(first[1:-1], window)
            continue
        assert second[-1] == words.closing[0]
        assert np.array_equal(first[1:-1], window[: len(first) - 2])
        goes_on = np.array_equal(second[:-1], window[len(first) - 2 :])
        # A cut is where a sentence ends, and what is exchanged comes from another document.
        assert windows.starts[row] + len(first) - 2 in shard.sentences
        if answers[row] == 0:
            assert goes_on
        else:
            others = [shard.tokens[a:b] for a, b in zip(shard.documents, shard.documents[1:], strict=False)]
            own = np.searchsorted(shard.documents, windows.starts[row], side="right") - 1
            text = " ".join(map(str, second[:-1]))
            homes = [place for place, other in enumerate(others) if f" {text} " in f" {' '.join(map(str, other))} "]
            assert set(homes) - {own}


def test_half_of_the_passages_are_exchanged(shard, words):
    task = Objective()
    windows = cut(shard, task, words)
    rows = np.zeros(4000, dtype=np.int64)
    pairs = task.ask(shard, windows, rows, words, np.random.default_rng(0)).pairs
    # What would be exchanged for a passage of its own document stays.
    strange = (windows.limits != windows.limits[0]).mean()
    assert (pairs == 1).float().mean() == pytest.approx(0.5 * strange, abs=0.03)


def test_without_next_sentence_windows_are_whole_and_unsegmented(shard, words):
    task = Objective(next_sentence=False)
    windows = cut(shard, task, words)
    questions = task.ask(shard, windows, np.arange(len(windows)), words, np.random.default_rng(0))
    assert questions.pairs is None
    assert questions.batch.segments is None
    assert len(questions.batch.ids) == len(shard.tokens) + 2 * len(windows)


def test_a_seed_asks_the_same_and_another_asks_otherwise(shard, words):
    task = Objective()
    windows = cut(shard, task, words)
    rows = np.arange(len(windows))
    one, again, other = (task.ask(shard, windows, rows, words, np.random.default_rng(s)) for s in (0, 0, 1))
    assert torch.equal(one.batch.ids, again.batch.ids)
    assert torch.equal(one.places, again.places)
    assert not torch.equal(one.batch.ids, other.batch.ids)


@pytest.mark.parametrize("whole", [False, True])
def test_hidden_words_have_the_shares_of_the_paper(words, whole):
    chance = np.random.default_rng(0)
    tokens = chance.choice(words.ordinary, 100_000)
    tokens[::50] = words.closing[0]
    places, ids = Objective(whole_words=whole).hide(tokens, words, chance)
    assert not words.special[tokens[places]].any()
    assert len(places) / (tokens != words.closing[0]).sum() == pytest.approx(0.15, abs=0.01)
    same = 1 / len(words.ordinary)
    assert (ids == words.mask).mean() == pytest.approx(0.8, abs=0.015)
    assert (ids == tokens[places]).mean() == pytest.approx(0.1 + 0.1 * same, abs=0.015)
    assert not words.special[ids[ids != words.mask]].any()
    if whole:
        chosen = np.isin(np.arange(len(tokens)), places)
        joined = words.inside[tokens[1:]] & ~words.special[tokens[:-1]]
        assert np.array_equal(chosen[1:][joined], chosen[:-1][joined])


def test_at_least_one_word_is_hidden_and_none_where_there_is_none(words):
    task = Objective(masked=0.0)
    tokens = np.array([*words.opening, words.ordinary[0], *words.closing])
    assert task.hide(tokens, words, np.random.default_rng(0))[0].tolist() == [1]
    places, ids = task.hide(words.closing, words, np.random.default_rng(0))
    assert len(places) == len(ids) == 0


def test_a_tokenizer_without_a_mask_is_refused(tokenizer, monkeypatch):
    monkeypatch.setitem(tokenizer.settings, "mask_token", "<none>")
    with pytest.raises(CheckpointError, match=r"the tokenizer has no mask token"):
        vocabulary_of(tokenizer)


def test_bytes_belong_to_the_word_that_a_space_began():
    tokenizer = vocabulary.train_bytes(SAMPLE, 270, window=WINDOW)
    words = vocabulary_of(tokenizer)
    ids = tokenizer.encode_whole(["a joy forever"]).tokens
    assert (~words.inside[ids]).sum() == 3
