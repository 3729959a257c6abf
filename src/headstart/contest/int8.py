"""May a model predict with 8-bit weights? Only if its predictions of the validation rows are almost unchanged.

models/KEY/int8.json, best/int8.json    the result of the comparison, next to the weights
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from headstart.checkpoints import manifest
from headstart.core import sealed
from headstart.core.contracts import Fitted, Kind, metric_values
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Rows
from headstart.core.tally import named
from headstart.metrics import format as form
from headstart.metrics.agreement import agreement as agreement_of
from headstart.saved import model_folder

FILE = "int8.json"
# The minimum agreement of predictions (of labels the share that is unchanged), and the maximum change of the score, see
# `metrics.format.whole`.
AGREEMENT = 0.985
MOVE = 0.005
_MEASURES: Mapping[Kind, tuple[str, str]] = {
    "labels": ("label sets", "Jaccard index"),
    "number": ("numbers", "distance as a part of their spread"),
    "facts": ("facts", "Jaccard index"),
    "text": ("answers", "token F1"),
}
# Validation texts that are compared: enough for a share to be accurate to half a point, in at most minutes.
MOST_ROWS = 2000


@dataclass(frozen=True)
class Agreement:
    """A model's 8-bit version compared with the model itself on validation texts.

    rows: number of texts.
    agreement: mean of `metrics.agreement` (0 to 1); of labels the share of equal ones.
    metric: the comparison's metric.
    score: score of the model.
    int8_score: score of its 8-bit version.
    kind: form of the predictions.
    unit: of the metric.
    most: the maximum change of the score.
    """

    rows: int
    agreement: float
    metric: str
    score: float
    int8_score: float
    # Files of earlier versions, which knew labels and shares alone, lack these.
    kind: Kind = "label"
    unit: str = "%"
    most: float = MOVE

    @property
    def offered(self) -> bool:
        """Whether both figures are good enough for the version to be used.

        >>> Agreement(200, 0.985, "accuracy", 0.885, 0.880).offered
        True
        >>> Agreement(200, 0.980, "accuracy", 0.885, 0.885).offered
        False
        """
        # Exactly half a point is allowed, but 0.885 - 0.880 is a little more in binary.
        return self.agreement >= AGREEMENT and round(abs(self.int8_score - self.score), 9) <= self.most

    @property
    def sentence(self) -> str:
        """Say whether int8 is available, with both figures.

        >>> print(Agreement(436, 0.9885, "MCC", 0.8991, 0.8968).sentence)
        int8 is available (predict --int8): 98.85 % of 436 validation labels are unchanged, MCC changes by -0.23 points.
        >>> print(Agreement(436, 0.9612, "chrF", 0.52, 0.51, "text").sentence)
        int8 is refused: the answers predicted for 436 validation texts agree to 96.12 % (token F1), chrF changes by \
-1.00 points; it needs 98.5 % and at most 0.5 points.
        """
        change = self.int8_score - self.score
        figures = f"{self._agree}, {self.metric} changes by {self._written(change, '+', 2)}"
        if self.offered:
            return f"int8 is available (predict --int8): {figures}."
        most = self._written(self.most, "", 1)
        return f"int8 is refused: {figures}; it needs {100 * AGREEMENT:.1f} % and at most {most}."

    @property
    def _agree(self) -> str:
        share = f"{100 * self.agreement:.2f} %"
        if self.kind == "label":
            return f"{share} of {self.rows:,} validation labels are unchanged"
        what, measure = _MEASURES[self.kind]
        return f"the {what} predicted for {self.rows:,} validation texts agree to {share} ({measure})"

    def _written(self, change: float, sign: str, decimals: int) -> str:
        """Write a change of the score."""
        if self.unit == "%":
            return f"{100 * change:{sign}.{decimals}f} points"
        return f"{change:{sign}.3g}{f' {self.unit}' if self.unit else ''}"


def judge(folder: Path, validation: Rows, metric: str) -> Agreement | None:
    """Compare a saved model's 8-bit version with it on the validation texts, and store the result in the folder.

    An earlier result is reused, unless it is damaged.

    Args:
        folder: a model's; ``int8.json`` is added to it.
        validation: labelled rows on which the model was not trained; of many, an even sample is used.
        metric: the comparison's metric.

    Returns:
        None if the model has no such version (it is not a Transformer).

    Raises:
        UsageError: torch has no int8 engine for this machine.
        CheckpointError: the folder is damaged.
    """
    known = sealed.take_note(folder / FILE)
    if known is not None and manifest.lists(folder, FILE):
        return Agreement(**known)
    # A kill between the two writes below leaves a file that the manifest does not list.
    manifest.remove(folder, FILE)
    fitted = model_folder.open_model(folder)
    if not fitted.has_int8:
        return None
    rows = validation.take(np.unique(np.linspace(0, len(validation) - 1, MOST_ROWS).astype(int)))
    answers = [model.predict(rows.inputs) for model in (fitted, fitted.with_int8())]
    score, int8_score = (metric_values(fitted.task, answer, rows)[metric] for answer in answers)
    task = fitted.task
    judged, same = named(task.metrics, metric), agreement_of(task.kind, answers[0].values, answers[1].values)
    most = MOVE * form.whole(judged, score)
    agreement = Agreement(len(rows), float(same.mean()), metric, score, int8_score, task.kind, judged.unit, most)
    sealed.write_note(folder / FILE, asdict(agreement))
    manifest.add(folder, FILE)
    return agreement


def open_model(folder: Path) -> tuple[Fitted, Agreement]:
    """Open a model to predict with 8-bit weights; return it with the comparison that allows it.

    Raises:
        UsageError: the model has no such version, it was refused, or torch has no int8 engine for this machine.
        CheckpointError: the folder is not a model or is damaged; or the version was never compared.
    """
    fitted = model_folder.open_model(folder)
    if not fitted.has_int8:
        raise UsageError(
            f"'{folder}' contains no Transformer, and only Transformers have an int8 version; leave out --int8."
        )
    agreement = _read(folder)
    if not agreement.offered:
        raise UsageError(agreement.sentence)
    return fitted.with_int8(), agreement


def _read(folder: Path) -> Agreement:
    path = folder / FILE
    if not manifest.lists(folder, FILE):
        raise CheckpointError(
            f"'{folder}' has no {FILE}, so the effect of int8 is unknown; "
            "run headstart compare again: it compares int8 on the validation texts and adds the file to 'best'."
        )
    known = sealed.read_note(path)
    if known is None:
        raise CheckpointError(f"'{path}' is damaged; delete it, and run headstart compare again.")
    return Agreement(**known)


def message(folder: Path, validation: Rows, metric: str) -> str:
    """Judge as :func:`judge` does, and return one sentence about it; '' for a model without 8-bit weights."""
    try:
        agreement = judge(folder, validation, metric)
    except UsageError as error:
        return str(error)
    return agreement.sentence if agreement else ""
