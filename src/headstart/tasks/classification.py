"""One label per text: its encoding, and how predictions are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

from headstart.core.contracts import Column, HeadPlan, Kind, Value, class_numbers
from headstart.core.costs import NO_COSTS, Costs
from headstart.core.errors import UsageError
from headstart.core.records import Predictions, Rows
from headstart.core.rooms import Signed
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.data.cells import label_cell, text_cell
from headstart.data.roles import LABEL, TEXT
from headstart.metrics import costs as costly
from headstart.metrics import labels
from headstart.tasks._texts import OneText

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Classification(OneText):
    """Give each text exactly one label out of those seen in training.

    classes: the labels, sorted; empty until :meth:`fitted` has seen the training rows.
    input_columns: column with the texts of the training rows, so that a model reads no other column later, as in
        'text=review'; empty if it is not known.
    tabular: columns that it reads beside the text, see `core.tabular`.
    costs: what errors cost. The label of the lowest expected cost is then predicted, the Bayes decision (Elkan 2001,
        "The Foundations of Cost-Sensitive Learning", section 1), which is as good as the probabilities are.
    offsets: what is added to each class's merit before the largest decides, in effect a threshold of each; empty for
        nothing. See `contest.thresholds`.
    """

    classes: tuple[str, ...] = ()
    input_columns: tuple[str, ...] = ()
    tabular: Tabular = NO_COLUMNS
    costs: Costs = NO_COSTS
    offsets: tuple[Signed, ...] = ()

    SAMPLE: ClassVar[tuple[tuple[str, str], ...]] = (
        ("The battery lasts two days and charges fast.", "good"),
        ("Arrived early, works well, very happy.", "good"),
        ("A joy to use from the first minute.", "good"),
        ("It broke after a week and nobody answers.", "bad"),
        ("Far too loud, and the manual is useless.", "bad"),
        ("Waste of money; I sent it back.", "bad"),
    )
    kind: ClassVar[Kind] = "label"
    generates: ClassVar[bool] = False
    settles: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (TEXT, LABEL)

    def __post_init__(self) -> None:
        if len(self.offsets) not in (0, len(self.classes)):
            raise UsageError(f"{len(self.classes)} classes have as many offsets, or none, not {len(self.offsets)}.")
        if self.costs.values and not {*self.classes} <= {*self.costs.classes}:
            raise UsageError("there are classes without costs; add a row and a column for each to their file.")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The scores of labels; with costs the mean cost comes first."""
        return costly.METRICS if self.costs.values else labels.METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text and the label of a row.

        Raises:
            DataError: one of them is missing, or something else.
        """
        return text_cell(cells["text"]), label_cell(cells["label"]) if "label" in cells else None

    def fitted(self, train: Rows) -> Classification:
        """Return the task with its classes set from the training rows only.

        A label that occurs only in validation or test is never predicted and counts as an error there.

        >>> Classification().fitted(Rows(("1", "2"), ("x", "y"), ("spam", "ham"))).classes
        ('ham', 'spam')
        """
        classes = tuple(sorted(set(train.targets)))
        return replace(self, classes=classes, tabular=self.tabular.fitted(train.inputs), offsets=())

    def stratum(self, target: Value) -> str:
        """Return the label: splits preserve the share of each."""
        return str(target)

    def head(self) -> HeadPlan:
        """Return the plan of a head with one logit per class."""
        return HeadPlan(self.classes)

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Return the number of each row's class, int64 ``(rows,)``; -100 for a label not seen in training."""
        return Ragged.single(class_numbers(self.classes, rows.targets))

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn logits ``(rows, classes)`` into labels and probabilities."""
        import numpy as np
        from scipy.special import softmax

        probabilities = softmax(outputs.values.astype(np.float64), axis=-1).astype(np.float32)
        chosen = (self.merits(probabilities) + (self.offsets or 0.0)).argmax(axis=1)
        return Predictions(tuple(self.classes[number] for number in chosen), self.classes, probabilities)

    def merits(self, probabilities: np.ndarray) -> np.ndarray:
        """Return what a label is predicted by, the largest with its offset, float64 ``(rows, classes)``.

        It is the logarithm of the probability, or with costs the negative expected cost.

        Args:
            probabilities: float32 ``(rows, classes)``.
        """
        import numpy as np

        exact = probabilities.astype(np.float64)
        merits: np.ndarray = np.log(np.maximum(exact, np.finfo(np.float32).tiny))
        if self.costs.values:
            merits = -(exact @ self.costs.matrix(self.classes))  # the true classes are added up
        return merits

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Classification:
        """Return the task: the class with the largest logit is predicted."""
        return self

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count what each row adds to the hits, predictions and targets of each class, and what its label costs."""
        if self.costs.values:
            return costly.tally(targets, predictions.values, self.costs)
        return labels.tally(targets, predictions.values)


PLUGIN = Classification
