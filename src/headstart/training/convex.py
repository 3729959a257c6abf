"""The optimum of a linear head on fixed features: multinomial logistic regression with L2 regularisation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Inverse regularisation strengths that are tried, strongest regularisation first, for features of unit variance.
STRENGTHS = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)
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
        weight, bias = model.coef_, model.intercept_
        if len(weight) == 1:  # for two classes scikit-learn returns the difference
            weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        weight = weight / scale
        bias = bias - weight @ center
        yield Solution(weight.astype(np.float32), bias.astype(np.float32), strength)
