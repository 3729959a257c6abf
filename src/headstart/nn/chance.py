"""Whose random numbers a step draws: torch's, or those of a generator of the thread's own.

Parts of a step that are computed side by side draw what they would draw one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_own = threading.local()


def generator() -> torch.Generator | None:
    """Return this thread's generator on the CPU; None for torch's."""
    return getattr(_own, "generator", None)


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Give this thread a generator of its own while the block runs.

    >>> with drawn_from(3):
    ...     one = torch.rand(2, generator=generator())
    >>> with drawn_from(3):
    ...     bool((torch.rand(2, generator=generator()) == one).all())
    True
    """
    _own.generator = torch.Generator().manual_seed(seed)
    try:
        yield
    finally:
        _own.generator = None
