"""Rows of several windows, divided between two rows: each part has its own rows, windows and tokens."""

import numpy as np
import pytest

from headstart.core.sequences import Encoded, Ragged

# Rows of one, three and two windows; window i has i + 1 tokens, each with the number of its window.
ROWS, LENGTHS = np.array([0, 1, 4, 6]), np.arange(1, 7)
WINDOWS = np.repeat(np.arange(6), LENGTHS)
ENCODED = Encoded(
    WINDOWS.astype(np.int32),
    np.concatenate([[0], np.cumsum(LENGTHS)]),
    rows=ROWS,
    segments=WINDOWS.astype(np.uint8),
    characters=np.stack([WINDOWS, WINDOWS], axis=1),
    words=WINDOWS,
)


def tokens(encoded: Encoded) -> list[list[list[int]]]:
    """The tokens of each window of each row, read by the boundaries."""
    return [
        [encoded.tokens[slice(*encoded.boundaries[window : window + 2])].tolist() for window in range(first, last)]
        for first, last in zip(encoded.rows, encoded.rows[1:], strict=False)
    ]


@pytest.mark.parametrize("row", range(4))
def test_a_part_has_its_own_rows_and_windows(row):
    whole = tokens(ENCODED)
    assert tokens(ENCODED.until(row)) == whole[:row]
    assert tokens(ENCODED.since(row)) == whole[row:]
    for part in (ENCODED.until(row), ENCODED.since(row)):
        for values in (part.segments, part.words, part.characters[:, 0], part.characters[:, 1]):
            assert values.tolist() == part.tokens.tolist()
        assert part.lengths.tolist() == [sum(map(len, windows)) for windows in tokens(part)]
        assert part.windows.tolist() == [len(windows) for windows in tokens(part)]


def test_the_windows_of_rows_are_all_of_theirs_in_the_given_order():
    assert ENCODED.sequences(np.array([2, 0, 1])).tolist() == [4, 5, 0, 1, 2, 3]


def test_items_are_those_of_the_sequences_whatever_their_number():
    """As many items as sequences, but not one for each."""
    items = Ragged(np.array([7, 8]), np.array([0, 0, 2])).take(np.array([1, 0]))
    assert (items.values.tolist(), items.boundaries.tolist()) == ([7, 8], [0, 2, 2])
