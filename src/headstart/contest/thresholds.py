"""Thresholds of classes: chosen on validation rows for the deciding score, and used if that helps beyond noise.

For accuracy the most probable label is best, and for a cost that of the lowest expected cost, as far as probabilities
are right. A macro-F1 or a correlation may ask for other labels, above all where classes are of different size.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from headstart.core.contracts import Fitted, class_numbers
from headstart.core.records import Predictions, Rows
from headstart.core.rooms import Signed
from headstart.core.tally import named
from headstart.metrics import stats, thresholds
from headstart.tasks.classification import Classification

FOLDS = 5
MOST_CLASSES = 100
NEEDS_NONE = "accuracy"


def chosen(fitted: Fitted, validation: Rows, metric: str) -> Fitted:
    """Return a model with the thresholds that validation rows ask for; itself if there is no evidence that they help.

    The evidence is cross-fitted: the thresholds of four fifths of the rows label the others, in turn. What all rows
    gain by these labels must be above 0 in 97.5 % of resamples; a group counts as one row.

    Args:
        fitted: a model that was not trained on these rows, with its temperature.
        validation: labelled rows; those of unknown classes are left out.
        metric: name of the deciding score.
    """
    task = fitted.task
    if not fitted.has_thresholds or not isinstance(task, Classification) or metric == NEEDS_NONE:
        return fitted
    numbers = class_numbers(task.classes, validation.targets)
    rows = validation.take(np.flatnonzero(numbers >= 0).tolist())
    groups = stats.group_numbers(rows)
    units = np.arange(len(rows)) if groups is None else groups
    count = int(units.max(initial=-1)) + 1
    if count < FOLDS or not 2 <= len(task.classes) <= MOST_CLASSES:
        return fitted
    score = named(task.metrics, metric)
    predictions = fitted.predict(rows.inputs)
    assert predictions.probabilities is not None  # as all models give them for labels
    merits, numbers = task.merits(predictions.probabilities), numbers[numbers >= 0]
    truths, labels = zip(*product(task.classes, task.classes), strict=True)
    sums = task.tally(Predictions(labels), truths).rows
    fold = np.random.default_rng(0).permutation(count)[units] % FOLDS
    labelled = np.empty(len(rows), dtype=np.int64)
    for held_out in range(FOLDS):
        inside, outside = fold == held_out, fold != held_out
        offsets = thresholds.best(merits[outside], numbers[outside], sums, score)
        labelled[inside] = (merits[inside] + offsets).argmax(axis=1)
    values = tuple(task.classes[number] for number in labelled)
    tallies = [task.tally(given, rows.targets) for given in (Predictions(values), predictions)]
    if not thresholds.better(tallies[0], tallies[1], score, groups):
        return fitted
    offsets = thresholds.best(merits, numbers, sums, score)
    return replace(fitted, task=replace(task, offsets=tuple(map(Signed, offsets.tolist()))))
