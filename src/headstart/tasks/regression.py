"""One number per text: targets in units of the training rows' spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from headstart.core.contracts import Column, HeadPlan, Kind, Value
from headstart.core.errors import DataError
from headstart.core.records import Predictions, Rows
from headstart.core.rooms import Signed
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import NO_COLUMNS, Tabular
from headstart.core.tally import Metric, Tally
from headstart.data.cells import number_cell, text_cell
from headstart.data.roles import LABEL, TEXT
from headstart.metrics import numbers
from headstart.tasks._texts import OneText

ZERO = Signed(0.0)
NUMBER = Column(
    "number",
    LABEL.names | {"label", "value", "price", "amount", "similarity", "similarityscore", "relatedness", "percentage"},
    target=True,
)


@dataclass(frozen=True)
class Regression(OneText):
    """Predict a number for each text.

    The first metric is the root of the mean squared error: models minimise it, it is in the unit of the numbers, and
    even a few rows have one. R2 orders models alike.

    mean: of the training rows' numbers.
    scale: their standard deviation; models predict numbers minus the mean, divided by it.
    input_columns: column with the texts of the training rows, as in 'text=review'; empty if it is not known.
    tabular: columns that it reads beside the text, see `core.tabular`.
    """

    mean: Signed = ZERO
    scale: float = 1.0
    input_columns: tuple[str, ...] = ()
    tabular: Tabular = NO_COLUMNS

    SAMPLE: ClassVar[tuple[tuple[str, float], ...]] = (
        ("The battery lasts two days and charges fast.", 5.0),
        ("Arrived early, works well, very happy.", 4.5),
        ("A joy to use from the first minute.", 5.0),
        ("It broke after a week and nobody answers.", 1.5),
        ("Far too loud, and the manual is useless.", 2.0),
        ("Waste of money; I sent it back.", 1.0),
    )
    kind: ClassVar[Kind] = "number"
    generates: ClassVar[bool] = False
    settles: ClassVar[bool] = False
    columns: ClassVar[tuple[Column, ...]] = (TEXT, NUMBER)
    classes: ClassVar[tuple[str, ...]] = ()
    metrics: ClassVar[tuple[Metric, ...]] = numbers.METRICS

    def read(self, cells: Mapping[str, Value]) -> tuple[Value, Value]:
        """Return the text and the number of a row.

        Raises:
            DataError: one of them is missing, or something else.
        """
        return text_cell(cells["text"]), number_cell(cells["number"]) if "number" in cells else None

    def fitted(self, train: Rows) -> Regression:
        """Return the task with the mean and the standard deviation of the training rows' numbers.

        Raises:
            DataError: all training rows have the same number.

        >>> fitted = Regression().fitted(Rows(("1", "2"), ("x", "y"), (1.0, 4.0)))
        >>> fitted.mean, fitted.scale
        (2.5, 1.5)
        """
        import numpy as np

        values = np.array(train.targets, dtype=np.float64)
        scale = float(values.std())
        if not scale > 0:
            raise DataError(f"all {len(train)} training rows have the number {values[0]:g}; different ones are needed.")
        mean = Signed(float(values.mean()))
        return replace(self, mean=mean, scale=scale, tabular=self.tabular.fitted(train.inputs))

    def stratum(self, target: Value) -> str:
        """Return '': splits are random."""
        return ""

    def head(self) -> HeadPlan:
        """Return the plan of a head with one output, whose squared error is minimised."""
        return HeadPlan(("number",), problem="regression")

    def targets(self, rows: Rows, encoded: Encoded) -> Ragged:
        """Return the standardised numbers, float32 ``(rows, 1)``."""
        import numpy as np

        values = np.array(rows.targets, dtype=np.float64)
        return Ragged.single(((values - self.mean) / self.scale).astype(np.float32)[:, None])

    def decode(self, outputs: Ragged, encoded: Encoded, inputs: Sequence[Value]) -> Predictions:
        """Turn standardised numbers ``(rows, 1)`` into numbers."""
        import numpy as np

        return Predictions(tuple((outputs.values[:, 0].astype(np.float64) * self.scale + self.mean).tolist()))

    def settled(self, predictions: Predictions, targets: Sequence[Value]) -> Regression:
        """Return the task: there is nothing to choose."""
        return self

    def tally(self, predictions: Predictions, targets: Sequence[Value]) -> Tally:
        """Compute what each row adds to the sums of errors and moments."""
        return numbers.tally(targets, predictions.values)


PLUGIN = Regression
