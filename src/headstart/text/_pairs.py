"""How much of each of two texts fits into a window."""

from __future__ import annotations


def shares_of(room: int, first: int, second: int) -> tuple[int, int]:
    """Return how many tokens of two texts fit into a room: the longer one is truncated first.

    >>> shares_of(10, 3, 20), shares_of(10, 20, 20), shares_of(11, 20, 9), shares_of(10, 2, 3)
    ((3, 7), (5, 5), (6, 5), (2, 3))
    """
    short, long = sorted((first, second))
    if short + long > room:
        long = max(short, room - short)
    if short + long > room:
        short, long = room // 2, room - room // 2
    return (short, long) if first <= second else (long, short)
