"""How far two predictions for the same input agree, 0 to 1, for each kind of answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from headstart.core.contracts import Kind, Value
from headstart.metrics.strings import normalised, token_f1


def agreement(kind: Kind, first: Sequence[Value], second: Sequence[Value]) -> np.ndarray:
    """Compare predictions row by row.

    Labels are equal or not. Sets of labels and of facts: their Jaccard index. Texts: the F1 of their words, without
    case, punctuation and articles. Numbers: one minus their distance as a part of the spread of the first ones, so that
    neither the unit nor the zero of the targets counts.

    Args:
        kind: the form of the predictions.
        first: of each row the predicted value, at least one.
        second: another predicted value for each.

    Returns:
        float64 ``(rows,)``, 1 for equal values.

    >>> agreement("label", ["a", "b"], ["a", "a"]).tolist()
    [1.0, 0.0]
    >>> agreement("labels", [("a", "b"), ("a",), (), ()], [("b",), ("a", "b"), ("a",), ()]).tolist()
    [0.5, 0.5, 0.0, 1.0]
    >>> agreement("number", [0.0, 10.0], [0.0, 9.5]).tolist()
    [1.0, 0.9]
    >>> agreement("facts", [[(0, 4, "PER"), (6, 9, "LOC")]], [[(0, 4, "PER")]]).tolist()
    [0.5]
    >>> agreement("text", ["The red house"], ["a red car"]).tolist()
    [0.5]
    """
    return _BY_KIND[kind](first, second)


def _equal(first: Sequence[Value], second: Sequence[Value]) -> np.ndarray:
    return np.array([float(one == other) for one, other in zip(first, second, strict=True)])


def _jaccard(first: Sequence[Value], second: Sequence[Value]) -> np.ndarray:
    pairs = [(set(one), set(other)) for one, other in zip(first, second, strict=True)]
    return np.array([len(one & other) / len(one | other) if one or other else 1.0 for one, other in pairs])


def _token_f1(first: Sequence[Value], second: Sequence[Value]) -> np.ndarray:
    pairs = [(normalised(one).split(), normalised(other).split()) for one, other in zip(first, second, strict=True)]
    return np.array([token_f1(one, other) for one, other in pairs])


def _near(first: Sequence[Value], second: Sequence[Value]) -> np.ndarray:
    one, other = (np.asarray(values, dtype=np.float64) for values in (first, second))
    gap, spread = np.abs(one - other), one.std()
    if not spread:  # all the same: other numbers do not agree at all
        return np.array(gap == 0, dtype=np.float64)
    near: np.ndarray = np.clip(1 - gap / spread, 0.0, 1.0)
    return near


_BY_KIND: Mapping[Kind, Callable[[Sequence[Value], Sequence[Value]], np.ndarray]] = {
    "label": _equal,
    "labels": _jaccard,
    "number": _near,
    "facts": _jaccard,
    "text": _token_f1,
}
