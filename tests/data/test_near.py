"""Near copies against a slow plain search of all pairs."""

from __future__ import annotations

import itertools
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from headstart.data import _near
from headstart.data._near import SHORTEST, THRESHOLD, WIDTH, copies, jaccard, near_groups, normalise, shingles

LONG = "the quick brown fox jumps over the lazy dog and runs away from the very angry bear"


def plain_shingles(text: str) -> set[bytes]:
    raw = text.encode()
    return {raw[i : i + WIDTH] for i in range(len(raw) - WIDTH + 1)}


def plain_groups(texts: list[str]) -> np.ndarray:
    """Compare all pairs of long enough texts, the plain way."""
    links = [
        (i, j)
        for (i, one), (j, other) in itertools.combinations(enumerate(map(plain_shingles, texts)), 2)
        if min(len(texts[i].encode()), len(texts[j].encode())) >= SHORTEST
        and len(one & other) / len(one | other) >= THRESHOLD
    ]
    rows, columns = zip(*links, strict=True) if links else ((), ())
    graph = coo_matrix((np.ones(len(links)), (rows, columns)), shape=(len(texts), len(texts)))
    return connected_components(graph, directed=False)[1]


def partition(groups: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(groups == group).tolist()) for group in set(groups.tolist())}


def corpus(chooser: random.Random, letters: str, count: int) -> list[str]:
    """Make texts of which half are others with a few letters changed, so that overlaps of all sizes occur."""
    texts = ["".join(chooser.choices(letters, k=chooser.randint(5, 150))) for _ in range(count // 2)]
    for original in chooser.choices(texts, k=count - len(texts)):
        changed = list(original)
        for _ in range(chooser.randint(0, 4)):
            changed[chooser.randrange(len(changed))] = chooser.choice(letters)
        texts.append("".join(changed))
    return list(dict.fromkeys(texts))


@pytest.mark.parametrize(
    "letters", ["abcdefghijklmnopqrstuvwxyz ", "质量非常好很喜欢发货速度快包装仔细服务态度满意，。", "абвгдежз 🙂é"]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_same_groups_as_a_comparison_of_all_pairs(letters: str, seed: int) -> None:
    texts = corpus(random.Random(seed), letters, 300)
    expected = partition(plain_groups(texts))
    assert any(len(group) > 1 for group in expected)
    assert partition(near_groups(texts)) == expected


@given(st.binary(min_size=WIDTH, max_size=60))
def test_packed_shingles_are_the_runs_of_bytes(text: bytes) -> None:
    expected = [int.from_bytes(text[i : i + WIDTH], "big") for i in range(len(text) - WIDTH + 1)]
    assert shingles(text).tolist() == expected


@given(st.sets(st.integers(0, 30), min_size=1), st.sets(st.integers(0, 30), min_size=1))
def test_jaccard(one: set[int], other: set[int]) -> None:
    arrays = (np.array(sorted(values), np.uint64) for values in (one, other))
    assert jaccard(*arrays) == pytest.approx(len(one & other) / len(one | other))


def test_signatures_estimate_the_overlap() -> None:
    chooser = random.Random(0)
    originals = ["".join(chooser.choices("abcdefghij ", k=200)) for _ in range(200)]
    pairs = [(text, text[:150] + "".join(chooser.choices("abcdefghij ", k=50))) for text in originals]
    signatures = _near._signatures([text.encode() for pair in pairs for text in pair])
    estimate = np.mean(signatures[::2] == signatures[1::2])
    truth = np.mean(
        [len(plain_shingles(a) & plain_shingles(b)) / len(plain_shingles(a) | plain_shingles(b)) for a, b in pairs]
    )
    assert estimate == pytest.approx(truth, abs=0.02)  # 12,800 draws: a standard deviation of 0.004


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text.encode() for text in corpus(random.Random(1), "abc d", 60) if len(text) >= SHORTEST]
    whole = _near._signatures(texts)
    monkeypatch.setattr(_near, "BATCH", 200)
    assert np.array_equal(_near._signatures(texts), whole)


def test_short_texts_copy_only_when_equal() -> None:
    groups = copies(["a good film", "a good film!", "A GOOD  film", "no good film"])
    assert groups.near["a good film"] == groups.near["A GOOD  film"]
    assert len(set(groups.near.values())) == 3


def test_one_changed_word_makes_a_near_copy_not_an_exact_one() -> None:
    changed = LONG.replace("angry", "hungry")
    groups = copies([LONG, changed])
    assert groups.exact[LONG] != groups.exact[changed]
    assert groups.near[LONG] == groups.near[changed]


@settings(max_examples=50)
@given(st.lists(st.text(max_size=80).filter(lambda text: not any("\ud800" <= c <= "\udfff" for c in text)), max_size=8))
def test_near_groups_contain_the_exact_ones(texts: list[str]) -> None:
    texts += [text.upper() for text in texts]
    groups = copies(texts)
    exact, near = [groups.exact[text] for text in texts], groups.near_groups(texts)
    for i, j in itertools.combinations(range(len(texts)), 2):
        assert (exact[i] == exact[j]) == (normalise(texts[i]) == normalise(texts[j]))
        assert exact[i] != exact[j] or near[i] == near[j]


def test_the_search_is_done_once_for_the_same_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []
    search = _near.near_groups
    monkeypatch.setattr(_near, "near_groups", lambda texts: searches.append(1) or search(texts))
    texts = [f"a text of its own {number}" for number in range(10)]
    assert copies(texts) is copies(reversed(texts))
    assert len(searches) == 1


def test_a_crowd_of_lookalikes_does_not_cost_all_pairs() -> None:
    chooser = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    shared = "".join(chooser.choices(letters + "   ", k=90))
    texts = [shared + "".join(chooser.choices(letters, k=22)) for _ in range(4000)]  # each pair overlaps by about 0.66
    twin = texts[1234][:-2] + "zz"
    start = time.process_time()
    groups = near_groups([*texts, twin])
    assert groups[1234] == groups[-1]
    assert len(set(groups.tolist())) == len(texts)
    assert time.process_time() - start < 15  # all eight million pairs would take minutes
