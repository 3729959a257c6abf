import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.contest.curve import curve, equivalents, labels_for
from headstart.tasks.classification import Classification

ACCURACY = Classification().metrics[0]


@pytest.fixture
def records(make_record):
    def made(scores: dict[str, dict[int, list[float]]]):
        return [
            make_record(
                name,
                ["good"],
                score=score,
                size=None if rows == 1000 else rows,
                seed=seed,
                train_rows=rows,
                options={"backbone": "b"} if name.startswith("finetuned") else {},
            )
            for name, points in scores.items()
            for rows, values in points.items()
            for seed, score in enumerate(values)
        ]

    return made


def test_points_are_means_with_the_lowest_and_highest_seed(records):
    (small, large) = curve(records({"linear": {100: [0.6, 0.7, 0.8], 1000: [0.9]}}), ACCURACY)
    assert (small.size, small.low, small.high, small.seeds) == (100, 0.6, 0.8, 3)
    assert small.score == pytest.approx(0.7)
    assert (large.size, large.score, large.seeds) == (1000, 0.9, 1)


def test_label_equivalents_are_interpolated_on_the_logarithm(records):
    made = records({"finetuned:full": {10: [0.75], 1000: [0.9]}, "scratch": {100: [0.7], 1000: [0.8]}})
    small, large = equivalents(made, ACCURACY)
    assert (small.contender, small.reference, small.size, small.beyond) == ("scratch", "finetuned:full", 10, 1000)
    assert small.labels.value == pytest.approx(10**2.5)
    assert small.labels.low == small.labels.high == small.labels.value
    assert large.labels is None  # more than 1,000


def test_the_interval_widens_with_the_seeds(records):
    made = records(
        {
            "finetuned:full": {10: [0.74, 0.75, 0.76]},
            "scratch": {100: [0.69, 0.7, 0.71], 1000: [0.8, 0.8, 0.8]},
        }
    )
    (equivalent,) = equivalents(made, ACCURACY)
    assert equivalent.labels.low < equivalent.labels.value < equivalent.labels.high < 1000


def test_an_end_that_is_not_reached_is_infinite(records):
    made = records({"finetuned:full": {10: [0.77, 0.79, 0.9]}, "linear": {100: [0.6] * 3, 1000: [0.83] * 3}})
    (equivalent,) = equivalents(made, ACCURACY)
    assert math.isfinite(equivalent.labels.value)
    assert equivalent.labels.high == math.inf


def test_what_the_smallest_size_reaches_is_read_as_at_most(records):
    made = records({"finetuned:full": {10: [0.5]}, "linear": {100: [0.7], 1000: [0.8]}})
    assert equivalents(made, ACCURACY)[0].labels.value == 100


def test_a_rival_with_one_size_and_contenders_without_backbone_are_passed_over(records):
    assert equivalents(records({"finetuned:full": {10: [0.7]}, "linear": {1000: [0.8]}}), ACCURACY) == ()
    assert equivalents(records({"scratch": {10: [0.7]}, "linear": {100: [0.7], 1000: [0.8]}}), ACCURACY) == ()


@given(
    st.dictionaries(st.integers(1, 10**5), st.floats(0, 1), min_size=1, max_size=6),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_higher_score_never_needs_fewer_labels(points, one, two):
    low, high = sorted([one, two])
    few, many = labels_for(low, points), labels_for(high, points)
    assert few <= many * (1 + 1e-9)
    assert math.isinf(many) or min(points) * (1 - 1e-9) <= many <= max(points) * (1 + 1e-9)


def test_a_dip_is_taken_for_noise():
    dipping = {100: 0.7, 300: 0.8, 1000: 0.74, 3000: 0.9}
    assert 100 < labels_for(0.76, dipping) < 3000
    assert labels_for(0.77, dipping) == pytest.approx(300, rel=1e-6)
    assert np.isinf(labels_for(0.91, dipping))
