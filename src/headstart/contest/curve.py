"""Learning curves, and label equivalents computed from them: how many labels a head start is worth."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression

from headstart.core import seed
from headstart.core.records import Record
from headstart.core.results import CurvePoint, Equivalent, Interval
from headstart.core.tally import Metric

RIVALS = ("scratch", "linear")
RESAMPLES = 1000

# size -> one score per seed, sizes ascending
Curve = dict[int, list[float]]


def curve(records: Sequence[Record], metric: Metric) -> tuple[CurvePoint, ...]:
    """Return each contender's mean score at each number of training rows, with the lowest and highest seed."""
    return tuple(
        CurvePoint(contender, size, statistics.fmean(scores), min(scores), max(scores), len(scores))
        for contender, points in _curves(records, metric).items()
        for size, scores in points.items()
    )


def equivalents(records: Sequence[Record], metric: Metric) -> tuple[Equivalent, ...]:
    """Estimate how many labels `scratch` and `linear` would need to reach what each pretrained contender reaches.

    A rival's curve is interpolated linearly in the logarithm of the number of labels, after an isotonic fit (least
    squares): more labels are assumed never to hurt, and dips are noise. A running maximum would take every fortunate
    subset for the truth. The interval is the 95 % percentile interval over resampled seeds of both; an end that the
    rival's curve does not reach is infinite. An estimate at the rival's smallest size means 'at most'.

    Args:
        records: trials of at least two sizes for a rival; others are ignored. Pretrained contenders are those whose
            options name a backbone.
        metric: the score.
    """
    curves = _curves(records, metric)
    pretrained = {record.trial.contender for record in records if "backbone" in record.trial.options}
    return tuple(
        _equivalent(rival, curves[rival], reference, size, scores, metric.sign)
        for reference, points in curves.items()
        if reference in pretrained
        for rival in RIVALS
        if len(curves.get(rival, {})) > 1
        for size, scores in points.items()
    )


def worth(records: Sequence[Record], metric: Metric, rival: str, reference: str) -> Equivalent | None:
    """Estimate how many labels a rival would need to reach what another contender reaches with all rows.

    None if the rival was run with one number of rows only.
    """
    curves = _curves(records, metric)
    size = max(curves[reference])
    if len(curves[rival]) < 2:
        return None
    return _equivalent(rival, curves[rival], reference, size, curves[reference][size], metric.sign)


def labels_for(score: float, points: dict[int, float]) -> float:
    """Return the number of labels at which a curve reaches a score; infinity if it does not.

    >>> round(labels_for(0.75, {100: 0.7, 10_000: 0.8}))
    1000
    >>> labels_for(0.9, {100: 0.7, 10_000: 0.8})
    inf
    """
    sizes = sorted(points)
    logs = np.log(sizes)
    fitted = IsotonicRegression().fit_transform(logs, [points[size] for size in sizes])
    if score > fitted[-1]:
        return math.inf
    place = int(np.searchsorted(fitted, score))
    if place == 0:
        return float(sizes[0])
    share = (score - fitted[place - 1]) / (fitted[place] - fitted[place - 1])
    return float(np.exp(logs[place - 1] + share * (logs[place] - logs[place - 1])))


def _equivalent(rival: str, points: Curve, reference: str, size: int, scores: list[float], sign: int) -> Equivalent:
    """Read a rival's curve at the reference's score.

    Args:
        sign: 1 where higher is better, else -1.
    """
    mean = statistics.fmean(scores)
    points = {rows: [sign * value for value in values] for rows, values in points.items()}
    scores = [sign * value for value in scores]
    score = statistics.fmean(scores)
    needed = labels_for(score, {rows: statistics.fmean(values) for rows, values in points.items()})
    beyond = max(points)
    labels = None
    if math.isfinite(needed):
        random = seed.generator(0, "label equivalents", rival, reference, size)
        drawn = sorted(
            labels_for(_redraw(scores, random), {rows: _redraw(values, random) for rows, values in points.items()})
            for _ in range(RESAMPLES if len(scores) > 1 else 1)
        )
        low, high = drawn[int(0.025 * len(drawn))], drawn[math.ceil(0.975 * len(drawn)) - 1]
        labels = Interval(needed, min(low, needed), max(high, needed))
    return Equivalent(rival, reference, size, mean, labels, beyond)


def _redraw(scores: list[float], random: np.random.Generator) -> float:
    """Return the mean of as many scores drawn with replacement."""
    return float(np.mean(random.choice(scores, size=len(scores))))


def _curves(records: Sequence[Record], metric: Metric) -> dict[str, Curve]:
    """Group scores by contender and by training rows, sizes ascending."""
    grouped: dict[str, Curve] = {}
    for record in sorted(records, key=lambda record: (record.train_rows, record.trial.seed)):
        points = grouped.setdefault(record.trial.contender, {})
        points.setdefault(record.train_rows, []).append(record.scores[metric.name])
    return grouped
