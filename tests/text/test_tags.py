"""Tags of words: the entities of every scheme, compared with seqeval, and decoding compared with all sequences."""

from itertools import pairwise, product

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import BILOU, IOB1, IOB2, IOBES, Entities

from headstart.core.errors import DataError
from headstart.text import tags

TYPES = ("LOC", "PER")
LENGTH = 6


def random_entities(rng):
    """Entities that do not overlap, and often touch."""
    found, place = [], 0
    while place < LENGTH:
        length = int(rng.integers(1, 4))
        if rng.random() < 0.6 and place + length <= LENGTH:
            found.append((place, place + length, str(rng.choice(TYPES))))
        place += length
    return found


def bio(start, end, before):
    return "B" + "I" * (end - start - 1)


def iob1(start, end, before):
    return ("B" if before else "I") + "I" * (end - start - 1)


def iobes(start, end, before):
    return "S" if end - start == 1 else "B" + "I" * (end - start - 2) + "E"


def bilou(start, end, before):
    return iobes(start, end, before).replace("S", "U").replace("E", "L")


def written(entities, letters):
    result = ["O"] * LENGTH
    for start, end, name in entities:
        before = start and result[start - 1][1:] == f"-{name}"
        result[start:end] = [f"{letter}-{name}" for letter in letters(start, end, before)]
    return result


@pytest.mark.parametrize(("letters", "scheme"), [(bio, IOB2), (iob1, IOB1), (iobes, IOBES), (bilou, BILOU)])
def test_entities_are_those_of_seqeval_in_every_scheme(letters, scheme, rng):
    for _ in range(100):
        expected = random_entities(rng)
        row = written(expected, letters)
        theirs = [(e.start, e.end, e.tag) for e in Entities([row], scheme).entities[0]]
        assert tags.entities(row) == expected == theirs


def test_ill_formed_tags_are_read_as_seqeval_does(rng):
    names = [*tags.bio(TYPES), *(f"{letter}-{name}" for letter in "ES" for name in TYPES)]
    for _ in range(500):
        row = rng.choice(names, size=LENGTH).tolist()
        assert tags.entities(row) == [(start, end + 1, name) for name, start, end in get_entities(row)]


@pytest.mark.parametrize("tag", ["PER", "X-PER", "B-", "", "o", "BPER"])
def test_another_scheme_is_refused(tag):
    with pytest.raises(DataError, match="none of the schemes BIO, IOB1, IOBES and BILOU"):
        tags.entities(["O", tag])


def test_two_schemes_in_one_row_are_refused():
    with pytest.raises(DataError, match="tags of two schemes, IOBES and BILOU"):
        tags.entities(["S-PER", "U-PER"])


def test_viterbi_finds_the_best_possible_sequence_of_each_row(rng):
    names = tags.bio(TYPES)
    moves, first = tags.transitions(names)
    moves = moves + rng.normal(size=moves.shape).astype(np.float32)
    lengths = np.array([3, 0, 4, 1, 2])
    ends = np.concatenate([[0], np.cumsum(lengths)])
    scores = rng.normal(size=(ends[-1], len(names))).astype(np.float32)
    best = tags.viterbi(scores, ends, moves, first)
    for start, end in pairwise(ends):

        def total(path, start=start):
            value = first[path[0]] + sum(moves[one, two] for one, two in pairwise(path))
            return value + sum(scores[start + place, tag] for place, tag in enumerate(path))

        if end > start:
            expected = max(product(range(len(names)), repeat=end - start), key=total)
            assert tuple(best[start:end]) == expected


@pytest.mark.parametrize("scale", [1.0, 400.0])
def test_the_probability_of_a_sequence_is_its_share_of_all_possible_ones(rng, scale):
    names = tags.bio(TYPES)
    moves, first = tags.transitions(names)
    moves = moves + rng.normal(size=moves.shape).astype(np.float32)
    ends = np.array([0, 3, 3, 7, 8])
    scores = scale * rng.normal(size=(ends[-1], len(names)))
    best = tags.viterbi(scores, ends, moves, first)
    found = tags.probabilities(scores, ends, moves, first, best)
    by_word = tags.marginals(scores, ends, moves, first)
    assert found[1] == 1
    for number, (start, end) in enumerate(pairwise(ends)):
        if end > start:
            paths = np.array(list(product(range(len(names)), repeat=end - start)))
            totals = first[paths[:, 0]] + moves[paths[:, :-1], paths[:, 1:]].sum(axis=1)
            totals = totals + scores[np.arange(start, end), paths].sum(axis=1)
            shares = np.exp(totals - totals.max()) / np.exp(totals - totals.max()).sum()
            assert found[number] == pytest.approx(shares.max(), rel=1e-6)
            for place, word in enumerate(range(start, end)):
                expected = [shares[paths[:, place] == tag].sum() for tag in range(len(names))]
                np.testing.assert_allclose(by_word[word], expected, atol=1e-6)


def test_no_rows_have_no_tags():
    names = tags.bio(TYPES)
    nothing = np.zeros((0, 5), np.float32), np.zeros(1, np.int64), *tags.transitions(names)
    assert len(tags.viterbi(*nothing)) == 0
    assert len(tags.probabilities(*nothing, np.zeros(0, np.int64))) == 0
    assert tags.marginals(*nothing).shape == (0, 5)


def test_impossible_tags_are_those_that_seqeval_would_not_write():
    names = tags.bio(TYPES)
    moves, _ = tags.transitions(names)
    for one, two in product(range(len(names)), repeat=2):
        inside = names[two].startswith("I-")
        assert np.isinf(moves[one, two]) == (inside and names[one][2:] != names[two][2:])
