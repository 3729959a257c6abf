"""Several labels per text, or none: how they are read, and the threshold of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from headstart.core.contracts import Column, HeadPlan, Kind, Value
from headstart.core.errors import DataError
from headstart.core.records import Predictions, Rows
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.data.cells import flag_cell, label_cell, list_cell, text_cell
from headstart.data.roles import TEXT
from headstart.metrics import multilabel
from headstart.tasks._texts import OneText

SEPARATOR = ";"
USUAL_THRESHOLD = 0.5


@dataclass(frozen=True)
class Multilabel(OneText):
    """Give each text any number of labels out of those seen in training.

    The labels are a list, a text such as 'a;b', or one column per label with 0 and 1, false and true, or no and yes.

    classes: the labels, sorted; empty until :meth:`fitted` has seen the training rows.
    thresholds: probability above which each label is predicted, 0 to 1, see :meth:`settled`; empty for a half.
    input_columns: column with the texts of the training rows, as in 'text=review'; empty if it is not known.
    tabular: columns that it reads beside the text, see `core.tabular`.
    """

    classes: tuple[str, ...] = ()
    thresholds: tuple[float, ...] = ()
    input_columns: tuple[str, ...] = ()
    tabular: Tabular = NO_COLUMNS

    SAMPLE: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = (
        ("The battery lasts two days, but it is far too loud.", ("battery", "noise")),
        ("Charges in an hour and then lasts a weekend.", ("battery",)),
        ("Quiet enough to sleep beside.", ("noise",)),
        ("You hear it in the next room, and the battery is poor.", ("battery", "noise")),
        ("The fan is loud at night.", ("noise",)),
        ("Arrived early and works well.", ()),
    )
    kind: ClassVar[Kind] = "labels"
    generates: ClassVar[bool] = False
    settles: ClassVar[bool] = True
    columns: ClassVar[tuple[Column, ...]] = (
        TEXT,
        Column(
            "labels",
            frozenset(
                {"tags", "label", "categories", "topics", "classes", "genres", "emotions", "keywords", "targets"}
            ),
            target=True,
            several=True,
        ),
    )
    metrics: ClassVar[tuple[Metric, ...]] = multilabel.METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text and the labels of a row, sorted, each once.

        Raises:
            DataError: a missing text; labels that are missing (an empty list or text is none), or something else.
        """
        text = text_cell(cells["text"])
        if "labels" not in cells:
            return text, None
        cell = cells["labels"]
        if isinstance(cell, Mapping):
            labels = [label for label, flag in cell.items() if flag_cell(flag, label)]
        else:
            labels = [label_cell(label) for label in list_cell(cell, "labels", SEPARATOR)]
        return text, tuple(sorted(set(labels)))

    def fitted(self, train: Rows) -> Multilabel:
        """Return the task with its classes set from the training rows only.

        A label that occurs only in validation or test is never predicted and counts as an error there.

        Raises:
            DataError: no training row has a label.

        >>> Multilabel().fitted(Rows(("1", "2"), ("x", "y"), (("loud", "big"), ()))).classes
        ('big', 'loud')
        """
        classes = tuple(sorted({label for labels in train.targets for label in labels}))
        if not classes:
            raise DataError(f"none of the {len(train)} training rows has a label; at least one is needed.")
        return replace(self, classes=classes, thresholds=(), tabular=self.tabular.fitted(train.inputs))

    def stratum(self, target: Value) -> str:
        """Return the first label, whose share splits preserve; sets of labels are too many to preserve each."""
        return min(target, default="")

    def head(self) -> HeadPlan:
        """Return the plan of a head with one logit per label, each a decision of its own."""
        return HeadPlan(self.classes, problem="multi_label_classification")

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Return which labels each row has, float32 ``(rows, classes)``, without labels not seen in training."""
        return Ragged.single(multilabel.indicators(rows.targets, self.classes))

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn logits ``(rows, classes)`` into the labels above their thresholds, and a probability for each label."""
        import numpy as np
        from scipy.special import expit

        probabilities = expit(outputs.values.astype(np.float64)).astype(np.float32)
        limits = np.array(self.thresholds or [USUAL_THRESHOLD] * len(self.classes))
        chosen = (np.flatnonzero(row) for row in probabilities > limits)
        values = tuple(tuple(self.classes[number] for number in row) for row in chosen)
        return Predictions(values, self.classes, probabilities)

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Multilabel:
        """Return the task with the thresholds by which the predictions have the highest micro-F1."""
        assert predictions.probabilities is not None  # as `decode` gives them
        truth = multilabel.indicators(targets, self.classes)
        return replace(self, thresholds=tuple(multilabel.thresholds(truth, predictions.probabilities).tolist()))

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Count what each row adds to the hits, predictions and targets of each label, and how well it is ranked."""
        return multilabel.tally(targets, predictions.values, predictions.classes, predictions.probabilities)


PLUGIN = Multilabel
