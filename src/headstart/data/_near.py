"""Which texts are copies of each other: equal ones, and near-duplicates found by MinHash (Broder 1997).

A text is the set of its *shingles*, all runs of `WIDTH` bytes of its UTF-8 form. Bytes need no definition of a word: a
shingle covers about one short English word or two Chinese characters. Two texts are near copies if the Jaccard
similarity of their shingle sets is at least `THRESHOLD`. MinHash signatures, divided into bands, give candidate pairs;
every pair is then checked on the shingles themselves, so there are no false positives.

Shapes: texts ``(n,)``, shingles ``(all shingles of a batch,)``, signatures ``(n, HASHES)``, pairs ``(pairs, 2)``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

WIDTH = 5
THRESHOLD = 0.8
# 16 bands of 4 hashes: a pair with a similarity of 0.8 shares no band, and is missed, once in 4,800 times.
BANDS, DEPTH = 16, 4
HASHES = BANDS * DEPTH
# In shorter texts a single word matters: 'a good film' and 'no good film' must not count as copies. They are copies
# only if equal.
SHORTEST = 40
# Shingles hashed at once: 4 MB, which fit the processor's cache.
BATCH = 1 << 20
# In a large bucket, each text is compared with so many that follow it, not with all.
NEIGHBOURS = 16
# Pairs whose signatures agree less are not checked further: four standard deviations below the threshold.
HOPEFUL = 0.6
# A text with so many near misses belongs to a crowd of similar texts (such as a form letter), which would take too
# long: it is not checked further.
PATIENCE = 24


@dataclass(frozen=True)
class Copies:
    """Group numbers of texts: texts with equal numbers are copies. Near groups include the exact ones."""

    exact: dict[str, int]
    near: dict[str, int]

    def near_groups(self, texts: Sequence[str]) -> np.ndarray:
        """Return the group of near copies of each text, int64 ``(n,)``."""
        return np.fromiter((self.near[text] for text in texts), np.int64, len(texts))


def normalise(text: str) -> str:
    """Normalise differences that do not matter: case, white space, compatible Unicode forms.

    >>> normalise("  Ｆｉｎｅ\\n  DAY ") == normalise("fine day")
    True
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def copies(texts: Iterable[str]) -> Copies:
    """Find the copies among texts, whatever their order.

    The last results are cached, so that splitting and auditing the same texts costs one search. Texts must be valid
    Unicode (no lone surrogates), which `headstart.data.read` ensures.

    >>> long = "the quick brown fox jumps over the lazy dog and runs away from the very angry bear"
    >>> groups = copies([long, long + "!", long.upper(), "another text"])
    >>> groups.near[long] == groups.near[long + "!"] != groups.near["another text"]
    True
    """
    return _copies(frozenset(texts))


@lru_cache(maxsize=2)  # of whole inputs, and of their texts
def _copies(texts: frozenset[str]) -> Copies:
    ordered = sorted(texts)  # a set has no order; results must not depend on it
    numbers: dict[str, int] = {}
    exact = {text: numbers.setdefault(normalise(text), len(numbers)) for text in ordered}
    groups = near_groups(list(numbers))
    return Copies(exact, {text: int(groups[number]) for text, number in exact.items()})


def near_groups(texts: Sequence[str]) -> np.ndarray:
    """Number the groups of near copies among distinct normalised texts, int64 ``(n,)``."""
    groups = np.arange(len(texts))
    encoded = [text.encode() for text in texts]
    long = np.array([i for i, text in enumerate(encoded) if len(text) >= SHORTEST], dtype=np.int64)
    if len(long) < 2:
        return groups
    chosen = [encoded[i] for i in long]
    near = _linked(chosen, _signatures(chosen))
    first = np.full(near.max() + 1, -1)
    first[near[::-1]] = long[::-1]  # a group is numbered by its first text; short texts keep their numbers
    groups[long] = first[near]
    return groups


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Return the Jaccard similarity of two sets of shingles, each sorted and without duplicates."""
    both = np.concatenate([one, other])
    both.sort()
    common = int((both[1:] == both[:-1]).sum())
    return common / (len(both) - common)


def shingles(text: bytes) -> np.ndarray:
    """Return the runs of `WIDTH` bytes of a text, each packed into an integer, uint64 ``(len(text) - WIDTH + 1,)``."""
    codes = np.frombuffer(text, np.uint8).astype(np.uint64)
    packed = np.zeros(len(codes) - WIDTH + 1, np.uint64)
    for offset in range(WIDTH):
        packed = (packed << np.uint64(8)) | codes[offset : offset + len(packed)]
    return packed


def _signatures(texts: list[bytes]) -> np.ndarray:
    """Compute the MinHash signatures of texts of at least `WIDTH` bytes, uint32 ``(n, HASHES)``."""
    signatures = np.empty((len(texts), HASHES), np.uint32)
    factors = np.random.default_rng(20240229).integers(0, 2**32, HASHES, dtype=np.uint32) | np.uint32(1)
    start = 0
    while start < len(texts):
        stop, size = start, 0
        while stop < len(texts) and (stop == start or size + len(texts[stop]) <= BATCH):
            size += len(texts[stop])
            stop += 1
        signatures[start:stop] = _batch_signatures(texts[start:stop], factors)
        start = stop
    return signatures


def _batch_signatures(texts: list[bytes], factors: np.ndarray) -> np.ndarray:
    lengths = np.array([len(text) for text in texts])
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    hashes = _scramble(shingles(b"".join(texts)))
    # Shingles across the end of a text belong to none: the maximum value never becomes a minimum.
    beyond = (starts[1:, None] - np.arange(1, WIDTH)).ravel()
    products = np.empty_like(hashes)
    signatures = np.empty((len(texts), len(factors)), np.uint32)
    for column, factor in enumerate(factors):
        np.multiply(hashes, factor, out=products)
        products[beyond] = np.iinfo(np.uint32).max
        signatures[:, column] = np.minimum.reduceat(products, starts)
    return signatures


def _scramble(values: np.ndarray) -> np.ndarray:
    """Hash packed bytes to 32 bits (the finaliser of splitmix64); changes `values` in place."""
    values *= np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values ^= values >> np.uint64(shift)
        values *= np.uint64(factor)
    return (values >> np.uint64(32)).astype(np.uint32)


def _linked(texts: list[bytes], signatures: np.ndarray) -> np.ndarray:
    """Join texts band by band and number the resulting groups, int64 ``(n,)``."""
    bands = _band_keys(signatures)
    near = np.arange(len(texts))
    links = np.empty((0, 2), np.int64)
    misses = np.zeros(len(texts), np.int64)
    for band in range(BANDS):
        pairs = _bucket_pairs(bands[band], bands[(band + 1) % BANDS])
        pairs = pairs[(near[pairs[:, 0]] != near[pairs[:, 1]]) & (misses[pairs] < PATIENCE).all(axis=1)]
        agreement = _agreement(signatures, pairs)
        order = np.argsort(-agreement, kind="stable")  # the most similar first, before near misses end the search
        pairs = pairs[order[: int((agreement >= HOPEFUL).sum())]]
        links = np.concatenate([links, _checked(texts, pairs, near, misses)])
        near = _components(len(texts), links)
    return near


def _band_keys(signatures: np.ndarray) -> np.ndarray:
    """Combine the hashes of each band into one number, uint64 ``(BANDS, n)``."""
    keys = np.zeros((BANDS, len(signatures)), np.uint64)
    for band in range(BANDS):
        for column in signatures[:, band * DEPTH : (band + 1) * DEPTH].T:
            keys[band] = keys[band] * np.uint64(0x9E3779B97F4A7C15) + column
    return keys


def _bucket_pairs(keys: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pair neighbours with equal keys uint64 ``(n,)``, those with equal `others` next to each other; ``(pairs, 2)``."""
    order = np.lexsort((others, keys))
    keys = keys[order]
    pairs = [np.empty((0, 2), np.int64)]
    for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
        equal = np.flatnonzero(keys[step:] == keys[:-step])
        pairs.append(np.stack([order[equal], order[equal + step]], axis=1))
    return np.concatenate(pairs)


def _agreement(signatures: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Estimate the similarity of each pair from the signatures, float64 ``(pairs,)``."""
    shares = np.empty(len(pairs))
    for start in range(0, len(pairs), 1 << 14):
        part = pairs[start : start + (1 << 14)]
        shares[start : start + len(part)] = (signatures[part[:, 0]] == signatures[part[:, 1]]).mean(axis=1)
    return shares


def _checked(texts: list[bytes], pairs: np.ndarray, near: np.ndarray, misses: np.ndarray) -> np.ndarray:
    """Return the pairs with a similarity of at least `THRESHOLD`, skipping joined ones; counts in `misses`."""
    sets = lru_cache(maxsize=4096)(lambda i: _sorted_set(shingles(texts[i])))
    parent: dict[int, int] = {}

    def root(group: int) -> int:
        while (above := parent.get(group, group)) != group:
            parent[group] = parent.get(above, above)
            group = above
        return group

    similar = []
    for one, other in pairs.tolist():
        if misses[one] >= PATIENCE or misses[other] >= PATIENCE:
            continue
        left, right = root(int(near[one])), root(int(near[other]))
        if left == right:
            continue
        if jaccard(sets(one), sets(other)) >= THRESHOLD:
            parent[left] = right
            similar.append((one, other))
        else:
            misses[one] += 1
            misses[other] += 1
    return np.array(similar, np.int64).reshape(-1, 2)


def _sorted_set(values: np.ndarray) -> np.ndarray:
    values.sort()  # in place; several times faster than numpy.unique on arrays of this size
    different: np.ndarray = values[np.concatenate([[True], values[1:] != values[:-1]])]
    return different


def _components(count: int, links: np.ndarray) -> np.ndarray:
    weights = np.ones(len(links), np.int8)
    graph = coo_matrix((weights, (links[:, 0], links[:, 1])), shape=(count, count))
    groups: np.ndarray = connected_components(graph, directed=False)[1]
    return groups
