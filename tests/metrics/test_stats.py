import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from headstart.core import tally
from headstart.core.errors import DataError, UsageError
from headstart.core.tally import Tally
from headstart.metrics import labels, numbers, stats


def tallies(targets, seeds) -> list[Tally]:
    return [labels.tally(list(targets), list(answers)) for answers in seeds]


def interval(targets, seeds, metric, **options):
    return stats.interval(tallies(targets, seeds), tally.named(labels.METRICS, metric), **options)


def joint(targets, teams, metric, **options):
    return stats.joint([tallies(targets, team) for team in teams], tally.named(labels.METRICS, metric), **options)


def compare(targets, first, second, metric):
    return stats.compare(tallies(targets, first), tallies(targets, second), tally.named(labels.METRICS, metric))


NAMES = [metric.name for metric in labels.METRICS]


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
        return {metric: float(np.mean([s[metric] for s in scores])) for metric in NAMES}

    resampled = [plain(random.integers(0, 600, 600)) for _ in range(150)]
    for metric, value in plain(np.arange(600)).items():
        got = interval(targets, seeds, metric, resamples=4000)
        assert got.value == pytest.approx(value)
        assert got.high - got.low == pytest.approx(3.92 * np.std([s[metric] for s in resampled]), rel=0.2), metric
        assert got.low < got.value < got.high


@pytest.mark.parametrize(("rows", "accuracy"), [(20, 0.97), (30, 0.9), (200, 0.8)])
def test_interval_covers_the_truth_as_often_as_it_says_also_on_small_test_sets(rows, accuracy):
    random = np.random.default_rng(rows)
    covered = 0
    for i in range(400):
        targets = some_targets(random, rows)
        estimate = interval(targets, [answers(random, targets, accuracy)], "accuracy", resamples=500, seed=i)
        covered += estimate.low <= accuracy <= estimate.high
    assert covered / 400 > 0.9


def test_interval_is_near_wilsons_when_every_answer_is_right():
    got = interval(["a", "b"] * 10, [["a", "b"] * 10], "accuracy")
    wilson = binomtest(20, 20).proportion_ci(method="wilson")
    assert got.high == 1.0
    assert got.low == pytest.approx(wilson.low, abs=0.1)


def made_contender(random: np.random.Generator, targets: np.ndarray, spread: float, seeds: int = 3) -> list[np.ndarray]:
    """Predictions of several trainings whose true accuracies scatter around 0.8 with standard deviation `spread`."""
    return [answers(random, targets, float(np.clip(random.normal(0.8, spread), 0, 1))) for _ in range(seeds)]


@pytest.mark.parametrize("spread", [0.0, 0.03])
def test_contenders_that_differ_by_training_variance_alone_are_rarely_called_different(spread):
    random = np.random.default_rng(5)
    false_alarms = 0
    for _ in range(150):
        targets = some_targets(random, 400)
        first, second = (made_contender(random, targets, spread) for _ in range(2))
        false_alarms += compare(targets, first, second, "accuracy").p_value < 0.05
    assert false_alarms / 150 < 0.09


def test_one_lucky_seed_does_not_win():
    random = np.random.default_rng(0)
    targets = some_targets(random, 5000)
    steady = [answers(random, targets, 0.80) for _ in range(3)]
    lucky = [answers(random, targets, accuracy) for accuracy in (0.80, 0.80, 0.90)]
    assert compare(targets, lucky, steady, "accuracy").p_value > 0.05
    assert compare(targets, lucky[2:], steady[:1], "accuracy").p_value < 0.01


def test_a_real_difference_is_seen_and_signed():
    random = np.random.default_rng(1)
    targets = some_targets(random, 1800)
    good, poor = ([answers(random, targets, accuracy) for _ in range(3)] for accuracy in (0.9, 0.82))
    compared = compare(targets, good, poor, "macro-F1")
    assert compared.p_value < 0.01
    assert 0 < compared.difference.low < compared.difference.value < compared.difference.high
    back = compare(targets, poor, good, "macro-F1")
    assert back.difference.value == pytest.approx(-compared.difference.value)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(0, 10**6))
def test_p_value_and_interval_say_the_same(rows, seed):
    random = np.random.default_rng(seed)
    targets = some_targets(random, rows)
    one, two = answers(random, targets, 0.9), answers(random, targets, 0.6)
    compared = compare(targets, [one], [two], "accuracy")
    outside = compared.difference.low > 0 or compared.difference.high < 0
    assert 0 < compared.p_value <= 1
    if abs(compared.p_value - 0.05) > 1e-6:
        assert outside == (compared.p_value < 0.05)


@pytest.mark.parametrize("rows", [12, 40])
def test_a_comparison_has_two_artificial_rows(rows):
    """Half a row is added to each of the four ways in which two answers are right or wrong (Agresti & Min 2005)."""
    targets = ["a", "b"] * (rows // 2)
    turned = {"a": "b", "b": "a"}
    for first_only, second_only in ((0, 0), (1, 0), (3, 1)):
        first, second = list(targets), list(targets)
        for place in range(first_only):
            second[place] = turned[second[place]]
        for place in range(first_only, first_only + second_only):
            first[place] = turned[first[place]]
        one, other = first_only + 0.5, second_only + 0.5
        expected = np.sqrt(one + other - (one - other) ** 2 / (rows + 2)) / (rows + 2)
        chances = joint(targets, [[first], [second]], "accuracy")
        assert chances.errors[0, 1] == pytest.approx(expected, rel=0.1), (first_only, second_only)


def test_simultaneous_p_values_are_raised():
    """Of two contenders there is one difference, whose chance is that of a normal distribution."""
    random = np.random.default_rng(9)
    targets = some_targets(random, 400)
    chances = joint(targets, [[answers(random, targets, accuracy)] for accuracy in (0.8, 0.79)], "accuracy")
    standings = stats.against_best(chances, draws=40_000)
    plain = stats.difference(chances, 0, 1).p_value
    assert 0.05 < plain < 0.6
    assert min(standings.p_values) == pytest.approx(1.5 * plain, rel=0.05)


def test_pairing_follows_mcnemars_exact_test():
    # 30 rows on which only the first is right, 12 on which only the second is, 358 on which they agree.
    targets = ["a"] * 400
    first = ["a"] * 30 + ["b"] * 12 + ["a"] * 358
    second = ["b"] * 30 + ["a"] * 12 + ["a"] * 358
    exact = binomtest(30, 42).pvalue
    assert compare(targets, [first], [second], "accuracy").p_value == pytest.approx(exact, abs=0.008)


def test_same_seed_same_interval_and_any_order_of_rows():
    random = np.random.default_rng(2)
    targets = some_targets(random, 100)
    guess, order = answers(random, targets, 0.7), random.permutation(100)
    once = interval(targets, [guess], "macro-F1", resamples=300)
    assert once == interval(targets, [guess], "macro-F1", resamples=300)
    assert once == interval(targets[order], [guess[order]], "macro-F1", resamples=300)


def test_covariances_are_those_of_a_plain_bootstrap_over_rows():
    random = np.random.default_rng(4)
    targets = some_targets(random, 400)
    teams = [[answers(random, targets, accuracy)] for accuracy in (0.85, 0.7)]

    def plain(rows: np.ndarray) -> list[dict[str, float]]:
        return [labels.score(list(targets[rows]), list(answer[rows])) for (answer,) in teams]

    drawn, observed = [plain(random.integers(0, 400, 400)) for _ in range(60)], plain(np.arange(400))
    for metric in NAMES:
        chances = joint(targets, teams, metric)
        scores = np.array([[scored[metric] for scored in pair] for pair in drawn])
        assert chances.scores == pytest.approx([scored[metric] for scored in observed])
        assert np.sqrt(chances.rows.diagonal()) == pytest.approx(scores.std(axis=0), rel=0.35), metric
        assert chances.errors[0, 1] == pytest.approx((scores[:, 0] - scores[:, 1]).std(), rel=0.35), metric


def test_training_variance_is_the_spread_over_seeds_beyond_that_of_the_rows():
    random = np.random.default_rng(6)
    targets = some_targets(random, 20_000)
    teams = [made_contender(random, targets, 0.02, seeds=8) for _ in range(6)]
    chances = joint(targets, teams, "accuracy")
    assert chances.training_variance.mean() == pytest.approx(0.02**2 / 8, rel=0.4)
    assert chances.freedom > 7  # more than each has alone
    alone = joint(targets, [team[:1] for team in teams], "accuracy")
    assert not alone.training_variance.any()


def test_an_unsteady_contender_is_not_lent_the_steadiness_of_the_others():
    random = np.random.default_rng(7)
    targets = some_targets(random, 20_000)
    steady = [made_contender(random, targets, 0.001, seeds=5) for _ in range(4)]
    chances = joint(targets, [*steady, made_contender(random, targets, 0.08, seeds=5)], "accuracy")
    assert chances.training_variance[-1] > 10 * chances.training_variance[:-1].max()
    assert chances.freedom < 10


def test_seeds_that_all_answer_alike_add_no_variance():
    random = np.random.default_rng(8)
    targets = some_targets(random, 5000)
    same = [answers(random, targets, 0.8)] * 3
    teams = [made_contender(random, targets, 0.02) for _ in range(3)]
    with_it, without = (joint(targets, t, "accuracy") for t in ([*teams, same], teams))
    assert with_it.training_variance[-1] == 0
    assert with_it.training_variance[:-1] == pytest.approx(without.training_variance)


def test_one_class_and_equal_answers_give_no_claim():
    one = joint(["a"] * 30, [[["a"] * 30], [["a"] * 30]], "macro-F1")
    assert stats.against_best(one).p_values.tolist() == [1.0, 1.0]


def many_equal(
    random: np.random.Generator, contenders: int, rows: int = 300
) -> tuple[list[str], list[list[list[str]]]]:
    """Contenders of one true accuracy, whose answers are correlated by how hard a row is."""
    targets = random.choice(["a", "b"], rows)
    hard = 0.7 * random.standard_normal(rows)
    wrong = [hard + 0.7 * random.standard_normal(rows) > 0.85 for _ in range(contenders)]
    return targets.tolist(), [[np.where(w, np.where(targets == "a", "b", "a"), targets).tolist()] for w in wrong]


def test_among_equal_contenders_hardly_any_is_called_behind_the_best():
    random = np.random.default_rng(11)
    false_claims = before = 0
    for _ in range(200):
        chances = joint(*many_equal(random, 9), "accuracy")
        false_claims += stats.against_best(chances, draws=1000).p_values.min() <= 0.05
        leader = int(chances.scores.argmax())
        against_leader = [stats.difference(chances, leader, other).p_value for other in range(9) if other != leader]
        before += min(stats.holm(against_leader)) <= 0.05
    assert false_claims / 200 <= 0.05
    assert before / 200 > 0.08  # what comes of taking the winner for one named beforehand


def test_whoever_is_worse_is_called_behind_and_all_intervals_hold_at_once():
    random = np.random.default_rng(12)
    targets = some_targets(random, 2000)
    true = (0.85, 0.85, 0.84, 0.7, 0.6)
    teams = [[answers(random, targets, accuracy).tolist()] for accuracy in true]
    chances = joint(targets.tolist(), teams, "accuracy")
    standings = stats.against_best(chances)
    assert (standings.p_values <= 0.05).tolist() == [False, False, False, True, True]
    assert (standings.pairs[3:, :3] <= 0.05).all()
    assert (standings.pairs[:3] > 0.05).all()
    leader = int(chances.scores.argmax())
    for other in range(5):
        gap = stats.gap(chances, standings, leader, other)
        assert (gap.low >= 0) == (standings.p_values[other] <= 0.05)
        assert gap.low <= true[leader] - true[other] <= gap.high
        pair = stats.difference(chances, leader, other).difference
        assert gap.high >= pair.high


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 7), st.integers(3, 80), st.integers(0, 10**6))
def test_simultaneous_p_values_follow_their_definition(contenders, rows, seed):
    chances = joint(*many_equal(np.random.default_rng(seed), contenders, rows), "accuracy")
    got = stats.against_best(chances, draws=400, seed=3)
    drawn, errors = stats._draw(chances, 400, 3), chances.errors
    left, running = list(range(contenders)), 0.0
    while len(left) > 1:
        distances, by_chance, below = [], [], {}
        for i in left:
            others = [j for j in left if j != i]
            weights = np.zeros(contenders)
            weights[i], weights[others] = 1, -1 / len(others)
            error = np.sqrt(weights @ chances.rows @ weights)
            below[i] = (chances.scores[i] - chances.scores[others].mean()) / error
            distances += [abs(below[i]), *((chances.scores[j] - chances.scores[i]) / errors[i, j] for j in others)]
            by_chance += [np.abs(drawn[i] - drawn[others].mean(axis=0)) / error]
            by_chance += [np.abs(drawn[i] - drawn[j]) / errors[i, j] for j in others]
        loser, distance = min(left, key=lambda i: (round(below[i], 9), i)), max(distances)
        largest = np.max(by_chance, axis=0)
        running = max(running, min(1.0, stats._CAUTION * (1 + (largest >= distance).sum()) / 401))
        if distance > 1e-9:
            assert got.p_values[loser] == pytest.approx(running)
        left.remove(loser)
    assert got.p_values[left[0]] == 1.0


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_follows_its_definition(p_values):
    got = stats.holm(p_values)
    ordered = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for rank, index in enumerate(ordered):
        steps = [(len(p_values) - j) * p_values[ordered[j]] for j in range(rank + 1)]
        assert got[index] == pytest.approx(min(1.0, max(steps)))


def test_holm_on_the_example_of_the_textbooks():
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_lengths_must_match():
    one, two = labels.tally(["a"], ["a"]), labels.tally(["a", "b"], ["a", "b"])
    for tallies in ([], [one, two]):
        with pytest.raises(DataError, match="resampling needs equal numbers"):
            stats.interval(tallies, labels.METRICS[0])


def test_unknown_metric():
    with pytest.raises(UsageError, match="no metric 'acuracy'"):
        interval(["a"], [["a"]], "acuracy")


def test_groups_that_repeat_a_row_say_no_more_than_the_row():
    random = np.random.default_rng(9)
    targets = some_targets(random, 300)
    teams = [[answers(random, targets, accuracy)] for accuracy in (0.85, 0.8)]
    groups = np.repeat(np.arange(300), 4)
    rows, repeated = joint(targets, teams, "macro-F1"), [[np.repeat(seed, 4) for seed in team] for team in teams]
    clusters = joint(np.repeat(targets, 4), repeated, "macro-F1", groups=groups)
    assert clusters.scores == pytest.approx(rows.scores)
    assert clusters.errors[0, 1] == pytest.approx(rows.errors[0, 1], rel=0.01)
    plain = joint(np.repeat(targets, 4), repeated, "macro-F1")
    assert plain.errors[0, 1] < 0.6 * clusters.errors[0, 1]
    alone = interval(targets, teams[0], "macro-F1")
    together = interval(np.repeat(targets, 4), repeated[0], "macro-F1", groups=groups)
    assert together.high - together.low == pytest.approx(alone.high - alone.low, rel=0.05)


@pytest.mark.parametrize("count", [12, 60])
def test_intervals_over_groups_cover_the_truth_where_rows_of_a_group_share_their_difficulty(count):
    random = np.random.default_rng(count)
    covered = false_claims = 0
    for i in range(200):
        groups = np.repeat(np.arange(count), 10)
        targets = random.choice(["a", "b"], len(groups))
        other = np.where(targets == "a", "b", "a")
        # Each contender's accuracy on a group's rows is that group's own, 0.8 on the mean.
        models = [np.where(random.random(len(groups)) < random.beta(4, 1, count)[groups], targets, other) for _ in "xy"]
        found = interval(targets, models[:1], "accuracy", groups=groups, resamples=500, seed=i)
        covered += found.low <= 0.8 <= found.high
        false_claims += (
            stats.difference(joint(targets, [[m] for m in models], "accuracy", groups=groups), 0, 1).p_value < 0.05
        )
    assert covered / 200 > 0.9
    assert false_claims / 200 < 0.08


def test_where_lower_is_better_the_better_contender_is_ahead():
    random = np.random.default_rng(10)
    targets = random.normal(size=200)
    near, far = (numbers.tally(targets, targets + random.normal(0, error, 200)) for error in (0.5, 1.0))
    rmse = tally.named(numbers.METRICS, "RMSE")
    found = stats.compare([near], [far], rmse)
    assert found.difference.low > 0
    assert found.p_value < 0.001
    assert stats.interval([near], rmse).value == pytest.approx(0.5, rel=0.2)


def test_rows_and_groups_must_match():
    with pytest.raises(DataError, match="resampling needs equal numbers"):
        joint(["a", "b"], [[["a", "b"]]], "accuracy", groups=np.array([0]))
