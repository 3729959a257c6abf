"""The learning rate over a training: a linear warm-up, then a decay."""

from __future__ import annotations

import math
from typing import Literal, get_args

from headstart.core.errors import UsageError, did_you_mean, shown

Decay = Literal["linear", "cosine", "step", "constant", "inverse-root"]
DECAYS: tuple[Decay, ...] = get_args(Decay)


def factor(step: int, total: int, *, warmup: float = 0.1, decay: str = "linear") -> float:
    """Return the share (0 to 1) of the peak learning rate that a step uses.

    Args:
        step: from 0 to ``total - 1``.
        warmup: share of all steps in which the rate rises linearly from nearly 0 to the peak.
        decay: 'linear' to 0; 'cosine' to 0 (Loshchilov & Hutter 2017); 'step' to a tenth after two thirds of the
            steps; 'constant'; 'inverse-root' with one over the square root of the step (Vaswani et al. 2017, section
            5.3), which suits averages of the last weights.

    Raises:
        UsageError: an unknown decay.

    >>> [round(factor(step, 10, warmup=0.2), 2) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.12]
    >>> [round(factor(step, 100, decay="inverse-root"), 2) for step in (4, 9, 39, 99)]
    [0.5, 1.0, 0.5, 0.32]
    """
    if decay not in DECAYS:
        raise UsageError(f"no decay {shown(decay)}; {did_you_mean(decay, DECAYS)}")
    rising = int(total * warmup)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, total - rising)
    if decay == "linear":
        return 1.0 - done
    if decay == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done))
    if decay == "inverse-root":
        return math.sqrt(max(1, rising) / (step + 1))
    if decay == "step":
        return 1.0 if step < total * 2 / 3 else 0.1
    return 1.0
