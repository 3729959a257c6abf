"""Which random number generator a step uses: that of torch, or one that belongs to the thread.

Parts of a step that run in parallel then draw the same numbers as if they ran one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class _Own(threading.local):
    generator: torch.Generator | None = None


_own = _Own()


def generator() -> torch.Generator | None:
    """Return this thread's generator on the CPU, or None for torch's."""
    return _own.generator


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """Give this thread its own generator while the block runs.

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
