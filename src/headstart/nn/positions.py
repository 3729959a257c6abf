"""Fixed sinusoidal positions (Vaswani et al. 2017, section 3.5), and distances between tokens."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from headstart.nn.packed import to_device

FAR = 128  # tokens: where the last bucket would end if it did not include all larger distances


def sinusoids(length: int, width: int) -> Tensor:
    """Compute the sinusoidal table, float32 ``(length, width)``, with values in [-1, 1].

    Sines fill the even columns and cosines the odd ones; the wavelengths range from 2 pi to 10,000 * 2 pi.

    >>> sinusoids(4, 6)[0].tolist()
    [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]
    """
    position = torch.arange(length, dtype=torch.float64)[:, None]  # (length, 1)
    rate = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)  # (half the width, rounded up)
    table = torch.zeros(length, width, dtype=torch.float64)
    table[:, 0::2] = torch.sin(position * rate)
    table[:, 1::2] = torch.cos(position * rate[: width // 2])
    return table.float()


def distance_buckets(length: int, count: int, causal: bool = False) -> Tensor:
    """Divide the distances between the tokens of a text into buckets (Raffel et al. 2020, "T5", section 2.1).

    The lower half of the buckets is for keys before the query, the upper half for keys after it. Half of each has one
    distance per bucket; the others widen with the logarithm of the distance.

    Args:
        length: tokens of the text.
        count: number of buckets, even.
        causal: whether all buckets are for keys before the query; those after it are in the bucket of distance 0.

    Returns:
        int64 ``(2 * length - 1,)``, the bucket of each distance from ``1 - length`` (before) to ``length - 1``.

    >>> distance_buckets(4, 32).tolist()
    [3, 2, 1, 0, 17, 18, 19]
    """
    distances = torch.arange(1 - length, length)  # (2 * length - 1,)
    half = count if causal else count // 2
    exact = half // 2
    steps = (-distances).clamp(min=0) if causal else distances.abs()
    # In float32 as in the reference, since some distances are exactly on the edge of a bucket.
    growth = torch.log(steps.clamp(min=1).float() / exact) / math.log(FAR / exact) * (half - exact)
    wide = (exact + growth.long()).clamp(max=half - 1)
    buckets = torch.where(steps < exact, steps, wide)
    return buckets if causal else buckets + half * (distances > 0)


def distance_bias(weight: Tensor, length: int, causal: bool = False) -> Tensor:
    """Expand the value of each bucket of distances to all pairs of tokens of a text.

    Args:
        weight: ``(buckets, heads)``.
        length: tokens of the text.
        causal: see :func:`distance_buckets`.

    Returns:
        ``(heads, length, length)``: row i, column j is added to the score of the query at i and the key at j.
    """
    buckets = to_device(distance_buckets(length, len(weight), causal), weight.device.type)
    by_distance = F.embedding(buckets, weight).T  # (heads, 2 * length - 1)
    # The window that begins at a distance of -i is row i.
    return by_distance.unfold(1, length, 1).flip(1)  # (heads, length, length)
