"""How rows affect scores: the joint outcomes that are resampled, and each row's influence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from headstart.core.errors import DataError
from headstart.metrics import labels

_CHUNK = 4_000_000  # counts in memory at once, 32 MB
_STEP = 0.1  # the change of a row's weight by which its effect on a score is measured


def codes(targets: Sequence[str], models: Sequence[Sequence[str]]) -> tuple[np.ndarray, int]:
    """Number the classes: int ``(1 + models, rows)``, truth and predictions, and the number of classes."""
    if not models or not len(targets) or any(len(answers) != len(targets) for answers in models):
        sizes = sorted({len(answers) for answers in models})
        raise DataError(f"{len(targets)} targets and predictions of {sizes} rows; resampling needs equal numbers.")
    numbers = {name: number for number, name in enumerate(sorted({*targets}.union(*models)))}
    rows = [np.fromiter(map(numbers.__getitem__, row), np.int64, len(targets)) for row in (targets, *models)]
    return np.stack(rows), len(numbers)


@dataclass(frozen=True)
class Outcomes:
    """The distinct joint outcomes of some models on one set of rows, and how many rows had each.

    codes: int ``(1 + models, outcomes)``, class numbers: the truth, then each model's prediction.
    weights: float ``(outcomes,)``, rows with this outcome.
    rows: number of real rows, which is the size of a resample.
    classes: number of classes.
    """

    codes: np.ndarray
    weights: np.ndarray
    rows: int
    classes: int

    @classmethod
    def of(cls, targets: Sequence[str], models: Sequence[Sequence[str]]) -> Outcomes:
        numbered, classes = codes(targets, models)
        outcomes, weights = np.unique(numbered, axis=1, return_counts=True)
        return cls(outcomes, weights.astype(np.float64), len(targets), classes)

    def with_rows(self, extra: Sequence[tuple[Sequence[int], float]]) -> Outcomes:
        """Add artificial rows: for each (models that are right, weight), distributed over classes like the truth.

        The models that are wrong predict the most frequent other class. With one class, nobody can be wrong except by
        an additional class.
        """
        shares = np.bincount(self.codes[0], self.weights, self.classes) / self.rows
        classes = max(self.classes, 2)
        columns, weights = [], []
        for truth in np.flatnonzero(shares):
            others = np.append(shares, [-1.0] * (classes - self.classes))
            others[truth] = -2.0
            for right, weight in extra:
                column = np.full(len(self.codes), others.argmax())
                column[[0, *(1 + model for model in right)]] = truth
                columns.append(column)
                weights.append(weight * shares[truth])
        return Outcomes(np.column_stack([self.codes, *columns]), np.append(self.weights, weights), self.rows, classes)

    def observed(self, metric: str) -> np.ndarray:
        """Score each model on the actual rows: ``(models,)``."""
        scores: np.ndarray = self._scores(metric, self.weights[None])[0]
        return scores

    def resample(self, metric: str, resamples: int, seed: int) -> np.ndarray:
        """Score each model on resampled rows: ``(resamples, models)``."""
        random = np.random.default_rng(seed)
        shares = self.weights / self.weights.sum()
        step = max(1, _CHUNK // len(shares))
        chunks = [
            self._scores(metric, random.multinomial(self.rows, shares, size=min(step, resamples - start)))
            for start in range(0, resamples, step)
        ]
        return np.concatenate(chunks)

    def _scores(self, metric: str, counts: np.ndarray) -> np.ndarray:
        """Score each model under row counts ``(resamples, outcomes)``."""
        truth, counts = self.codes[0], counts.astype(np.float64)
        actual = counts @ self._one_hot(truth)
        columns = []
        for answer in self.codes[1:]:
            hits = counts @ self._one_hot(truth, answer == truth)
            columns.append(labels.from_counts(metric, hits, counts @ self._one_hot(answer), actual))
        return np.stack(columns, axis=1)

    def _one_hot(self, codes: np.ndarray, mask: np.ndarray | None = None) -> sparse.csr_array:
        """Return the 0/1 matrix ``(outcomes, classes)`` that sums counts by class."""
        ones = np.ones(len(codes)) if mask is None else mask.astype(np.float64)
        return sparse.csr_array((ones, (np.arange(len(codes)), codes)), shape=(len(codes), self.classes))


def influence(
    metric: str, truth: np.ndarray, answers: np.ndarray, shares: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Score a model, and return what each row and each artificial row contributes to the score.

    Args:
        metric: name of the score.
        truth: int ``(rows,)``, class numbers.
        answers: int ``(rows,)``, predicted class numbers.
        shares: ``(classes,)``, of the truth.

    Returns:
        the score; per row what its weight adds to the score, ``(rows,)``, with mean 0; per class the difference between
        a right and a wrong prediction of an artificial row of the class, ``(classes,)``.
    """
    classes = len(shares)
    cell = truth * classes + answers
    seen = np.flatnonzero(np.bincount(cell, minlength=classes**2))
    every = np.arange(classes)
    # Actual cells up, actual cells down, artificial rows predicted right, artificial rows predicted wrong.
    truths = np.concatenate([seen // classes, seen // classes, every, every])
    given = np.concatenate([seen % classes, seen % classes, every, _commonest_others(shares)])
    weights = np.repeat([_STEP, -_STEP, 1.0], [len(seen), len(seen), 2 * classes])
    number, right = np.arange(len(truths)), truths == given
    hits = np.tile(np.bincount(truth[truth == answers], minlength=classes).astype(np.float64), (len(truths), 1))
    predicted = np.tile(np.bincount(answers, minlength=classes).astype(np.float64), (len(truths), 1))
    actual = np.tile(np.bincount(truth, minlength=classes).astype(np.float64), (len(truths), 1))
    score = labels.from_counts(metric, hits[0], predicted[0], actual[0])
    hits[number, truths] += weights * right
    predicted[number, given] += weights
    actual[number, truths] += weights
    up, down, helped, harmed = np.split(
        labels.from_counts(metric, hits, predicted, actual), np.cumsum([len(seen), len(seen), classes])
    )
    slopes = np.zeros(classes**2)
    slopes[seen] = (up - down) / (2 * _STEP)
    rows = slopes[cell]
    return float(score), rows - rows.mean(), helped - harmed


def _commonest_others(shares: np.ndarray) -> np.ndarray:
    """Return for each class the most frequent other one."""
    ranked = np.argsort(-shares, kind="stable")
    others: np.ndarray = np.where(np.arange(len(shares)) == ranked[0], ranked[1], ranked[0])
    return others
