"""Answers before and after transformations of the texts, and what they say of each contender.

The rows, and what becomes of them, are chosen before anything is predicted, from the rows and a seed alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart import stress
from headstart.core.abstain import confidence_of
from headstart.core.contracts import Fitted, Task
from headstart.core.errors import UsageError
from headstart.core.records import Predictions, Rows
from headstart.core.results import BrokenRow, Interval, StressResult, StressScore
from headstart.core.tally import Metric
from headstart.core.text_tasks import by_likelihood
from headstart.metrics import calibration, stats
from headstart.stress import _copies, _masked
from headstart.stress._copies import Copies

MOST_ROWS = 500
FEWEST_ROWS = 20  # of a score of its own

# Transformation -> predictions of the rows that it changes, in their order.
Answers = Mapping[str, Predictions]


@dataclass(frozen=True)
class Stressed:
    """Rows, and what transformations make of them.

    places: of the rows among all those that they were chosen from, in order.
    all_rows: number of all those.
    rows: the chosen rows.
    copies: for each transformation that suits them.
    left_out: the others -> why.
    """

    places: tuple[int, ...]
    all_rows: int
    rows: Rows
    copies: tuple[Copies, ...]
    left_out: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Hash of what is predicted, in order."""
        inputs = {each.transformation.name: [each.rows.inputs[i] for i in each.changed] for each in self.copies}
        return hashlib.sha256(json.dumps([self.places, inputs]).encode()).hexdigest()

    @property
    def changed(self) -> int:
        """Number of all changed rows."""
        return sum(len(each.changed) for each in self.copies)


def prepare(
    rows: Rows,
    task: Task,
    *,
    names: Sequence[str] | None = None,
    most: int = MOST_ROWS,
    seed: int = 0,
    backbones: Sequence[str] = (),
) -> Stressed:
    """Choose rows at random, and transform each in every way that suits them.

    Args:
        rows: all rows, with targets.
        task: of these rows; it need not be fitted.
        names: of transformations; None for all.
        most: number of rows.
        seed: of the choice and of the transformations.
        backbones: pretrained models, of which the first with a head for masked words gives substitutes of words.

    Raises:
        UsageError: no such transformation, or a task that is judged by likelihood.
    """
    if by_likelihood(task):
        raise UsageError("what transformations do is not measured where models are judged by likelihood; leave it out.")
    transformations = stress.load_all(names, _masked.first(backbones))
    places = _copies.sample(rows, most, seed)
    chosen = rows.take(places)
    made, left_out = _copies.copies(task, chosen, transformations, seed)
    return Stressed(tuple(places), len(rows), chosen, made, left_out)


def answers(fitted: Fitted, stressed: Stressed) -> dict[str, Predictions]:
    """Predict the rows that each transformation changes, equal inputs once."""
    inputs = {each.transformation.name: [each.rows.inputs[place] for place in each.changed] for each in stressed.copies}
    numbers: dict[str, int] = {}
    places = {
        name: [numbers.setdefault(json.dumps(value), len(numbers)) for value in values]
        for name, values in inputs.items()
    }
    if not numbers:
        return dict.fromkeys(inputs, Predictions(()))
    predictions = fitted.predict([json.loads(value) for value in numbers])
    return {name: take(predictions, own) for name, own in places.items()}


def result(
    contenders: Mapping[str, tuple[Predictions, Answers]], stressed: Stressed, task: Task, metric: Metric
) -> StressResult:
    """Compare each contender's answers before and after each transformation.

    Args:
        contenders: name -> predictions of the chosen rows as they are, and those of :func:`answers`.
        stressed: the rows.
        task: of these rows.
        metric: the score.
    """
    pairs = [
        _Pair(name, each, before, _spliced(before, after[each.transformation.name], each.changed), task, metric)
        for name, (before, after) in contenders.items()
        for each in stressed.copies
    ]
    scores = [pair.score() for pair in pairs]
    tested = [place for place, score in enumerate(scores) if score.p_value is not None]
    corrected = stats.holm([score.p_value for score in scores if score.p_value is not None])
    for place, p_value in zip(tested, corrected, strict=True):
        scores[place] = replace(scores[place], p_value=p_value)
    broken = [row for pair in pairs if (row := pair.broken()) is not None]
    used = {each.transformation.name: each.transformation for each in stressed.copies}
    return StressResult(
        rows=len(stressed.rows),
        all_rows=stressed.all_rows,
        scores=tuple(scores),
        broken=tuple(sorted(broken, key=lambda row: -row.confidence)),
        promises={name: each.promise for name, each in used.items()},
        expected={name: each.expected for name, each in used.items()},
        left_out=stressed.left_out,
    )


@dataclass(frozen=True)
class _Pair:
    """A contender's predictions of all chosen rows before and after a transformation."""

    contender: str
    copies: Copies
    before: Predictions
    after: Predictions
    task: Task
    metric: Metric

    @property
    def scored(self) -> bool:
        return self.copies.transformation.expected != "other"

    def score(self) -> StressScore:
        rows, changed = self.copies.rows, np.array(self.copies.changed, dtype=np.int64)
        targets = self.copies.original.targets
        loss, loss_of_changed, after = None, None, None
        p_value = None
        before = self.metric.of(self.task.tally(self.before, targets).total)
        if self.scored:
            after = float(self.metric.of(self.task.tally(self.after, rows.targets).total))
            loss = Interval(0.0, 0.0, 0.0)
            if len(changed):
                compared = self._compared(np.arange(len(rows)))
                loss, p_value = compared.difference, compared.p_value
            if len(changed) >= FEWEST_ROWS:
                loss_of_changed = self._compared(changed).difference
        errors = (self._calibration(self.before, targets), self._calibration(self.after, rows.targets))
        return StressScore(
            contender=self.contender,
            transformation=self.copies.transformation.name,
            rows=len(rows),
            changed=len(changed),
            altered=self._altered(),
            before=float(before),
            after=after,
            loss=loss,
            loss_of_changed=loss_of_changed,
            p_value=p_value,
            calibration_before=errors[0],
            calibration_after=errors[1] if self.scored else None,
        )

    def _compared(self, places: np.ndarray) -> stats.Comparison:
        """Compare the two scores of some rows, paired by rows."""
        before, after = self.copies.original.take(places), self.copies.rows.take(places)
        teams = [
            [self.task.tally(take(predictions, places), rows.targets)]
            for predictions, rows in ((self.before, before), (self.after, after))
        ]
        return stats.difference(stats.joint(teams, self.metric, groups=stats.group_numbers(before)), 0, 1)

    def _altered(self) -> float | None:
        if not self.copies.changed or self.task.kind in ("number", "facts"):
            return None
        return float(np.mean([self.before.values[i] != self.after.values[i] for i in self.copies.changed]))

    def _calibration(self, predictions: Predictions, targets: Sequence[str]) -> float | None:
        if self.task.kind != "label" or predictions.probabilities is None:
            return None
        return calibration.expected_error(predictions, targets)

    def broken(self) -> BrokenRow | None:
        """Return the row that was right and is wrong now with the most confidence; None if there is none."""
        rows = self.copies.original
        if (
            self.task.kind != "label"
            or self.after.probabilities is None
            or self.copies.transformation.expected != "same"
        ):
            return None
        wrong = [
            place
            for place in self.copies.changed
            if self.before.values[place] == rows.targets[place] != self.after.values[place]
        ]
        if not wrong:
            return None
        sure = confidence_of(self.after)
        place = max(wrong, key=lambda row: (float(sure[row]), -row))
        return BrokenRow(
            self.contender,
            self.copies.transformation.name,
            rows.ids[place],
            rows.targets[place],
            self.after.values[place],
            float(sure[place]),
            "\n".join(self.task.texts(rows.inputs[place])),
            "\n".join(self.task.texts(self.copies.rows.inputs[place])),
        )


def take(predictions: Predictions, places: Sequence[int] | np.ndarray) -> Predictions:
    """Return the predictions of some rows, in this order, without candidates and parts."""
    chosen = np.asarray(places, dtype=np.int64)
    return Predictions(
        tuple(predictions.values[place] for place in chosen),
        predictions.classes,
        None if predictions.probabilities is None else predictions.probabilities[chosen],
        confidence=None if predictions.confidence is None else predictions.confidence[chosen],
    )


def _spliced(before: Predictions, after: Predictions, places: Sequence[int]) -> Predictions:
    """Return the predictions of all rows, some of which have new ones."""
    values = list(before.values)
    for place, value in zip(places, after.values, strict=True):
        values[place] = value
    probabilities, confidence = before.probabilities, before.confidence
    if places and probabilities is not None and after.probabilities is not None:
        probabilities = probabilities.copy()
        probabilities[list(places)] = after.probabilities
    if places and confidence is not None and after.confidence is not None:
        confidence = confidence.copy()
        confidence[list(places)] = after.confidence
    return Predictions(tuple(values), before.classes, probabilities, confidence=confidence)
