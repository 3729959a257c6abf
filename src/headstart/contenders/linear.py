"""Linear models on word and character n-grams, the better of two on validation.

One is logistic regression on TF-IDF of words and characters; the other is NB-SVM (Wang & Manning 2012, "Baselines and
Bigrams", section 2.3) with a logistic loss, whose outputs are probabilities: presence of words, each scaled by its
naive Bayes log-count ratio. The regularisation does what the paper's interpolation does for the hinge loss.

For several labels per text it is one logistic regression per label, and for numbers ridge regression, both on TF-IDF.

Columns beside the text are further features, before those of the text: standardised numbers and indicators of
categories.

Shapes: N texts, F features, C columns: one per class (a single one if a text has one of two classes), label or number.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

from headstart.checkpoints import manifest
from headstart.contenders._choices import Augment, way_name, way_named
from headstart.contenders._ngrams import Reader, listed, log_count_ratio, presence_of, with_columns
from headstart.contenders._pair_words import n_gram_texts
from headstart.contenders._temperature import read_temperature
from headstart.core.attribution import Aim, Attributed
from headstart.core.contracts import (
    Contender,
    Fitted,
    Kind,
    Problem,
    Task,
    Value,
    metric_values,
    reading_columns,
    settled,
)
from headstart.core.errors import CheckpointError, DataError
from headstart.core.files import write_text
from headstart.core.records import Predictions, Progress, Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import Way
from headstart.core.tally import named
from headstart.core.tensors import save_arrays
from headstart.stress._augment import augmented

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

STRENGTHS = (1.0, 3.0, 10.0, 30.0)  # of TF-IDF; inverse regularisation
RATIO_STRENGTHS = (0.1, 0.3, 1.0, 3.0)  # of NB-SVM
RIDGE_STRENGTHS = (10.0, 3.0, 1.0, 0.3)  # of ridge regression; regularisation
CHUNK = 4096
NEVER = -1e4  # the logit of a class without training rows; its probability is 0


@dataclass(frozen=True)
class FittedLinear(Fitted):
    """A linear model and the n-grams it uses.

    weights: float32 ``(F, C)``.
    intercept: float32 ``(C,)``.
    presence: whether a feature of the text is 1 where its n-gram occurs (NB-SVM) instead of its TF-IDF weight.
    temperature: of the probabilities, if the last step is not linear; see :meth:`with_temperature`.
    """

    task: Task
    reader: Reader
    weights: np.ndarray
    intercept: np.ndarray
    presence: bool
    temperature: float = 1.0

    has_temperature: ClassVar[bool] = True
    has_thresholds: ClassVar[bool] = True
    has_contributions: ClassVar[bool] = True

    @property
    def parameters(self) -> int:
        """The number of non-zero weights, with intercepts."""
        import numpy as np

        return int(np.count_nonzero(self.weights)) + len(self.intercept)

    @property
    def trained_parameters(self) -> int:
        """The same: all weights are trained."""
        return self.parameters

    def predict(self, inputs: Sequence[Value]) -> Predictions:
        """Predict any number of inputs, in order."""
        import numpy as np

        chunks = (inputs[i : i + CHUNK] for i in range(0, len(inputs), CHUNK))
        parts = [self.outputs(_read(self.reader, self.task, chunk)) for chunk in chunks]
        # The outputs of no texts are those of one, cut.
        outputs = np.concatenate(parts) if parts else self.outputs(_nothing(len(self.weights)))[:0]
        return _decode(self.task, outputs, inputs)

    def outputs(self, features: sparse.csr_matrix) -> np.ndarray:
        """Compute what a head of the task would, float64 ``(N, outputs)``, from features ``(N, F)``."""
        import numpy as np
        from scipy.special import expit

        if self.presence:
            features = presence_of(features, self.task.tabular.width)
        outputs: np.ndarray = (features @ self.weights + self.intercept).astype(np.float64)
        if self.task.kind != "label":
            return outputs
        if outputs.shape[1] == 1:
            return np.column_stack([np.zeros(len(outputs)), outputs[:, 0]])
        if not self.presence:
            return outputs
        # One-versus-rest probabilities, whose softmax normalises them as scikit-learn's OneVsRestClassifier does.
        ratios: np.ndarray = np.log(np.maximum(expit(outputs), np.finfo(np.float64).tiny))
        return ratios / self.temperature

    def with_temperature(self, temperature: float) -> FittedLinear:
        """Return the same model with its weights divided by a temperature, or with the number where that differs."""
        if self.presence and self.weights.shape[1] > 1:
            return replace(self, temperature=self.temperature * temperature)
        return replace(self, weights=self.weights / temperature, intercept=self.intercept / temperature)

    def contributions(self, inputs: Sequence[Value], aims: Sequence[Aim]) -> tuple[Attributed, ...]:
        """Divide scores among characters; that of NB-SVM with several classes is the logit of one against the rest."""
        from headstart.contenders import _contributions

        return _contributions.of(self, inputs, aims)

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
            extra = {"presence": self.presence, "temperature": self.temperature}
            manifest.write(fresh, "linear", self.task, extra)


@dataclass(frozen=True)
class Linear(Contender):
    """Logistic regression on TF-IDF or NB-SVM, the better on validation; for numbers ridge, for facts a CRF.

    features: maximum number of word n-grams, and of character n-grams.
    columns: how columns beside the text are read: 'beside' it as features, as 'words' before it, 'none' of them, or
        'alone', without the text.
    augment: 'typos' to train on a copy of each row with typing errors as well, see `stress._augment`.
    """

    features: int = 300_000
    columns: Way = "beside"
    augment: Augment = "none"

    kinds: ClassVar[frozenset[Kind]] = frozenset({"label", "labels", "number", "facts"})
    level: ClassVar[str] = "linear"
    reads_columns: ClassVar[bool] = True
    ways_with_columns: ClassVar[tuple[str, ...]] = ("columns", "text")

    @property
    def name(self) -> str:
        """The leaderboard name: 'linear', or such as 'linear:text-typos' for its options."""
        return ":".join(filter(None, ("linear", way_name(self.columns, self.augment))))

    @property
    def deterministic(self) -> bool:
        """Whether it is trained on the rows as they are."""
        return self.augment == "none"

    @staticmethod
    def named(way: str) -> dict[str, Value]:
        """Parse what follows the colon of a leaderboard name, such as 'text', 'columns', 'words' or 'text-typos'."""
        return way_named("linear", way, get_args(Way), get_args(Augment))

    def fit(self, train: Rows, validation: Rows, task: Task, run: Run) -> Fitted:
        """Fit with each strength on the training rows; use the best model on validation.

        The strength of each kind of features is the one with the highest validation likelihood, which has less variance
        than a score that counts a few rows more or less; between the kinds `run.metric` decides.

        Raises:
            DataError: the training rows contain only one class.
        """
        train = augmented(train, task, self.augment, run.seed)
        if task.kind == "facts":
            from headstart.contenders import _crf

            return _crf.fit(train, validation, task, run)
        if task.kind == "label" and len(set(train.targets)) < 2:
            raise DataError(f"the {len(train)} training rows show one class only; give more rows.")
        until = time.monotonic() + 60 * run.minutes if run.minutes is not None else float("inf")
        run.progress(Progress("reading texts", 0.0))
        task = reading_columns(task, self.columns)
        if task.tabular.way == "alone":
            reader = Reader.none()
            features = _read(reader, task, train.inputs)
        else:
            reader, n_grams = Reader.fitted(n_gram_texts(task, train.inputs), self.features)
            features = with_columns(n_grams, task, train.inputs)
        held_out = _read(reader, task, validation.inputs)
        best: dict[bool, tuple[float, float, FittedLinear]] = {}
        sign = named(task.metrics, run.metric).sign
        candidates, total = CANDIDATES[task.head().problem]
        for number, model in enumerate(candidates(reader, features, train, task)):
            outputs = model.outputs(held_out[:, : model.weights.shape[0]])
            likelihood = _log_likelihood(outputs, validation, task)
            if model.presence not in best or likelihood > best[model.presence][1]:

                def decode(task: Task, outputs: np.ndarray = outputs) -> Predictions:
                    return _decode(task, outputs, validation.inputs)

                own, predictions = settled(task, decode, validation.targets)
                score = sign * metric_values(task, predictions, validation)[run.metric]
                best[model.presence] = (score, likelihood, replace(model, task=own))
            score = sign * max(score for score, _, _ in best.values())
            run.progress(Progress("fitting", (number + 1) / total(), values={run.metric: score}))
            if time.monotonic() > until:
                break
        return max(best.values(), key=lambda each: each[:2])[2]

    @staticmethod
    def load(folder: Path, task: Task, extra: Mapping[str, Value]) -> Fitted:
        """Read a saved model.

        Raises:
            CheckpointError: n-grams, weights and classes do not match.
        """
        import numpy as np

        from headstart.checkpoints import arrays

        if task.kind == "facts":
            from headstart.contenders import _crf

            return _crf.load(folder, task)
        path = folder / "n_grams.json"
        n_grams = json.loads(path.read_bytes())
        words, characters = (listed(n_grams, kind, path) for kind in ("words", "characters"))
        outputs = len(task.head().labels)
        columns = 1 if outputs == 2 and task.kind == "label" else outputs
        shapes = {
            "weights": (task.tabular.width + len(words) + len(characters), columns),
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
        temperature = read_temperature(extra, folder / manifest.NAME)
        return FittedLinear(task, reader, stored["weights"], stored["intercept"], extra["presence"], temperature)


def _read(reader: Reader, task: Task, inputs: Sequence[Value]) -> sparse.csr_matrix:
    """Turn inputs into float32 ``(N, F)``: columns beside the text first, then n-grams."""
    return with_columns(reader.read(n_gram_texts(task, inputs)), task, inputs)


def _nothing(features: int) -> sparse.csr_matrix:
    """Return one row of zeros."""
    import numpy as np
    from scipy import sparse

    return sparse.csr_matrix((1, features), dtype=np.float32)


def _decode(task: Task, outputs: np.ndarray, inputs: Sequence[Value]) -> Predictions:
    return task.decode(Ragged.single(outputs), Encoded.without_tokens(len(outputs)), inputs)


def _targets(task: Task, rows: Rows) -> np.ndarray:
    return task.targets(rows, Encoded.without_tokens(len(rows))).values


def _one_label(reader: Reader, features: sparse.csr_matrix, train: Rows, task: Task) -> Iterator[FittedLinear]:
    """Fit one model after the other: TF-IDF, then NB-SVM, from strong to weak regularisation.

    Classes without training rows get no weights and probability 0.
    """
    import numpy as np
    from scipy import sparse

    targets = np.array(train.targets, dtype=object)
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

    words, beside = reader.words_only(), task.tabular.width
    if not words.words:
        return
    present = presence_of(features[:, : beside + len(words.words)], beside)
    positives = task.classes[1:] if len(task.classes) == 2 else [task.classes[number] for number in seen]
    # Columns beside the text are not scaled.
    ratios = [log_count_ratio(present, targets == label, beside) for label in positives]
    for strength in RATIO_STRENGTHS:
        rows, intercepts = [], []
        for label, ratio in zip(positives, ratios, strict=True):
            model = _regression(strength, 2).fit(present @ sparse.diags(ratio), targets == label)
            rows.append(model.coef_[0] * ratio)
            intercepts.append(model.intercept_[0])
        yield FittedLinear(task, words, *widened(np.array(rows), np.array(intercepts)), presence=True)


def _several_labels(reader: Reader, features: sparse.csr_matrix, train: Rows, task: Task) -> Iterator[FittedLinear]:
    """Fit one logistic regression per label, all with one strength, from strong to weak regularisation.

    A label that no row has, or every row, gets no weights.
    """
    import numpy as np

    truth = _targets(task, train) > 0  # (N, C)
    for strength in STRENGTHS:
        weights = np.zeros((features.shape[1], truth.shape[1]), dtype=np.float32)
        intercept = np.where(truth[0], -NEVER, NEVER).astype(np.float32)
        for column in np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0)):
            model = _regression(strength, 2).fit(features, truth[:, column])
            weights[:, column], intercept[column] = model.coef_[0], model.intercept_[0]
        yield FittedLinear(task, reader, weights, intercept, presence=False)


def _numbers(reader: Reader, features: sparse.csr_matrix, train: Rows, task: Task) -> Iterator[FittedLinear]:
    """Fit ridge regressions from strong to weak regularisation."""
    import numpy as np
    from sklearn.linear_model import Ridge

    targets = _targets(task, train)  # (N, C)
    for strength in RIDGE_STRENGTHS:
        # Conjugate gradients: other solvers of sparse features need many more passes, or draw random numbers.
        model = Ridge(alpha=strength, solver="sparse_cg", tol=1e-4).fit(features, targets)
        weights = np.ascontiguousarray(np.atleast_2d(model.coef_).T, np.float32)
        yield FittedLinear(task, reader, weights, np.atleast_1d(model.intercept_).astype(np.float32), presence=False)


def _regression(strength: float, classes: int) -> LogisticRegression:
    """Choose the solver: coordinate descent is several times faster, but supports only two classes."""
    from sklearn.linear_model import LogisticRegression

    solver = "liblinear" if classes == 2 else "lbfgs"
    return LogisticRegression(C=strength, solver=solver, tol=1e-3, max_iter=300, random_state=0)


def _log_likelihood(outputs: np.ndarray, rows: Rows, task: Task) -> float:
    """Return the mean log likelihood of the targets, of numbers without constants.

    A label not seen in training has the lowest possible likelihood.
    """
    import numpy as np

    if task.kind == "number":
        return -float(np.square(outputs - _targets(task, rows)).mean())
    if task.kind == "labels":
        return -float((np.logaddexp(0.0, outputs) - _targets(task, rows) * outputs).mean())
    probabilities = _decode(task, outputs, rows.inputs).probabilities
    assert probabilities is not None  # as tasks of this kind give them
    place = {label: number for number, label in enumerate(task.classes)}
    chosen = [p[place[label]] if label in place else 0.0 for p, label in zip(probabilities, rows.targets, strict=True)]
    return float(np.log(np.maximum(chosen, 1e-12)).mean())


Candidates = Callable[[Reader, "sparse.csr_matrix", Rows, Task], Iterator[FittedLinear]]
# How models are fitted, and how many there are.
CANDIDATES: Mapping[Problem, tuple[Candidates, Callable[[], int]]] = {
    "single_label_classification": (_one_label, lambda: len(STRENGTHS) + len(RATIO_STRENGTHS)),
    "multi_label_classification": (_several_labels, lambda: len(STRENGTHS)),
    "regression": (_numbers, lambda: len(RIDGE_STRENGTHS)),
}

PLUGIN = Linear
