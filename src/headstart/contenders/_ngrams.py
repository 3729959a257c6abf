"""Texts -> features: TF-IDF of word and character n-grams.

Shapes: N texts, F features, T features of columns beside the text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headstart.contenders._pair_words import TOKEN
from headstart.core.contracts import Task, Value
from headstart.core.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer

# With more characters of training text, character n-grams cost minutes and no longer help, since there are enough
# words.
MOST_CHARACTERS = 5_000_000
SIZES = (2, 3, 4, 5)  # of character n-grams
RARE_ROWS = 1000  # from this many rows on, an n-gram must occur in two texts to count


@dataclass(frozen=True)
class Reader:
    """Texts -> features: TF-IDF of word 1-2-grams, and of character 2-5-grams if used.

    words: the word n-grams, in the order of the columns.
    characters: the character n-grams, in the order of the columns; may be empty.
    word_idf: float32, one weight per word n-gram.
    character_idf: float32, one weight per character n-gram.
    """

    words: tuple[str, ...]
    characters: tuple[str, ...]
    word_idf: np.ndarray
    character_idf: np.ndarray

    @classmethod
    def fitted(cls, texts: Sequence[str], features: int) -> tuple[Reader, sparse.csr_matrix]:
        """Choose the `features` most frequent n-grams of each kind, compute IDF weights, and transform the texts."""
        import numpy as np
        from scipy import sparse

        rare = 2 if len(texts) >= RARE_ROWS else 1
        words, word_idf, read = _learn("word", texts, features, rare)
        if sum(map(len, texts)) > MOST_CHARACTERS:
            return cls(words, (), word_idf, np.zeros(0, dtype=np.float32)), read
        characters, character_idf, more = _learn("char", texts, features, rare)
        return cls(words, characters, word_idf, character_idf), sparse.hstack([read, more]).tocsr()

    @classmethod
    def none(cls) -> Reader:
        """Return the reader of no n-grams, for models that do not read the text."""
        import numpy as np

        return cls((), (), np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32))

    def __post_init__(self) -> None:
        readers = [_ready("word", self.words, self.word_idf)] if self.words else []
        if self.characters:
            readers.append(_ready("char", self.characters, self.character_idf))
        object.__setattr__(self, "_readers", readers)

    @property
    def numbers(self) -> tuple[Mapping[str, int], Mapping[str, int]]:
        """The number of each word n-gram, and of each character n-gram."""
        readers: list[TfidfVectorizer] = self.__dict__["_readers"]
        known = {reader.analyzer: reader.vocabulary for reader in readers}
        return known.get("word", {}), known.get("char", {})

    def words_only(self) -> Reader:
        """Return the reader without characters."""
        return Reader(self.words, (), self.word_idf, self.character_idf[:0])

    def read(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Turn texts into float32 ``(N, F)``: words first, then characters, each part of length 1."""
        from scipy import sparse

        readers: list[TfidfVectorizer] = self.__dict__["_readers"]
        if not readers:
            return sparse.csr_matrix((len(texts), 0), dtype="float32")
        return sparse.hstack([reader.transform(texts) for reader in readers]).tocsr()


def with_columns(n_grams: sparse.csr_matrix, task: Task, inputs: Sequence[Value]) -> sparse.csr_matrix:
    """Put the features of columns beside the text, if a task reads any, before n-grams: float32 ``(N, T + F)``."""
    from scipy import sparse

    if not task.tabular.width:
        return n_grams
    return sparse.hstack([sparse.csr_matrix(task.tabular.features(inputs)), n_grams]).tocsr()


def presence_of(features: sparse.csr_matrix, beside: int) -> sparse.csr_matrix:
    """Turn every stored value into 1, but those of the first `beside` features."""
    import numpy as np
    from scipy import sparse

    values = np.where(features.indices < beside, features.data, np.float32(1))
    return sparse.csr_matrix((values, features.indices, features.indptr), shape=features.shape)


def _vectorizer(analyzer: str) -> TfidfVectorizer:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = analyzer == "word"
    return TfidfVectorizer(
        analyzer=analyzer,
        token_pattern=TOKEN if words else None,
        ngram_range=(1, 2) if words else (SIZES[0], SIZES[-1]),
        sublinear_tf=True,
        dtype=np.float32,
    )


def _learn(
    analyzer: str, texts: Sequence[str], features: int, rare: int
) -> tuple[tuple[str, ...], np.ndarray, sparse.csr_matrix]:
    """Choose n-grams and their weights, and transform the texts."""
    import numpy as np
    from scipy import sparse

    vectorizer = _vectorizer(analyzer).set_params(max_features=features, min_df=rare)
    try:
        read = vectorizer.fit_transform(texts)
    except ValueError:
        # No n-gram is left. One that occurs in no text gives a model of the class shares only.
        return ("\0",), np.ones(1, dtype=np.float32), sparse.csr_matrix(np.zeros((len(texts), 1), dtype=np.float32))
    return tuple(vectorizer.get_feature_names_out()), vectorizer.idf_.astype(np.float32), read


def _ready(analyzer: str, n_grams: Sequence[str], idf: np.ndarray) -> TfidfVectorizer:
    """Build a vectorizer from known n-grams and weights, as when loading a folder."""
    vectorizer = _vectorizer(analyzer)
    vectorizer.set_params(vocabulary={n_gram: column for column, n_gram in enumerate(n_grams)})
    vectorizer.idf_ = idf
    return vectorizer


def listed(stored: object, kind: str, path: Path) -> tuple[str, ...]:
    """Parse a list of n-grams without duplicates.

    Raises:
        CheckpointError: it is something else.
    """
    named = stored.get(kind) if isinstance(stored, dict) else None
    texts = isinstance(named, list) and all(isinstance(n_gram, str) for n_gram in named)
    if not isinstance(named, list) or not texts or len(set(named)) != len(named):
        raise CheckpointError(f"'{path}' must list each n-gram of its '{kind}' once; copy the folder again.")
    return tuple(named)


def log_count_ratio(present: sparse.csr_matrix, positive: np.ndarray, beside: int = 0) -> np.ndarray:
    """Compute r of Wang & Manning 2012, equation 2: float32 ``(F,)``, 1 for the first `beside` features."""
    import numpy as np

    words = present[:, beside:]
    inside, outside = (1 + np.asarray(words[rows].sum(axis=0)).ravel() for rows in (positive, ~positive))
    ratio: np.ndarray = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return np.concatenate([np.ones(beside), ratio]).astype(np.float32)
