"""The numbers of an ensemble: the weights of its members, and their answers combined.

Shapes: M members, N items, C columns, see `_answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from headstart.contenders import _answers
from headstart.contenders._answers import LEAST, Answers, log_likelihood
from headstart.core.contracts import Task, class_numbers, metric_values, settled
from headstart.core.records import Rows
from headstart.core.tally import named

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

    from headstart.contenders.ensemble import Method

ROUNDS = 25  # members that 'greedy' picks, the same one often
STEPS = 200  # of the iteration that fits 'weights'
STRENGTHS = (0.01, 0.1, 1.0)  # of 'stacking'; inverse regularisation
FOLDS = 5
TIE = 1e-3  # weight of the mean probabilities in a vote, which break ties
NEVER = -1e4  # the logit of a class that does not occur in validation; its probability is 0


def with_known_classes(rows: Rows, task: Task) -> np.ndarray:
    """Return the numbers of the rows from which weights can be learnt: all but those of unknown classes."""
    if task.kind != "label":
        return np.arange(len(rows))
    return np.flatnonzero(class_numbers(task.classes, rows.targets) >= 0)


def mix(answers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average probabilities ``(M, N, C)`` by weights ``(M,)``: float64 ``(N, C)``.

    >>> mix(np.array([[[1.0, 0.0]], [[0.5, 0.5]]]), np.array([0.5, 0.5])).tolist()
    [[0.75, 0.25]]
    """
    means: np.ndarray = np.einsum("m,mnc->nc", weights, answers.astype(np.float64))
    return means


def votes(answers: np.ndarray) -> np.ndarray:
    """Return each member's vote for its most probable class, with a small weight for the others that breaks ties."""
    counted: np.ndarray = (1 - TIE) * np.eye(answers.shape[-1])[answers.argmax(axis=-1)] + TIE * answers
    return counted


def equal(answers: Answers, validation: Rows, task: Task, metric: str) -> np.ndarray:
    """Return equal weights of the members: ``(M,)``."""
    return np.full(len(answers), 1 / len(answers))


def greedy(answers: Answers, validation: Rows, task: Task, metric: str) -> np.ndarray:
    """Add members with replacement, each time the one that helps most, and stop at the best point: ``(M,)``.

    Ensemble selection of Caruana et al. 2004, "Ensemble Selection from Libraries of Models", section 2.1. Among equal
    scores the higher likelihood decides, then the shorter list.
    """
    sign = named(task.metrics, metric).sign
    counts = np.zeros(len(answers))
    best: tuple[tuple[float, float], np.ndarray] | None = None
    for _ in range(ROUNDS):
        tried = []
        for member in range(len(answers)):
            more = counts + np.eye(len(answers))[member]
            mixed = mix(answers.numbers, more / more.sum())
            score = sign * _score(answers, mixed, validation, task, metric)
            tried.append(((score, _answers.likelihood(answers, mixed, validation, task)), more))
        merit, counts = max(tried, key=lambda trial: trial[0])
        if best is None or merit > best[0]:
            best = merit, counts
    assert best is not None
    shares: np.ndarray = best[1] / best[1].sum()
    return shares


def _score(answers: Answers, mixed: np.ndarray, rows: Rows, task: Task, metric: str) -> float:
    """Score combined answers ``(N, C)``, with a task settled on the same rows."""
    own, predictions = settled(task, lambda task: _answers.decode(answers, mixed, task), rows.targets)
    return metric_values(own, predictions, rows)[metric]


def likeliest(answers: Answers, validation: Rows, task: Task, metric: str) -> np.ndarray:
    """Find the weights ``(M,)`` of the mixture that maximise the likelihood of the validation labels.

    By expectation maximisation (Dempster et al. 1977, section 4.3), which never decreases the likelihood.
    """
    numbers = class_numbers(task.classes, validation.targets)
    right = np.maximum(answers.numbers[:, np.arange(len(numbers)), numbers].astype(np.float64), LEAST)
    weights = np.full(len(answers), 1 / len(answers))
    for _ in range(STEPS):
        shares = weights[:, None] * right
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    mixture: np.ndarray = np.where(weights < LEAST, 0.0, weights) / weights[weights >= LEAST].sum()
    return mixture


def stacking(member_answers: np.ndarray, numbers: np.ndarray) -> np.ndarray | None:
    """Fit a logistic regression on the members' log probabilities: ``(M * C + 1, C)``, intercepts last.

    Its regularisation is chosen by the likelihood in `FOLDS`-fold cross-validation. Classes that do not occur in
    validation are never predicted.

    Returns:
        None if some class has fewer than two rows, or all rows are of one class.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    present, counts = np.unique(numbers, return_counts=True)
    if len(present) < 2 or counts.min() < 2:
        return None
    features = _features(member_answers)
    folds = StratifiedKFold(min(FOLDS, int(counts.min())), shuffle=True, random_state=0)
    places = np.searchsorted(present, numbers)

    def held_out(strength: float) -> float:
        answers = cross_val_predict(_regression(strength), features, places, cv=folds, method="predict_proba")
        return log_likelihood(answers, places)

    model = _regression(max(STRENGTHS, key=held_out)).fit(features, places)
    columns = np.vstack([model.coef_.T, model.intercept_])
    if len(present) == 2:  # scikit-learn gives one column; softmax needs one for each
        columns = np.hstack([-columns / 2, columns / 2])
    coefficients = np.zeros((len(columns), member_answers.shape[-1]))
    coefficients[-1] = NEVER
    coefficients[:, present] = columns
    return coefficients


def stack(answers: np.ndarray, stacked: np.ndarray) -> np.ndarray:
    """Predict with the result of :func:`stacking`: ``(N, C)``."""
    from scipy.special import softmax

    probabilities: np.ndarray = softmax(_features(answers) @ stacked[:-1] + stacked[-1], axis=1)
    return probabilities


def _regression(strength: float) -> LogisticRegression:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=strength, max_iter=1000)


def _features(answers: np.ndarray) -> np.ndarray:
    """Turn ``(M, N, C)`` into log probabilities ``(N, M * C)``."""
    logarithms: np.ndarray = np.log(np.maximum(answers, LEAST))
    return logarithms.transpose(1, 0, 2).reshape(answers.shape[1], -1)


ANY_KIND: tuple[Method, ...] = ("greedy", "mean")  # the methods for answers of any kind
METHODS: dict[Method, Callable[[Answers, Rows, Task, str], np.ndarray]] = {
    "greedy": greedy,
    "weights": likeliest,
    "stacking": equal,
    "mean": equal,
    "vote": equal,
}
