"""Offsets of classes: the sweep finds the best ones, by any score of labels."""

from itertools import product

import numpy as np
import pytest

from headstart.core.costs import Costs
from headstart.metrics import costs, labels, thresholds

NAMES = ("a", "b", "c")


def sums_of(names, tally=labels.tally):
    truths, given = zip(*product(names, names), strict=True)
    return tally(truths, given).rows


def score(metric, names, numbers, chosen, tally=labels.tally):
    counted = tally([names[number] for number in numbers], [names[number] for number in chosen])
    return float(metric.of(counted.total))


@pytest.fixture
def two(rng):
    """Merits of two classes of which one is rare, and the classes of the rows."""
    numbers = (rng.random(200) < 0.15).astype(int)
    shares = np.clip(0.15 + 0.2 * numbers + rng.normal(0, 0.1, 200), 0.01, 0.49)
    return np.log(np.column_stack([1 - shares, shares])), numbers


@pytest.mark.parametrize("metric", labels.METRICS, ids=lambda metric: metric.name)
def test_of_two_classes_no_threshold_is_better(metric, two):
    merits, numbers = two
    offsets = thresholds.best(merits, numbers, sums_of(NAMES[:2]), metric)
    found = score(metric, NAMES, numbers, (merits + offsets).argmax(axis=1))
    odds = merits[:, 1] - merits[:, 0]
    every = [score(metric, NAMES, numbers, (odds > limit).astype(int)) for limit in [-99, *odds]]
    assert found == pytest.approx(max(every))
    assert offsets.sum() == pytest.approx(0)


@pytest.mark.parametrize("metric", labels.METRICS, ids=lambda metric: metric.name)
def test_of_several_classes_the_score_rises_and_is_that_of_the_labels(metric, rng):
    numbers = rng.choice(3, 150, p=[0.7, 0.2, 0.1])
    merits = np.eye(3)[numbers] + rng.normal(0, 0.8, (150, 3)) + [1.0, 0.0, 0.0]
    offsets = thresholds.best(merits, numbers, sums_of(NAMES), metric)
    before, after = (score(metric, NAMES, numbers, each.argmax(axis=1)) for each in (merits, merits + offsets))
    assert after > before


def test_costs_and_rows_of_equal_merits(rng):
    known = Costs(NAMES[:2], (0, 1, 30, 0))

    def tally(targets, given):
        return costs.tally(targets, given, known)

    merits = np.repeat(np.log([[0.9, 0.1], [0.95, 0.05]]), 20, axis=0)
    numbers = np.tile([0] * 9 + [1], 4)
    offsets = thresholds.best(merits, numbers, sums_of(NAMES[:2], tally), costs.METRICS[0])
    assert (merits + offsets).argmax(axis=1).tolist() == [
        1
    ] * 40  # all, as missing one in ten costs 3, and calling all 0.9


def test_what_is_best_already_has_no_offsets():
    merits, numbers = np.log([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])
    assert thresholds.best(merits, numbers, sums_of(NAMES[:2]), labels.METRICS[1]).tolist() == [0, 0]


def test_few_of_many_cuts_are_tried(two, monkeypatch):
    monkeypatch.setattr(thresholds, "MOST_CUTS", 8)
    merits, numbers = two
    metric = labels.METRICS[1]
    offsets = thresholds.best(merits, numbers, sums_of(NAMES[:2]), metric)
    before, after = (score(metric, NAMES, numbers, each.argmax(axis=1)) for each in (merits, merits + offsets))
    assert after > before
