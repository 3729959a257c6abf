"""Word vectors from counts: words that occur in the same documents have similar meanings (Deerwester et al. 1990).

Counting takes seconds; a Transformer needs hours to learn the same by predicting masked words.
"""

from __future__ import annotations

import numpy as np

from headstart.text.shards import Shard

# Of a large collection, at most so many tokens are counted, from documents spread evenly over it.
COUNTED = 2**24
# A word in fewer documents gives too little evidence.
LEAST_DOCUMENTS = 5


def word_vectors(shard: Shard, documents: np.ndarray, words: int, width: int) -> np.ndarray:
    """Compute the main directions in which words differ by the documents that contain them.

    They are the singular vectors of the document-word matrix (TF-IDF, with logarithms of counts), each times its
    singular value.

    Args:
        shard: the tokenised documents.
        documents: int64 ``(documents,)``, ascending, which ones to read.
        words: size of the vocabulary.
        width: number of directions.

    Returns:
        float32 ``(words, width)``, rows of length 1, or of zeros for words in fewer than 5 documents.

    >>> shard = Shard(np.array([5, 6, 6, 5, 7, 8] * 5), np.arange(0, 31, 3), np.arange(0, 31, 3))
    >>> vectors = word_vectors(shard, np.arange(10), 10, 2)
    >>> bool(vectors[7] @ vectors[8] > 0.99 > vectors[6] @ vectors[8])
    True
    """
    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize
    from sklearn.utils.extmath import randomized_svd

    lengths = np.diff(shard.documents)[documents]
    documents = documents[:: max(1, -(-int(lengths.sum()) // COUNTED))]
    spans = [shard.tokens[a:b] for a, b in zip(shard.documents[documents], shard.documents[documents + 1], strict=True)]
    tokens = np.concatenate(spans).astype(np.int32)
    ends = np.cumsum([0, *map(len, spans)])
    counts = csr_matrix((np.ones(len(tokens), np.float32), tokens, ends), shape=(len(spans), words))
    counts.sum_duplicates()
    known = np.bincount(counts.indices, minlength=words) >= LEAST_DOCUMENTS
    weights = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    _, strengths, directions = randomized_svd(weights, min(width, *weights.shape), n_iter=3, random_state=0)
    vectors = np.zeros((words, width), np.float32)
    vectors[:, : len(strengths)] = directions.T * strengths
    vectors[~known] = 0.0
    unit: np.ndarray = normalize(vectors, copy=False)
    return unit
