"""Tokens on the disk: nothing lost, nothing added, in bounded memory."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headstart.core.errors import DataError
from headstart.text import sentences, shards, vocabulary

TEXTS = ["The cat sat. The hat fell!", "one more text", "Ärger? Nein. Doch."]


@pytest.fixture(scope="module")
def tokenizer():
    return vocabulary.train(TEXTS * 3, 80, window=16)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text("abc .!?\n", max_size=30), min_size=2, max_size=8), chunk=st.integers(1, 60))
def test_documents_and_sentences_come_back(tokenizer, tmp_path_factory, texts, chunk):
    texts = [*texts, "the cat", "the hat"]
    place = tmp_path_factory.mktemp("shards")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "CHUNK", chunk)
        shards.write(place, texts, tokenizer)
    shard = shards.read(place)
    parts = [[tokenizer.backend.encode(s, add_special_tokens=False).ids for s in sentences.split(t)] for t in texts]
    expected = [ids for ids in ([number for piece in part for number in piece] for part in parts) if ids]
    read_back = [shard.tokens[a:b].tolist() for a, b in zip(shard.documents, shard.documents[1:], strict=False)]
    assert read_back == expected
    pieces = [ids for part in parts for ids in part if ids]
    assert shard.sentences.tolist() == np.cumsum(list(map(len, pieces))).tolist()


def test_tokens_take_two_bytes_where_that_is_enough(tokenizer, tmp_path, monkeypatch):
    shards.write(tmp_path, TEXTS, tokenizer)
    assert shards.read(tmp_path).tokens.dtype == np.uint16
    monkeypatch.setattr(type(tokenizer), "size", 2**16 + 1)
    shards.write(tmp_path, TEXTS, tokenizer)
    assert shards.read(tmp_path).tokens.dtype == np.int32


@pytest.mark.parametrize(("texts", "count"), [(["one text"], "1 document,"), ([], "0 documents,")])
def test_fewer_than_two_documents(tokenizer, tmp_path, texts, count):
    with pytest.raises(DataError, match=f"the text holds {count} and at least two are needed"):
        shards.write(tmp_path, texts, tokenizer)


@given(lengths=st.lists(st.integers(1, 20), min_size=1, max_size=8), room=st.integers(1, 7), data=st.data())
def test_windows_cover_the_chosen_documents_once(lengths, room, data):
    documents = np.cumsum([0, *lengths])
    shard = shards.Shard(np.arange(documents[-1]), documents[1:], documents)
    chosen = np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(lengths))), min_size=1))))
    cut = shards.windows(shard, room, chosen)
    covered = [place for a, b in zip(cut.starts, cut.ends, strict=True) for place in range(a, b)]
    assert covered == [place for one in chosen for place in range(documents[one], documents[one + 1])]
    assert ((cut.ends - cut.starts >= 1) & (cut.ends - cut.starts <= room) & (cut.ends <= cut.limits)).all()
    assert set(cut.limits) == set(documents[chosen + 1])


def test_sentences_end_where_a_person_would_end_them():
    text = '  "Stop!" she said. It cost 3.50 dollars…  Nobody paid.\n\nA new line 好。对吗？是'
    assert list(sentences.split(text)) == [
        '"Stop!"',
        "she said.",
        "It cost 3.50 dollars…",
        "Nobody paid.",
        "A new line 好。",
        "对吗？",
        "是",
    ]
    assert list(sentences.split(" \n ")) == []
    assert list(map(len, sentences.split("x" * 25_000))) == [10_000, 10_000, 5_000]
