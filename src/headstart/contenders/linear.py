"""Linear models on word and character n-grams, the better of two on validation.

One is logistic regression on TF-IDF of words and characters; the other is NB-SVM (Wang & Manning 2012, "Baselines and
Bigrams", section 2.3) with a logistic loss, whose outputs are probabilities: presence of words, each scaled by its
naive Bayes log-count ratio. The regularisation does what the paper's interpolation does for the hinge loss.

Shapes: N texts, F features, C classes (one column if there are two classes).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from headstart.checkpoints import manifest
from headstart.contenders._pair_words import TOKEN, n_gram_texts
from headstart.core.contracts import Contender, Fitted, Kind, Task, Value, metric_values
from headstart.core.errors import CheckpointError, DataError
from headstart.core.files import write_text
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.tensors import save_arrays

if TYPE_CHECKING:
    from scipy import sparse
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # of TF-IDF; inverse regularisation
RATIO_STRENGTHS = (0.1, 0.3, 1.0, 3.0)  # of NB-SVM
# With more characters of training text, character n-grams cost minutes and no longer help, since there are enough
# words.
MOST_CHARACTERS = 5_000_000
RARE_ROWS = 1000  # from this many rows on, an n-gram must occur in two texts to count
CHUNK = 4096
NEVER = -1e4  # the logit of a class without training rows; its probability is 0


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
        from scipy import sparse

        rare = 2 if len(texts) >= RARE_ROWS else 1
        words, word_idf, read = _learn("word", texts, features, rare)
        if sum(map(len, texts)) > MOST_CHARACTERS:
            return cls(words, (), word_idf, np.zeros(0, dtype=np.float32)), read
        characters, character_idf, more = _learn("char", texts, features, rare)
        return cls(words, characters, word_idf, character_idf), sparse.hstack([read, more]).tocsr()

    def __post_init__(self) -> None:
        readers = [_ready("word", self.words, self.word_idf)]
        if self.characters:
            readers.append(_ready("char", self.characters, self.character_idf))
        object.__setattr__(self, "_readers", readers)

    def words_only(self) -> Reader:
        """Return the reader without characters."""
        return Reader(self.words, (), self.word_idf, self.character_idf[:0])

    def read(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Turn texts into float32 ``(N, F)``: words first, then characters, each part of length 1."""
        from scipy import sparse

        readers: list[TfidfVectorizer] = self.__dict__["_readers"]
        return sparse.hstack([reader.transform(texts) for reader in readers]).tocsr()


@dataclass(frozen=True)
class FittedLinear(Fitted):
    """A linear model and the n-grams it uses.

    weights: float32 ``(F, C)``.
    intercept: float32 ``(C,)``.
    presence: whether a feature is 1 where its n-gram occurs (NB-SVM) instead of its TF-IDF weight.
    """

    task: Task
    reader: Reader
    weights: np.ndarray
    intercept: np.ndarray
    presence: bool

    @property
    def parameters(self) -> int:
        """The number of non-zero weights, with intercepts."""
        return int(np.count_nonzero(self.weights)) + len(self.intercept)

    @property
    def trained_parameters(self) -> int:
        """The same: all weights are trained."""
        return self.parameters

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict any number of inputs, in order."""
        texts = n_gram_texts(self.task, inputs)
        parts = [self._probabilities(self.reader.read(texts[i : i + CHUNK])) for i in range(0, len(texts), CHUNK)]
        probabilities = np.concatenate(parts) if parts else np.zeros((0, len(self.task.classes)), dtype=np.float32)
        values = tuple(self.task.classes[number] for number in probabilities.argmax(axis=1))
        return Predictions(values, self.task.classes, probabilities)

    def _probabilities(self, features: sparse.csr_matrix) -> np.ndarray:
        """Compute float32 ``(N, classes)`` from features ``(N, F)``."""
        from scipy.special import expit, softmax

        if self.presence:
            features = _presence(features)
        logits = (features @ self.weights + self.intercept).astype(np.float64)
        if logits.shape[1] == 1:
            second = expit(logits[:, 0])
            return np.column_stack([1 - second, second]).astype(np.float32)
        if not self.presence:
            shares: np.ndarray = softmax(logits, axis=1)
            return shares.astype(np.float32)
        # One-versus-rest probabilities, normalised to a sum of one as in scikit-learn's OneVsRestClassifier.
        ratios = np.maximum(expit(logits), np.finfo(np.float64).tiny)
        normalised: np.ndarray = ratios / ratios.sum(axis=1, keepdims=True)
        return normalised.astype(np.float32)

    def save(self, folder: Path, *, whole: bool = True) -> None:
        """Write the n-grams as JSON and the numbers as safetensors."""
        from headstart.saved import model_folder

        arrays_saved = {
            "weights": self.weights,
            "intercept": self.intercept,
            "word_idf": self.reader.word_idf,
            "character_idf": self.reader.character_idf,
        }
        with model_folder.saving(folder) as fresh:
            save_arrays(arrays_saved, fresh / "linear.safetensors")
            n_grams = {"words": self.reader.words, "characters": self.reader.characters}
            write_text(fresh / "n_grams.json", json.dumps(n_grams))
            manifest.write(fresh, "linear", self.task, {"presence": self.presence})


@dataclass(frozen=True)
class Linear(Contender):
    """Logistic regression on word and character TF-IDF or NB-SVM, the better on validation; for entities, a CRF.

    features: maximum number of word n-grams, and of character n-grams.
    """

    features: int = 300_000

    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "facts"})
    name: ClassVar[str] = "linear"
    level: ClassVar[str] = "linear"
    deterministic: ClassVar[bool] = True

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Fit both kinds on the training rows with several strengths; use the better kind on validation.

        The strength of each kind is the one with the highest validation likelihood, which has less variance than a
        score that counts a few rows more or less; between the kinds `run.metric` decides.

        Raises:
            DataError: the training rows contain only one class.
        """
        if task.kind == "facts":
            from headstart.contenders import _crf

            return _crf.fit(train, validation, task, run)
        if len(set(train.targets)) < 2:
            raise DataError(f"the {len(train)} training rows show one class only; give more rows.")
        until = time.monotonic() + 60 * run.minutes if run.minutes is not None else float("inf")
        run.progress(Progress("reading texts", 0.0))
        reader, features = Reader.fitted(n_gram_texts(task, train.inputs), self.features)
        held_out = reader.read(n_gram_texts(task, validation.inputs))
        best: dict[bool, tuple[float, float, FittedLinear]] = {}
        total = len(STRENGTHS) + len(RATIO_STRENGTHS)
        for number, model in enumerate(_candidates(reader, features, np.array(train.targets, dtype=object), task)):
            probabilities = model._probabilities(held_out[:, : model.weights.shape[0]])
            likelihood = _log_likelihood(probabilities, validation, task)
            if model.presence not in best or likelihood > best[model.presence][1]:
                answers = tuple(task.classes[i] for i in probabilities.argmax(axis=1))
                score = metric_values(task, Predictions(answers, task.classes, probabilities), validation)[run.metric]
                best[model.presence] = (score, likelihood, model)
            score = max(score for score, _, _ in best.values())
            run.progress(Progress("fitting", (number + 1) / total, values={run.metric: score}))
            if time.monotonic() > until:
                break
        return max(best.values(), key=lambda each: each[:2])[2]

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read a saved model.

        Raises:
            CheckpointError: n-grams, weights and classes do not match.
        """
        from headstart.checkpoints import arrays

        if task.kind == "facts":
            from headstart.contenders import _crf

            return _crf.load(folder, task)
        path = folder / "n_grams.json"
        n_grams = json.loads(path.read_bytes())
        words, characters = (_texts(n_grams, kind, path) for kind in ("words", "characters"))
        columns = 1 if len(task.classes) == 2 else len(task.classes)
        shapes = {
            "weights": (len(words) + len(characters), columns),
            "intercept": (columns,),
            "word_idf": (len(words),),
            "character_idf": (len(characters),),
        }
        stored = arrays.read(folder / "linear.safetensors", shapes, np.float32, {})
        if not isinstance(extra.get("presence"), bool):
            raise CheckpointError(
                f"'{folder / manifest.NAME}' does not say whether features are presences; save the model again."
            )
        reader = Reader(words, characters, stored["word_idf"], stored["character_idf"])
        return FittedLinear(task, reader, stored["weights"], stored["intercept"], extra["presence"])


def _texts(stored: object, kind: str, path: Path) -> tuple[str, ...]:
    """Parse a list of n-grams without duplicates."""
    listed = stored.get(kind) if isinstance(stored, dict) else None
    texts = isinstance(listed, list) and all(isinstance(n_gram, str) for n_gram in listed)
    if not isinstance(listed, list) or not texts or len(set(listed)) != len(listed):
        raise CheckpointError(f"'{path}' must list each n-gram of its '{kind}' once; copy the folder again.")
    return tuple(listed)


def _candidates(reader: Reader, features: sparse.csr_matrix, targets: np.ndarray, task: Task) -> Iterator[FittedLinear]:
    """Fit one model after the other: TF-IDF, then NB-SVM, from strong to weak regularisation.

    Classes without training rows get no weights and probability 0.
    """
    from scipy import sparse

    seen = [number for number, label in enumerate(task.classes) if label in set(targets)]
    columns = [0] if len(task.classes) == 2 else seen

    def widened(weights: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Put ``(columns, F)`` and ``(columns,)`` in the places of their classes."""
        if len(task.classes) == 2:
            return np.ascontiguousarray(weights.T, np.float32), intercept.astype(np.float32)
        wide = np.zeros((weights.shape[1], len(task.classes)), dtype=np.float32)
        bias = np.full(len(task.classes), NEVER, dtype=np.float32)
        wide[:, columns], bias[columns] = weights.T, intercept
        return wide, bias

    for strength in STRENGTHS:
        model = _regression(strength, len(seen)).fit(features, targets.astype(str))
        weights, intercept = model.coef_, model.intercept_
        if len(seen) == 2 and len(task.classes) > 2:  # scikit-learn gives one column; softmax needs one for each
            weights, intercept = np.vstack([-weights / 2, weights / 2]), np.append(-intercept / 2, intercept / 2)
        yield FittedLinear(task, reader, *widened(weights, intercept), presence=False)

    words = reader.words_only()
    present = _presence(features[:, : len(words.words)])
    positives = task.classes[1:] if len(task.classes) == 2 else [task.classes[number] for number in seen]
    ratios = [_log_count_ratio(present, targets == label) for label in positives]
    for strength in RATIO_STRENGTHS:
        rows, intercepts = [], []
        for label, ratio in zip(positives, ratios, strict=True):
            model = _regression(strength, 2).fit(present @ sparse.diags(ratio), targets == label)
            rows.append(model.coef_[0] * ratio)
            intercepts.append(model.intercept_[0])
        yield FittedLinear(task, words, *widened(np.array(rows), np.array(intercepts)), presence=True)


def _regression(strength: float, classes: int) -> LogisticRegression:
    """Choose the solver: coordinate descent is several times faster, but supports only two classes."""
    from sklearn.linear_model import LogisticRegression

    solver = "liblinear" if classes == 2 else "lbfgs"
    return LogisticRegression(C=strength, solver=solver, tol=1e-3, max_iter=300, random_state=0)


def _log_count_ratio(present: sparse.csr_matrix, positive: np.ndarray) -> np.ndarray:
    """Compute r of Wang & Manning 2012, equation 2: float32 ``(F,)``."""
    inside, outside = (1 + np.asarray(present[rows].sum(axis=0)).ravel() for rows in (positive, ~positive))
    ratio: np.ndarray = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    return ratio.astype(np.float32)


def _presence(features: sparse.csr_matrix) -> sparse.csr_matrix:
    """Turn every stored value into 1."""
    from scipy import sparse

    ones = np.ones(len(features.data), dtype=np.float32)
    return sparse.csr_matrix((ones, features.indices, features.indptr), shape=features.shape)


def _log_likelihood(probabilities: np.ndarray, rows: Rows, task: Task) -> float:
    """Return the mean log probability of the targets; a label not seen in training has the lowest possible."""
    place = {label: number for number, label in enumerate(task.classes)}
    chosen = [p[place[label]] if label in place else 0.0 for p, label in zip(probabilities, rows.targets, strict=True)]
    return float(np.log(np.maximum(chosen, 1e-12)).mean())


def _vectorizer(analyzer: str) -> TfidfVectorizer:
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = analyzer == "word"
    return TfidfVectorizer(
        analyzer=analyzer,
        token_pattern=TOKEN if words else None,
        ngram_range=(1, 2) if words else (2, 5),
        sublinear_tf=True,
        dtype=np.float32,
    )


def _learn(
    analyzer: str, texts: Sequence[str], features: int, rare: int
) -> tuple[tuple[str, ...], np.ndarray, sparse.csr_matrix]:
    """Choose n-grams and their weights, and transform the texts."""
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


PLUGIN = Linear
