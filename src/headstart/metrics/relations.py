"""Scores of directed relations: a label such as 'Cause-Effect(e1,e2)' is a relation with a direction.

The macro-F1 is the official one of SemEval-2010 task 8 (Hendrickx et al. 2010, section 3): the mean over relations of
an F1 that counts a wrong direction as an error, without the label for "no such relation".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headstart.core.tally import Metric, Tally
from headstart.metrics import labels

if TYPE_CHECKING:
    import numpy as np

# How data sets call the label of two entities without a relation, in lower case.
NONE = frozenset({"other", "none", "no_relation", "no relation", "na"})


def relation(label: str) -> str:
    """Return a label without its direction; '' for the label of no relation.

    >>> relation("Cause-Effect(e2,e1)"), relation("Other")
    ('Cause-Effect', '')
    """
    return "" if label.casefold() in NONE else label.partition("(")[0]


def tally(targets: Sequence[str], predicted: Sequence[str]) -> Tally:
    """Count what each row adds to the hits, predictions and targets of each relation, and to those of all labels.

    Args: as for `labels.tally`.

    Returns:
        sums ``(2 + 3 * relations,)``: hits and rows of all labels; then hits, predictions and targets of each relation.
    """
    import numpy as np
    from scipy import sparse

    directed = labels.tally(targets, predicted)
    names = labels.classes_of(targets, predicted)
    relations = sorted({relation(name) for name in names} - {""})
    places = {name: number for number, name in enumerate(relations)}
    classes, count = directed.rows.shape[1] // 3, len(relations)
    onto = np.zeros((3 * classes, 2 + 3 * count))
    onto[:classes, 0] = onto[2 * classes :, 1] = 1.0
    for number, name in enumerate(names):
        if relation(name):
            for part in range(3):
                onto[part * classes + number, 2 + part * count + places[relation(name)]] = 1.0
    rows = sparse.csr_array(directed.rows @ sparse.csr_array(onto))
    return Tally(rows, directed.right @ onto, directed.wrong @ onto, directed.weights)


def _macro_f1(sums: np.ndarray) -> np.ndarray:
    import numpy as np

    return labels.macro_f1(*np.split(np.asarray(sums, dtype=np.float64)[..., 2:], 3, axis=-1))


def _accuracy(sums: np.ndarray) -> np.ndarray:
    return labels.ratio(sums[..., 0], sums[..., 1])


METRICS = (Metric("directed-macro-F1", _macro_f1), Metric("accuracy", _accuracy))
