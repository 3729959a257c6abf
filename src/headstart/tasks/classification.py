"""One label per text: what its examples look like, and how its answers are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from headstart.core.records import Predictions, Rows


@dataclass(frozen=True)
class Classification:
    """Give each text exactly one label out of those seen in training.

    classes: the labels, sorted; empty until :meth:`fitted` has seen the training rows.
    """

    classes: tuple[str, ...] = ()

    SAMPLE: ClassVar[tuple[tuple[str, str], ...]] = (
        ("The battery lasts two days and charges fast.", "good"),
        ("Arrived early, works well, very happy.", "good"),
        ("A joy to use from the first minute.", "good"),
        ("It broke after a week and nobody answers.", "bad"),
        ("Far too loud, and the manual is useless.", "bad"),
        ("Waste of money; I sent it back.", "bad"),
    )
    metrics: ClassVar[tuple[str, ...]] = ("accuracy", "macro-F1", "weighted-F1", "balanced-accuracy", "MCC")
    metric: ClassVar[str] = "accuracy"

    def fitted(self, train: Rows) -> Classification:
        """Return the task with its classes set from the training rows, and from no others.

        A label that stands only in validation or test is never predicted and counts as an error there.

        >>> Classification().fitted(Rows(("1", "2"), ("x", "y"), ("spam", "ham"))).classes
        ('ham', 'spam')
        """
        return replace(self, classes=tuple(sorted(set(train.targets))))

    def features(self, inputs: Sequence[str]) -> Sequence[str]:
        """Return what a contender without a neural network reads: here the texts themselves."""
        return inputs

    def score(self, predictions: Predictions, rows: Rows) -> dict[str, float]:
        """Score predictions against the targets of the same rows: metric name -> value, higher is better."""
        from headstart.metrics import labels

        return labels.score(rows.targets, predictions.values)


PLUGIN = Classification
