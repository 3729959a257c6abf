import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from headstart.core.errors import DataError, UsageError
from headstart.metrics import labels, stats


def answers(random: np.random.Generator, targets: np.ndarray, accuracy: float) -> np.ndarray:
    """Predict right with this probability, else another of the classes a, b, c."""
    wrong = np.array([{"a": "b", "b": "c", "c": "a"}[t] for t in targets])
    return np.where(random.random(len(targets)) < accuracy, targets, wrong)


def some_targets(random: np.random.Generator, rows: int) -> np.ndarray:
    return random.choice(list("abc"), rows, p=[0.6, 0.3, 0.1])


def test_interval_agrees_with_a_plain_bootstrap_over_rows():
    random = np.random.default_rng(3)
    targets = some_targets(random, 600)
    seeds = [answers(random, targets, 0.8) for _ in range(2)]

    def plain(rows: np.ndarray) -> dict[str, float]:
        scores = [labels.score(list(targets[rows]), list(answer[rows])) for answer in seeds]
        return {metric: float(np.mean([s[metric] for s in scores])) for metric in labels.METRICS}

    resampled = [plain(random.integers(0, 600, 600)) for _ in range(150)]
    for metric, value in plain(np.arange(600)).items():
        got = stats.interval(targets, seeds, metric, resamples=4000)
        assert got.value == pytest.approx(value)
        assert got.high - got.low == pytest.approx(3.92 * np.std([s[metric] for s in resampled]), rel=0.2), metric
        assert got.low < got.value < got.high


@pytest.mark.parametrize(("rows", "accuracy"), [(20, 0.97), (30, 0.9), (200, 0.8)])
def test_interval_covers_the_truth_as_often_as_it_says_also_on_small_test_sets(rows, accuracy):
    random = np.random.default_rng(rows)
    covered = 0
    for i in range(150):
        targets = some_targets(random, rows)
        found = stats.interval(targets, [answers(random, targets, accuracy)], "accuracy", resamples=500, seed=i)
        covered += found.low <= accuracy <= found.high
    assert covered / 150 > 0.9


def test_interval_is_near_wilsons_when_every_answer_is_right():
    got = stats.interval(["a", "b"] * 10, [["a", "b"] * 10], "accuracy")
    wilson = binomtest(20, 20).proportion_ci(method="wilson")
    assert got.high == 1.0
    assert got.low == pytest.approx(wilson.low, abs=0.1)


def made_contender(random: np.random.Generator, targets: np.ndarray, luck: float, seeds: int = 3) -> list[np.ndarray]:
    """Predictions of several trainings whose true accuracies scatter around 0.8 with standard deviation `luck`."""
    return [answers(random, targets, float(np.clip(random.normal(0.8, luck), 0, 1))) for _ in range(seeds)]


@pytest.mark.parametrize("luck", [0.0, 0.03])
def test_contenders_that_differ_by_luck_alone_are_rarely_told_apart(luck):
    random = np.random.default_rng(5)
    false_alarms = 0
    for i in range(150):
        targets = some_targets(random, 400)
        first, second = (made_contender(random, targets, luck) for _ in range(2))
        false_alarms += stats.compare(targets, first, second, "accuracy", resamples=500, seed=i).p_value < 0.05
    assert false_alarms / 150 < 0.09


def test_one_lucky_seed_does_not_win():
    random = np.random.default_rng(0)
    targets = some_targets(random, 5000)
    steady = [answers(random, targets, 0.80) for _ in range(3)]
    lucky = [answers(random, targets, accuracy) for accuracy in (0.80, 0.80, 0.90)]
    assert stats.compare(targets, lucky, steady, "accuracy").p_value > 0.05
    assert stats.compare(targets, lucky[2:], steady[:1], "accuracy").p_value < 0.01


def test_a_real_difference_is_seen_and_signed():
    random = np.random.default_rng(1)
    targets = some_targets(random, 1800)
    good, poor = ([answers(random, targets, accuracy) for _ in range(3)] for accuracy in (0.9, 0.82))
    found = stats.compare(targets, good, poor, "macro-F1")
    assert found.p_value < 0.01
    assert 0 < found.difference.low < found.difference.value < found.difference.high
    back = stats.compare(targets, poor, good, "macro-F1")
    assert back.difference.value == pytest.approx(-found.difference.value)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10**6))
def test_p_value_and_interval_say_the_same(rows, seed):
    random = np.random.default_rng(seed)
    targets = some_targets(random, rows)
    one, two = answers(random, targets, 0.9), answers(random, targets, 0.6)
    found = stats.compare(targets, [one], [two], "accuracy", resamples=2000)
    outside = found.difference.low > 0 or found.difference.high < 0
    assert 0 < found.p_value <= 1
    if abs(found.p_value - 0.05) > 0.01:
        assert outside == (found.p_value < 0.05)


def test_pairing_follows_mcnemars_exact_test():
    # 30 rows on which only the first is right, 12 on which only the second is, 358 on which they agree.
    targets = ["a"] * 400
    first = ["a"] * 30 + ["b"] * 12 + ["a"] * 358
    second = ["b"] * 30 + ["a"] * 12 + ["a"] * 358
    exact = binomtest(30, 42).pvalue
    assert stats.compare(targets, [first], [second], "accuracy").p_value == pytest.approx(exact, abs=0.008)


def test_same_seed_same_interval_and_any_order_of_rows():
    random = np.random.default_rng(2)
    targets = some_targets(random, 100)
    guess, order = answers(random, targets, 0.7), random.permutation(100)
    once = stats.interval(targets, [guess], "macro-F1", resamples=300)
    assert once == stats.interval(targets, [guess], "macro-F1", resamples=300)
    assert once == stats.interval(targets[order], [guess[order]], "macro-F1", resamples=300)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_follows_its_definition(p_values):
    got = stats.holm(p_values)
    ordered = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for rank, index in enumerate(ordered):
        steps = [(len(p_values) - j) * p_values[ordered[j]] for j in range(rank + 1)]
        assert got[index] == pytest.approx(min(1.0, max(steps)))


def test_holm_on_the_example_of_the_textbooks():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


@pytest.mark.parametrize(("targets", "seeds"), [([], [[]]), (["a"], []), (["a"], [["a", "b"]])])
def test_lengths_must_match(targets, seeds):
    with pytest.raises(DataError, match="resampling needs equal numbers"):
        stats.interval(targets, seeds, "accuracy")


def test_unknown_metric():
    with pytest.raises(UsageError, match="no metric 'acuracy'"):
        stats.interval(["a"], [["a"]], "acuracy")
