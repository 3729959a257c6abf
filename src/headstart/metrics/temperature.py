"""One temperature for the probabilities of a model: fitted on validation rows, and used if that helps beyond noise.

Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2: logits are divided by one number, which
changes how confident a model is and never which label it predicts.

Shapes: N rows, C classes.
"""

from __future__ import annotations

import numpy as np

FOLDS = 5
# Half of the chi-squared distribution's 95 % quantile: of models whose probabilities are right, fewer than 5 % gain so
# many nats by a fitted temperature, even on the rows that it was fitted on.
LEAST_GAIN = 1.92
LIMITS, PRECISION = (-3.0, 3.0), 1e-4  # of the temperature's logarithm
TINY = float(np.finfo(np.float32).tiny)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the probabilities ``(N, C)`` after their logits are divided by a temperature: float64 ``(N, C)``.

    >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    from scipy.special import softmax

    changed: np.ndarray = softmax(_logarithms(probabilities) / temperature, axis=-1)
    return changed


def fitted(probabilities: np.ndarray, numbers: np.ndarray, groups: np.ndarray | None = None) -> float:
    """Return the temperature that the labels of rows ask for; 1 if there is no evidence that another is better.

    The evidence is cross-fitted: the temperature of four fifths of the rows is judged by the likelihood of the labels
    of the others, in turn. The gain over all rows must exceed `LEAST_GAIN`; a group counts as one row.

    Args:
        probabilities: of a model that was not trained on these rows, ``(N, C)``, each row summing to 1.
        numbers: int64 ``(N,)``, class of each row.
        groups: int64 ``(N,)``, number of each row's group; a group is in one fold. None for single rows.

    >>> right = np.array([0, 0, 0, 1] * 50)
    >>> round(fitted(np.tile([[0.999, 0.001]], (200, 1)), right), 1), fitted(np.tile([[0.75, 0.25]], (200, 1)), right)
    (6.4, 1.0)
    """
    rows = np.arange(len(numbers)) if groups is None else groups
    count = int(rows.max(initial=-1)) + 1
    if count < FOLDS:
        return 1.0
    logarithms = _logarithms(probabilities)
    fold = np.random.default_rng(0).permutation(count)[rows] % FOLDS  # (N,)
    gain = 0.0
    for held_out in range(FOLDS):
        inside, outside = fold == held_out, fold != held_out
        one = _likeliest(logarithms[outside], numbers[outside])
        gain += (
            _losses(logarithms[inside], numbers[inside], 1.0) - _losses(logarithms[inside], numbers[inside], one)
        ).sum()
    return _likeliest(logarithms, numbers) if gain * count > LEAST_GAIN * len(numbers) else 1.0


def _likeliest(logarithms: np.ndarray, numbers: np.ndarray) -> float:
    """Return the temperature with the lowest loss of these rows and one more that is wrong.

    That row keeps the temperature of a model that is right on all rows above 0, as in Platt 1999, section 2.2. It is
    spread evenly over all rows: its class is another one, as probable as the model says.
    """
    from scipy.optimize import minimize_scalar

    others = np.exp(logarithms)  # in the proportions of the probabilities
    others[np.arange(len(numbers)), numbers] = 0.0
    others /= np.maximum(others.sum(axis=1, keepdims=True), TINY)  # (N, C)
    # What the loss of the other class is above that of the own one, at a temperature of 1: (N,).
    further = logarithms[np.arange(len(numbers)), numbers] - (others * logarithms).sum(axis=1)

    def loss(log_temperature: float) -> float:
        temperature = float(np.exp(log_temperature))
        own = _losses(logarithms, numbers, temperature)
        return float(own.sum() + (own + further / temperature).mean())

    found = minimize_scalar(loss, bounds=LIMITS, method="bounded", options={"xatol": PRECISION})
    return float(np.exp(found.x))


def _losses(logarithms: np.ndarray, numbers: np.ndarray, temperature: float) -> np.ndarray:
    """Return the negative log likelihood of each row, float64 ``(N,)``."""
    scaled = logarithms / temperature
    losses: np.ndarray = np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(numbers)), numbers]
    return losses


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    """Return logits of probabilities, the largest of each row 0, so that no exponential overflows."""
    logarithms = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), TINY))
    shifted: np.ndarray = logarithms - logarithms.max(axis=1, keepdims=True)
    return shifted
