from dataclasses import replace

import numpy as np
import pytest

from headstart.contest import rank
from headstart.core.records import Cost, Rows, Splits
from headstart.metrics import labels, stats
from headstart.tasks.classification import Classification

TASK = Classification()
ACCURACY = TASK.metrics[0]


def tallies(targets, seeds):
    return [labels.tally(targets, answers) for answers in seeds]


@pytest.fixture
def test_rows() -> Rows:
    labels_ = tuple(np.random.default_rng(0).choice(["bad", "good"], 400))
    return Rows(tuple(f"t:{i}" for i in range(400)), ("x",) * 400, labels_)


@pytest.fixture
def contest_splits(test_rows) -> Splits:
    empty = Rows((), (), ())
    return Splits(empty, empty, test_rows, frozenset(), "x")


@pytest.fixture
def make(make_record, test_rows):
    def made(contender: str, accuracy: float, seed: int = 0, **other):
        random = np.random.default_rng([seed, int(accuracy * 1000)])
        wrong = random.random(400) >= accuracy
        values = [{"bad": "good", "good": "bad"}[t] if w else t for t, w in zip(test_rows.targets, wrong, strict=True)]
        score = labels.score(test_rows.targets, values)["accuracy"]
        return make_record(contender, values, score=score, seed=seed, **other)

    return made


def test_best_first_with_ties_and_corrected_p_values(make, contest_splits, test_rows):
    records = [
        make(n, a, s) for n, a in (("low", 0.6), ("top", 0.901), ("near", 0.899), ("mid", 0.8)) for s in (0, 1, 2)
    ]
    standings = rank.rank(records, contest_splits, TASK, ACCURACY)
    assert {standings[0].contender, standings[1].contender} == {"top", "near"}
    assert [s.contender for s in standings[2:]] == ["mid", "low"]
    assert (standings[0].p_value, standings[0].difference, standings[0].ties) == (None, None, False)
    assert [s.ties for s in standings[1:]] == [True, False, False]
    answers = [
        [r.predictions.values for r in records if r.trial.contender == standing.contender] for standing in standings
    ]
    chances = stats.joint([tallies(test_rows.targets, team) for team in answers], ACCURACY)
    expected = stats.against_best(chances)
    assert [s.p_value for s in standings[1:]] == expected.p_values[1:].tolist()
    assert [s.difference for s in standings[1:]] == [stats.gap(chances, expected, 0, place) for place in (1, 2, 3)]
    for standing in standings:
        assert standing.score.low < standing.score.value < standing.score.high
        assert standing.score.value == pytest.approx(standing.scores["accuracy"])
        assert standing.seeds == 3


def test_only_trials_on_all_rows_count(make, contest_splits):
    records = [make("a", 0.7), make("a", 0.99, size=50), make("b", 0.99, size=50)]
    (only,) = rank.rank(records, contest_splits, TASK, ACCURACY)
    assert only.contender == "a"
    assert only.score.value == pytest.approx(records[0].scores["accuracy"])
    assert only.spread == 0.0
    assert rank.rank(records[1:], contest_splits, TASK, ACCURACY) == ()


def test_clean_score_leaves_out_leaked_rows(make, contest_splits, test_rows):
    record = make("a", 0.8)
    right = [i for i in range(400) if record.predictions.values[i] == test_rows.targets[i]]
    leaked = replace(contest_splits, leaked=frozenset(test_rows.ids[i] for i in right[:100]))
    (standing,) = rank.rank([record], leaked, TASK, ACCURACY)
    assert standing.clean.value == pytest.approx((len(right) - 100) / 300)
    assert rank.rank([record], contest_splits, TASK, ACCURACY)[0].clean is None
    everything = replace(contest_splits, leaked=frozenset(test_rows.ids))
    assert rank.rank([record], everything, TASK, ACCURACY)[0].clean is None


def test_cost_is_the_median_over_seeds(make, contest_splits):
    costs = [Cost(float(i), i, 7, 7, 100 + i, 1.0, 2.0, 3.0, 0.0) for i in (1, 2, 30)]
    records = [make("a", 0.8, seed, cost=cost) for seed, cost in enumerate(costs)]
    (standing,) = rank.rank(records, contest_splits, TASK, ACCURACY)
    assert standing.cost == Cost(2.0, 2, 7, 7, 102, 1.0, 2.0, 3.0, 0.0)
    assert isinstance(standing.cost.peak_bytes, int)
    assert standing.spread == pytest.approx(np.std([r.scores["accuracy"] for r in records], ddof=1))


def test_reliability_pools_the_seeds(make, test_rows):
    records = [make("a", 0.8, 0), make("a", 0.7, 1)]
    ((confidence, accuracy, rows),) = rank.reliability(records, test_rows)["a"]
    assert (confidence, rows) == (0.75, 800)
    assert accuracy == pytest.approx(np.mean([r.scores["accuracy"] for r in records]))
    bare = replace(records[0], predictions=replace(records[0].predictions, probabilities=None))
    assert rank.reliability([bare], test_rows) == {}


def test_who_builds_on_others_is_compared_with_them_and_with_the_linear_model(make, contest_splits, test_rows):
    def built(name, accuracy, seed, members, **options):
        record = make(name, accuracy, seed, options=options)
        return replace(record, trial=replace(record.trial, members=tuple(members)))

    records = []
    for seed in (0, 1):
        linear, full = make("linear", 0.7, seed), make("finetuned:full", 0.9, seed)
        members = [linear.trial, full.trial]
        records += [linear, full, built("ensemble", 0.91, seed, members, how="greedy")]
        records.append(built("distilled", 0.87, seed, members[1:], teacher="finetuned:full", student="4x256"))
        records.append(make("distilled:alone", 0.8, seed, options={"teacher": "none", "student": "4x256"}))
        records.append(make("distilled:2x128-alone", 0.8, seed, options={"teacher": "none", "student": "2x128"}))
    by_role = {(r.contender, r.role): r for r in rank.against_baselines(records, contest_splits, TASK, ACCURACY)}
    assert {key: r.other for key, r in by_role.items()} == {
        ("ensemble", "linear"): "linear",
        ("ensemble", "member"): "finetuned:full",
        ("distilled", "linear"): "linear",
        ("distilled", "teacher"): "finetuned:full",
        ("distilled", "alone"): "distilled:alone",
    }
    own, other = (
        [r.predictions.values for r in records if r.trial.contender == name] for name in ("distilled", "finetuned:full")
    )
    expected = stats.compare(tallies(test_rows.targets, own), tallies(test_rows.targets, other), ACCURACY)
    assert by_role["distilled", "teacher"].difference == expected.difference
    plain = {
        key: stats.compare(
            *(
                tallies(test_rows.targets, [r.predictions.values for r in records if r.trial.contender == name])
                for name in (key[0], comparison.other)
            ),
            ACCURACY,
        ).p_value
        for key, comparison in by_role.items()
    }
    assert {key: r.p_value for key, r in by_role.items()} == pytest.approx(
        dict(zip(plain, stats.holm(list(plain.values())), strict=True)), rel=0.5
    )
    assert by_role["distilled", "alone"].difference.value > 0 > by_role["distilled", "teacher"].difference.value


def test_the_member_to_measure_by_is_picked_on_validation(make, contest_splits):
    linear, full = make("linear", 0.7), make("finetuned:full", 0.9)
    linear = replace(linear, validation={"accuracy": 0.95})
    whole = make("ensemble", 0.91)
    whole = replace(whole, trial=replace(whole.trial, members=(linear.trial, full.trial)))
    (comparison,) = rank.against_baselines([linear, full, whole], contest_splits, TASK, ACCURACY)
    assert (comparison.other, comparison.role) == ("linear", "member")


def test_what_did_not_run_gives_no_comparison(make, contest_splits):
    record = make("ensemble", 0.9)
    built = replace(record, trial=replace(record.trial, members=(make("linear", 0.7).trial,)))
    assert rank.against_baselines([built, make("scratch", 0.8)], contest_splits, TASK, ACCURACY) == ()


def tied(make, name: str, validation: float, seconds: float, order=(0, 1, 2)):
    """Three trainings whose mean score is the same in any order but for the last bit."""
    scores = (0.7, 0.8, 0.85)
    cost = Cost(seconds, 1, 7, 7, 100, 1.0, 2.0, 3.0, 0.0)
    records = [make(name, scores[place], seed, cost=cost) for seed, place in enumerate(order)]
    values = [make("any", scores[place], place).predictions for place in order]
    return [
        replace(r, predictions=v, validation={"accuracy": validation}, scores=make("any", scores[place], place).scores)
        for r, v, place in zip(records, values, order, strict=True)
    ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_of_equal_scores_the_best_on_validation_wins_then_the_cheapest_then_the_first_by_name(
    make, contest_splits, order
):
    def first(*teams):
        orders = [
            rank.rank([r for team in some for r in team], contest_splits, TASK, ACCURACY)
            for some in (teams, teams[::-1])
        ]
        assert orders[0] == orders[1]
        assert orders[0][0] is rank.winner(orders[0])
        assert orders[0][1].ties
        assert orders[0][1].p_value == 1.0
        return rank.winner(orders[0]).contender

    assert first(tied(make, "a", 0.8, 1.0), tied(make, "b", 0.9, 9.0, order)) == "b"
    assert first(tied(make, "a", 0.8, 9.0), tied(make, "b", 0.8, 1.0, order)) == "b"
    assert first(tied(make, "b", 0.8, 1.0), tied(make, "a", 0.8, 1.0, order)) == "a"


def test_who_is_not_shown_to_beat_the_floor_says_so(make, contest_splits):
    records = [make(n, a) for n, a in (("majority", 0.5), ("weak", 0.52), ("linear", 0.8), ("full", 0.81))]
    assert {s.contender: s.above_floor for s in rank.rank(records, contest_splits, TASK, ACCURACY)} == {
        "full": True,
        "linear": True,
        "weak": False,
        "majority": False,
    }
    without = rank.rank(records[1:], contest_splits, TASK, ACCURACY)
    assert all(s.above_floor for s in without)
    alone = rank.rank(records[:2], contest_splits, TASK, ACCURACY)
    assert not any(s.above_floor for s in alone)


@pytest.mark.parametrize(("p_value", "ties"), [(None, False), (0.049, False), (0.051, True), (0.4, True)])
def test_a_difference_is_claimed_at_five_percent(p_value, ties):
    assert rank.Claim(p_value, None, True).ties == ties


def test_without_probabilities_there_is_no_calibration_error(make, contest_splits):
    record = make("a", 0.8)
    assert rank.rank([record], contest_splits, TASK, ACCURACY)[0].calibration_error == 0.1
    bare = replace(record, calibration={})
    assert rank.rank([bare], contest_splits, TASK, ACCURACY)[0].calibration_error is None
    assert rank.rank([bare, make("a", 0.8, 1)], contest_splits, TASK, ACCURACY)[0].calibration_error == 0.1
