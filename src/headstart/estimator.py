"""Any contender as a scikit-learn estimator: a classifier with labels of any type, and a regressor."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import assert_all_finite, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from headstart import tasks
from headstart.contenders import _members
from headstart.contest import confidence, thresholds
from headstart.core import device as devices
from headstart.core.contracts import Task, Value
from headstart.core.errors import UsageError, shown
from headstart.core.records import Attempt, Predictions, Rows, Run
from headstart.core.tabular import Tabular
from headstart.core.tally import named
from headstart.data import _values
from headstart.data.split import nested
from headstart.data.tabular import with_columns


class _TextEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What estimators on texts share: options, training with a held-out part, and predictions."""

    def __init__(
        self,
        contender: str = "linear",
        *,
        options: Mapping[str, Value] | None = None,
        validation_fraction: float = 0.1,
        metric: str | None = None,
        text: str = "text",
        features: Sequence[str] | None = None,
        minutes: float | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.contender = contender
        self.options = options
        self.validation_fraction = validation_fraction
        self.metric = metric
        self.text = text
        self.features = features
        self.minutes = minutes
        self.device = device
        self.random_state = random_state

    def _train(self, inputs: Sequence[Value], targets: Sequence[Value], name: str) -> None:
        """Train the contender for a task; set `model_`."""
        if not 0 < self.validation_fraction < 1:
            raise ValueError(f"validation_fraction must lie between 0 and 1, not {self.validation_fraction!r}.")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        rows = Rows(tuple(map(str, range(len(inputs)))), tuple(inputs), tuple(targets))
        task = tasks.load(name, {"tabular": Tabular.of(self.features or ())})
        plugin = _members.build(self.contender, more=self.options)
        if self.features and not plugin.reads_columns:
            raise UsageError(
                f"contender {shown(self.contender)} does not read columns beside the text; leave them out."
            )
        train, validation = hold_out(rows, task, self.validation_fraction, seed)
        task = task.fitted(train)
        attempts: list[Attempt] = []
        with tempfile.TemporaryDirectory(prefix="headstart-") as folder:
            run = Run(
                seed=seed,
                folder=Path(folder),
                metric=named(task.metrics, self.metric).name if self.metric else task.metrics[0].name,
                minutes=self.minutes,
                device=devices.choose(self.device),
                attempted=attempts.append,
            )
            self.model_ = plugin.fit(train, validation, task, run)
        if validation is not train:
            self.model_, _ = confidence.calibrated(self.model_, validation)
            self.model_ = thresholds.chosen(self.model_, validation, run.metric)
        if attempts and attempts[-1].collapsed:
            warnings.warn(
                f"the training of {self.contender} collapsed, at a third of its learning rate too "
                f"({attempts[-1].collapsed}): try a lower learning rate, or more texts.",
                ConvergenceWarning,
                stacklevel=3,
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = not self.features
        tags.input_tags.two_d_array = bool(self.features)
        tags.non_deterministic = self.random_state is None
        return tags

    def _predictions(self, X: Any) -> Predictions:
        check_is_fitted(self)
        return self.model_.predict(self._inputs(X))

    def _inputs(self, X: Any, *, fitting: bool = False) -> list[Value]:
        """Return what the task reads: texts, or texts with columns."""
        if not self.features:
            return self._texts(X)
        if fitting:
            self.feature_names_in_ = np.array([self.text, *self.features], dtype=object)
            self.n_features_in_ = len(self.feature_names_in_)
        return read_table(X, self.text, self.features)

    def _texts(self, X: object) -> list[str]:
        return read_texts(X)


class TextClassifier(ClassifierMixin, _TextEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classify texts with one contender, following scikit-learn's conventions.

    Works in pipelines, cross-validation and searches. X is a sequence of texts: a list, a one-dimensional array, or a
    Series of pandas or polars. It has no fixed number of features, so `n_features_in_` is not set. With `features`, X
    is a table: a DataFrame of pandas or polars, or a mapping from names to columns.

    Args:
        contender: a leaderboard name: 'majority', 'linear', 'finetuned:lora', 'ensemble:vote', 'distilled:2x128', ...
        options: the contender's own options, such as ``{"epochs": 2}``; see ``headstart list``.
        validation_fraction: share of the training texts (0 to 1, exclusive) on which the contender chooses its best
            setting or epoch; with too few texts, it chooses on all of them.
        metric: the score it chooses by; None for accuracy.
        text: name of the column with the texts, if X is a table.
        features: names of X's columns with numbers or categories that are read beside the text, see `core.tabular`;
            None if X is texts alone.
        minutes: wall-clock limit of `fit`; None for none.
        device: 'auto', 'cpu' or 'cuda'.
        random_state: an int, a RandomState, or None for another seed each time.

    Attributes:
        classes_: the labels, sorted, of the type they had in `y`.
        model_: the fitted model, with `predict`, `save` and `cut_off`.
        feature_names_in_: names of the columns that are read, with `features`.
        n_features_in_: their number, with `features`.

    >>> texts = ["good film", "bad film", "good plot", "bad plot"] * 5
    >>> model = TextClassifier("linear").fit(texts, [1, 0, 1, 0] * 5)
    >>> model.predict(["such a good story"]).tolist()
    [1]
    """

    def fit(self, X: Any, y: Sequence[object]) -> TextClassifier:
        """Train on texts and their labels.

        Raises:
            ValueError: X is not a sequence of texts, or no table with the columns; y no class labels of one kind or
                only one class, or they differ in length; `validation_fraction` is not between 0 and 1.
            UsageError: an unknown contender, option, metric or device, or a contender that reads no columns.
        """
        texts = self._inputs(X, fitting=True)
        labels = _labels(y)
        check_consistent_length(texts, labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"all labels are {self.classes_.tolist()[0]!r}: a classifier needs two classes, not 1 class."
            )
        names = self._names()
        self._train(texts, [names[code] for code in codes], "classification")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the label of each text, of the type it had in `y`: the most probable one but for thresholds.

        Thresholds of the classes are chosen if `metric` is not accuracy and they help, see `contest.thresholds`.

        Raises:
            NotFittedError: before `fit`.
            ValueError: X is not a sequence of texts.
        """
        values = self._predictions(X).values
        numbers = {name: number for number, name in enumerate(self._names())}
        predicted: np.ndarray = self.classes_[[numbers[value] for value in values]]
        return predicted

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return probabilities, float64 ``(texts, classes)``, columns in the order of `classes_`, rows summing to 1.

        Raises:
            NotFittedError: before `fit`.
            ValueError: X is not a sequence of texts.
        """
        predictions = self._predictions(X)
        # The model sorts its classes as text, in which 10 comes before 9.
        order = [predictions.classes.index(name) for name in self._names()]
        probabilities = np.asarray(predictions.probabilities, dtype=np.float64)[:, order]
        normal: np.ndarray = probabilities / probabilities.sum(axis=1, keepdims=True)
        return normal

    def _names(self) -> list[str]:
        """Return the internal names of the classes, which are text."""
        names = [str(label) for label in self.classes_.tolist()]
        return names if len(set(names)) == len(names) else [str(number) for number in range(len(names))]


class TextRegressor(RegressorMixin, _TextEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predict a number for each text with one contender, following scikit-learn's conventions.

    Works in pipelines, cross-validation and searches, as :class:`TextClassifier` does.

    Args:
        contender: a leaderboard name that supports numbers: 'majority', 'linear', 'finetuned:full', 'ensemble', ...
        metric: the score it chooses by; None for RMSE.
        The others: as for :class:`TextClassifier`.

    Attributes:
        model_: the fitted model, with `predict`, `save` and `cut_off`.

    >>> texts = ["good film", "bad film", "good plot", "bad plot"] * 5
    >>> model = TextRegressor("linear").fit(texts, [8.5, -2, 8.5, -2] * 5)
    >>> good, bad = model.predict(["such a good story", "such a bad story"])
    >>> bool(good > 5 > 0 > bad)
    True
    """

    def fit(self, X: Any, y: Sequence[float]) -> TextRegressor:
        """Train on texts and their numbers.

        Raises:
            ValueError: X is not a sequence of texts, or no table with the columns; y not finite numbers or all the
                same, or they differ in length; `validation_fraction` is not between 0 and 1.
            UsageError: an unknown contender, option, metric or device, or a contender that reads no columns.
        """
        texts = self._inputs(X, fitting=True)
        numbers = _numbers(y)
        check_consistent_length(texts, numbers)
        self._train(texts, numbers.tolist(), "regression")
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the number of each text, float64 ``(texts,)``.

        Raises:
            NotFittedError: before `fit`.
            ValueError: X is not a sequence of texts.
        """
        return np.array(self._predictions(X).values, dtype=np.float64)


def _numbers(y: Any) -> np.ndarray:
    """Check that targets are finite numbers of one dimension: float64 ``(rows,)``."""
    if y is None:
        raise ValueError("TextRegressor requires y to be passed, but the target y is None.")
    numbers: np.ndarray = column_or_1d(y, warn=True)
    if not len(numbers):
        raise ValueError("y is empty, with 0 sample(s) where a minimum of 1 is required.")
    if numbers.dtype.kind in "UScmM":
        raise ValueError(f"y holds values of the type {numbers.dtype}, where numbers are expected. Unknown label type.")
    numbers = numbers.astype(np.float64)
    assert_all_finite(numbers, input_name="y")
    if (numbers == numbers[0]).all():
        raise ValueError(f"all {len(numbers)} numbers are {numbers[0]:g}; different ones are needed.")
    return numbers


def read_texts(X: object) -> list[str]:
    """Return a one-dimensional sequence of texts as a list of plain strings.

    Raises:
        ValueError: a single text, something with rows and columns, no texts at all, or a value that is no text.

    >>> read_texts(np.array(["one", "two"]))
    ['one', 'two']
    """
    if isinstance(X, str | bytes):
        raise ValueError("a single text was given where a sequence of texts is expected; put it in a list.")
    try:
        values = _values.values(X, "texts")
    except UsageError as error:
        raise ValueError(f"X is not a sequence of texts: {error}") from None
    if not values:
        raise ValueError("X is empty, with 0 sample(s) where a minimum of 1 is required.")
    for number, value in enumerate(values):
        if not isinstance(value, str):
            raise ValueError(f"X[{number}] is {value!r}, of type {type(value).__name__}, where a text is expected.")
    return [str(value) for value in values]


@runtime_checkable
class _Frame(Protocol):
    """A DataFrame of pandas or polars."""

    @property
    def columns(self) -> Any: ...

    def __getitem__(self, name: str) -> Any: ...


def read_table(X: object, text: str, features: Sequence[str]) -> list[Value]:
    """Return the rows of a table as texts with the columns beside them.

    Args:
        X: a DataFrame, or a mapping from names to columns.
        text: name of the column with the texts.
        features: names of the columns beside it.

    Raises:
        ValueError: no table, a column is missing or has another length than the text's, or a value that is no text.

    >>> read_table({"text": ["a", "b"], "price": [3.5, None]}, "text", ["price"])
    [{'text': 'a', 'columns': {'price': 3.5}}, {'text': 'b', 'columns': {'price': None}}]
    """
    if isinstance(features, str) or not all(isinstance(name, str) for name in features):
        raise ValueError(f"features is {features!r}, where a list of names of columns is expected.")
    if not isinstance(X, Mapping | _Frame):
        raise ValueError(f"X is of type {type(X).__name__}, where a table with named columns is expected.")
    known = list(X if isinstance(X, Mapping) else X.columns)
    missing = [name for name in (text, *features) if name not in known]
    if missing:
        raise ValueError(f"X has no column {missing[0]!r}; it has {', '.join(map(repr, known))}.")
    texts = read_texts(X[text])
    try:
        columns = {name: _values.values(X[name], f"values of {name!r}") for name in features}
    except UsageError as error:
        raise ValueError(f"X cannot be read: {error}") from None
    for name, values in columns.items():
        if len(values) != len(texts):
            raise ValueError(f"X has {len(texts)} texts and {len(values)} values of {name!r}.")
    task = tasks.load("classification", {"tabular": Tabular.of(features)})
    return [
        with_columns(task, value, {name: values[row] for name, values in columns.items()})
        for row, value in enumerate(texts)
    ]


def hold_out(rows: Rows, task: Task, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Split off a stratified share of rows for validation, with every class left in training.

    Returns:
        training and validation rows; both are all rows if there are too few.

    >>> rows = Rows(tuple("abcdef"), ("x",) * 6, ("yes", "no") * 3)
    >>> [len(part) for part in hold_out(rows, tasks.load("classification"), 0.3, seed=0)]
    [4, 2]
    """
    size = len(rows) - max(1, round(fraction * len(rows)))
    if size < len(set(map(task.stratum, rows.targets))):
        return rows, rows
    train = nested(rows, task, [size], seed)[size]
    train_ids = set(train.ids)
    return train, rows.take([place for place, name in enumerate(rows.ids) if name not in train_ids])


def _labels(y: Any) -> np.ndarray:
    """Check that labels are classes: one dimension, one kind, nothing missing."""
    if y is None:
        raise ValueError("TextClassifier requires y to be passed, but the target y is None.")
    if not isinstance(y, np.ndarray):
        # Otherwise numpy turns pandas' nullable integers into floats, and numbers among texts into text.
        with suppress(UsageError):  # of more than one dimension, which is checked below
            y = _values.values(y, "labels")
            mixed = len({isinstance(label, str) for label in y}) > 1
            y = np.array(y, dtype=object if mixed else None)
    labels: np.ndarray = column_or_1d(y, warn=True)
    if labels.dtype == object:
        place = next((place for place, label in enumerate(labels) if _values.missing(label)), None)
        if place is not None:
            raise ValueError(f"y[{place}] is {labels[place]!r}: leave rows without a label out.")
        try:
            np.unique(labels)
        except TypeError:
            kinds = sorted({type(label).__name__ for label in labels})
            raise ValueError(f"labels of the types {', '.join(kinds)} cannot be sorted; use one type.") from None
    if type_of_target(labels) != "unknown":
        check_classification_targets(labels)
    return labels
