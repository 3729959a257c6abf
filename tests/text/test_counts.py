"""Word vectors from counts against the same written out slowly."""

import numpy as np
import pytest

from headstart.text import counts
from headstart.text.counts import word_vectors
from headstart.text.shards import Shard

WORDS = 30


def shard_of(documents):
    ends = np.cumsum([0, *map(len, documents)])
    return Shard(np.concatenate(documents).astype(np.uint16), ends[1:], ends)


def slow(documents, width):
    table = np.array([[document.count(word) for word in range(WORDS)] for document in documents], float)
    holding = (table > 0).sum(0)
    weights = np.where(table > 0, 1 + np.log(np.maximum(table, 1)), 0) * (np.log((1 + len(table)) / (1 + holding)) + 1)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    _, strengths, directions = np.linalg.svd(weights, full_matrices=False)
    vectors = (directions[:width].T * strengths[:width]) * (holding >= counts.LEAST_DOCUMENTS)[:, None]
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


@pytest.fixture
def documents():
    # Words keep to one of three subjects, so that the first directions stand out and are found exactly.
    chance = np.random.default_rng(0)
    return [[*chance.integers(0, 8, 9) + 9 * (number % 3), 27] for number in range(60)] + [[28, 27]]


def test_they_are_the_singular_vectors_of_tf_idf(documents):
    vectors = word_vectors(shard_of(documents), np.arange(61), WORDS, 3)
    assert vectors.dtype == np.float32
    expected = slow(documents, 3)
    # Singular vectors have no sign of their own; what words have in common has.
    np.testing.assert_allclose(vectors @ vectors.T, expected @ expected.T, atol=1e-3)
    assert vectors[0] @ vectors[1] > 0.8 > 0.3 > vectors[0] @ vectors[10]
    # 28 occurs in one document, 29 in none.
    assert not vectors[[28, 29]].any()


def test_only_the_documents_named_are_read(documents):
    shard = shard_of(documents)
    part = np.arange(0, 61, 2)
    vectors = word_vectors(shard, part, WORDS, 3)
    expected = word_vectors(shard_of([documents[number] for number in part]), np.arange(len(part)), WORDS, 3)
    np.testing.assert_array_equal(vectors, expected)


def test_of_a_large_collection_an_even_sample_is_read(documents, monkeypatch):
    shard = shard_of(documents)
    expected = word_vectors(shard, np.arange(0, 61, 2), WORDS, 3)
    monkeypatch.setattr(counts, "COUNTED", 400)
    np.testing.assert_array_equal(word_vectors(shard, np.arange(61), WORDS, 3), expected)


def test_fewer_documents_than_dimensions_leave_the_rest_at_zero(documents):
    vectors = word_vectors(shard_of(documents[:9]), np.arange(9), WORDS, 12)
    assert vectors.shape == (WORDS, 12)
    assert not vectors[:, 9:].any()
    assert vectors.any()
