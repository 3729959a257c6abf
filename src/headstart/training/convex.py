"""The optimum of a linear head on fixed features: multinomial logistic regression with L2 regularisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from headstart.core.contracts import Problem

# Inverse regularisation strengths that are tried, strongest regularisation first, for features of unit variance.
STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
ON_COLUMNS = 1.0  # the strength for columns beside the text, which are few
# A feature with a smaller standard deviation is treated as constant.
CONSTANT = 1e-6


@dataclass(frozen=True)
class Solution:
    """A linear layer that is optimal for one regularisation strength.

    weight: float32 ``(classes, width)``.
    bias: float32 ``(classes,)``.
    strength: inverse regularisation strength, C of scikit-learn.
    """

    weight: np.ndarray
    bias: np.ndarray
    strength: float


def on_columns(features: np.ndarray, targets: np.ndarray, problem: Problem, *, balanced: bool = False) -> Solution:
    """Solve the linear layer on columns beside the text: logistic regressions, or a ridge regression.

    Args:
        features: float32 ``(rows, width)``, standardised numbers and indicators of categories.
        targets: see `nn.heads.ClassificationHead`; all classes occur.
        problem: the loss of the head.
        balanced: see :func:`solutions`.

    >>> solution = on_columns(np.array([[-1.0], [1.0]]), np.array([0, 1]), "single_label_classification")
    >>> solution.weight[0] < solution.weight[1]
    array([ True])
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    if problem == "regression":
        ridge = Ridge(alpha=1 / ON_COLUMNS).fit(features, targets)
        return _solution(np.atleast_2d(ridge.coef_), np.atleast_1d(ridge.intercept_), ON_COLUMNS)
    model = LogisticRegression(C=ON_COLUMNS, class_weight="balanced" if balanced else None, max_iter=1000)
    if problem == "single_label_classification":
        if not targets.any():  # a single class
            return _solution(np.zeros((1, features.shape[1])), np.zeros(1), ON_COLUMNS)
        model.fit(features, targets)
        return _solution(*_for_each_class(model.coef_, model.intercept_), ON_COLUMNS)
    weight, bias = np.zeros((targets.shape[1], features.shape[1])), np.zeros(targets.shape[1])
    for label in np.flatnonzero(targets.any(axis=0) & ~targets.all(axis=0)):
        model.fit(features, targets[:, label])
        weight[label], bias[label] = model.coef_[0], model.intercept_[0]
    return _solution(weight, bias, ON_COLUMNS)


def solutions(features: np.ndarray, targets: np.ndarray, *, balanced: bool = False) -> Iterator[Solution]:
    """Solve a logistic regression for each regularisation strength, strongest first.

    Features are standardised, and the returned weights include the standardisation. Each problem starts from the
    solution of the previous one. Nothing is random.

    Args:
        features: float ``(rows, width)``.
        targets: int ``(rows,)``, class numbers from 0 on, all of which occur.
        balanced: weight each class by the inverse of its share.

    >>> rows = np.array([[0.0, 1.0], [0.2, 1.0], [0.8, 1.0], [1.0, 1.0]])
    >>> *_, last = solutions(rows, np.array([0, 0, 1, 1]))
    >>> (rows @ last.weight.T + last.bias).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    from sklearn.linear_model import LogisticRegression

    center, scale = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scale = np.where(scale < CONSTANT, 1.0, scale)
    standardised = (features - center) / scale
    weights = "balanced" if balanced else None
    model = LogisticRegression(class_weight=weights, max_iter=1000, warm_start=True)
    for strength in STRENGTHS:
        model.set_params(C=strength).fit(standardised, targets)
        weight, bias = _for_each_class(model.coef_, model.intercept_)
        weight = weight / scale
        yield _solution(weight, bias - weight @ center, strength)


def _for_each_class(weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return weights for each class; for two classes scikit-learn gives the difference."""
    if len(weight) > 1:
        return weight, bias
    return np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2


def _solution(weight: np.ndarray, bias: np.ndarray, strength: float) -> Solution:
    return Solution(weight.astype(np.float32), bias.astype(np.float32), strength)
