from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headstart.contest.rank import winner
from headstart.core.contracts import Kind
from headstart.core.records import Audit, Cost, Finding
from headstart.core.results import CurvePoint, Equivalent, Interval, Standing
from headstart.metrics.labels import METRICS
from headstart.report._head_start import labels_range
from headstart.report._head_start import sentence as head_start
from headstart.report.wording import behind, cheapest, verdict

COST = Cost(100.0, 1, 1, 1, 90_000_000, 6.0, 8.0, 200.0, 0.0)
CHEAP = Cost(4.0, 1, 1, 1, 4_500_000, 0.5, 0.6, 9000.0, 0.0)
NOTHING = Audit({}, {}, ())


def standing(
    name: str, score: float, ties: bool = False, cost: Cost = COST, seeds: int = 3, half: float = 0.01
) -> Standing:
    gap = Interval(0.05, 0.03, 0.07)
    interval = Interval(score, score - half, score + half)
    return Standing(name, interval, 0.004, seeds, 0.3 if ties else 0.001, gap, ties, None, {}, 0.02, cost)


def verdict_of(
    standings: Sequence[Standing],
    curve: Sequence[CurvePoint] = (),
    equivalents: Sequence[Equivalent] = (),
    audit: Audit = NOTHING,
    skipped: dict[str, str] | None = None,
    kind: Kind = "label",
) -> tuple[str, ...]:
    return verdict(
        standings,
        curve,
        equivalents,
        audit,
        metric=METRICS[0],
        kind=kind,
        train_rows=1600,
        test_rows=1821,
        skipped=skipped or {},
    )


def equivalent(size: int, labels: Interval | None, contender: str = "scratch") -> Equivalent:
    return Equivalent(contender, "finetuned:full", size, 0.8, labels, 2240)


FULL = standing("finetuned:full", 0.912)


def test_the_winner_comes_first_with_its_interval_and_test_size() -> None:
    first = verdict_of([FULL, standing("linear", 0.862, cost=CHEAP)])[0]
    assert first == (
        "finetuned:full is the best: accuracy 91.2 % (95 % interval 90.2 to 92.2 %) on 1,821 test texts, "
        "the mean of 3 seeds."
    )


def test_ties_are_no_evidence_of_a_difference_and_never_equality() -> None:
    sentences = verdict_of([FULL, standing("linear", 0.91, ties=True, cost=CHEAP), standing("scratch", 0.8)])
    assert "there is no evidence of a difference between it and linear" in sentences[0]
    assert "equal" not in " ".join(sentences)
    assert sentences[1] == (
        "The cheapest contender within noise of it is linear (91.0 %): compared with finetuned:full it predicts 12 "
        "times faster, is 20 times smaller and trains 25 times faster."
    )


def test_a_winner_without_cheap_rival_names_the_price_of_the_next() -> None:
    sentence = verdict_of([FULL, standing("linear", 0.862, cost=CHEAP)])[1]
    assert sentence.startswith("No cheaper contender is within noise of it: linear is 5.0 points behind")
    assert "(95 % interval 3.0 to 7.0)" in sentence
    assert "predicts 12 times faster" in sentence


def test_a_much_faster_tied_contender_is_named_although_the_winner_is_cheaper_to_train() -> None:
    student = Cost(470.0, 1, 1, 1, 45_000_000, 3.0, 4.0, 400.0, 0.0)
    sentence = verdict_of([FULL, standing("distilled", 0.9, ties=True, cost=student)])[1]
    assert sentence == (
        "distilled (90.0 %) is within noise of it: compared with finetuned:full it predicts 2.0 times faster, "
        "is 2.0 times smaller and takes 4.7 times longer to train."
    )
    hardly = dataclasses.replace(student, latency_p50=5.0)
    assert "no reason to choose another" in verdict_of([FULL, standing("distilled", 0.9, ties=True, cost=hardly)])[1]


def test_a_winner_that_is_the_cheapest_says_so() -> None:
    cheap = standing("linear", 0.95, cost=CHEAP)
    expected = "linear is also the cheapest of all that ran, so there is no reason to choose another."
    assert verdict_of([cheap, FULL])[1] == expected


def test_a_rival_that_is_more_expensive_in_one_way_is_named_with_that() -> None:
    slow = dataclasses.replace(CHEAP, latency_p50=18.0)
    sentence = verdict_of([FULL, standing("linear", 0.91, ties=True, cost=slow)])[1]
    assert "predicts 3.0 times slower" in sentence


def test_test_rows_of_one_class_allow_no_conclusion() -> None:
    audit = Audit({}, {"test": {"po\x1bs": 40}}, ())
    sentences = verdict_of([standing("linear", 1.0), standing("majority", 1.0)], audit=audit)
    assert sentences == (
        "No conclusion is possible: all 1,821 test texts have the label 'po\\x1bs', so a model that always predicts it "
        "is always right. Provide test rows of every class.",
    )


def test_one_contender_has_nothing_to_compare_with() -> None:
    sentences = verdict_of([FULL])
    assert sentences[0].startswith("Only finetuned:full ran, and it reaches accuracy 91.2 %")
    assert "nothing to compare it with: add majority and linear to" in sentences[1]
    assert 3 <= len(sentences) <= 5
    assert "add majority to see" in verdict_of([standing("linear", 0.9)])[1]
    assert "add other contenders to see" in verdict_of([standing("majority", 0.9)], kind="text")[1]


def test_a_comparison_without_a_useful_model_says_so_first() -> None:
    sentences = verdict_of([standing("linear", 0.52, cost=CHEAP), standing("majority", 0.51, ties=True)])
    assert sentences[0].startswith("No contender is shown to beat always predicting the most frequent label")
    assert "Check the labels" in sentences[1]


def test_one_seed_leaves_the_spread_unknown() -> None:
    sentences = verdict_of([dataclasses.replace(FULL, seeds=1), standing("linear", 0.8, cost=CHEAP, seeds=1)])
    assert "only one seed was run, so the variance between trainings is unknown" in sentences[-1]
    assert "mean of" not in sentences[0]


def test_a_deterministic_winner_among_many_seeds_leaves_nothing_unknown() -> None:
    winner = dataclasses.replace(standing("linear", 0.95, cost=CHEAP), seeds=1)
    assert "unknown" not in " ".join(verdict_of([winner, FULL]))


def test_leaked_test_texts_are_reported_with_the_score_without_them() -> None:
    clean = dataclasses.replace(FULL, clean=Interval(0.905, 0.89, 0.92))
    other = dataclasses.replace(standing("linear", 0.9, cost=CHEAP), clean=Interval(0.85, 0.84, 0.86))
    assert "without them finetuned:full scores 90.5 %" in verdict_of([clean, other])[-1]


def test_a_leader_that_changes_without_leaks_is_named() -> None:
    clean = dataclasses.replace(FULL, clean=Interval(0.85, 0.84, 0.86))
    other = dataclasses.replace(standing("linear", 0.9, cost=CHEAP), clean=Interval(0.88, 0.87, 0.89))
    assert (
        "without them linear leads with 88.0 %, ahead of finetuned:full with 85.0 %" in verdict_of([clean, other])[-1]
    )


def test_skipped_contenders_are_named_with_the_reason() -> None:
    last = verdict_of([FULL, standing("linear", 0.8, cost=CHEAP)], skipped={"finetuned:lora": "needs an extra."})[-1]
    assert last == "Not compared: finetuned:lora (needs an extra)."


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ((0.80, 0.802), "hardly more labels"),
        ((0.80, 0.85), "more labels, since finetuned:full still gains 5.0 points with each doubling"),
    ],
)
def test_the_curve_decides_whether_more_labels_would_help(scores: tuple[float, float], words: str) -> None:
    curve = [
        CurvePoint("finetuned:full", size, score, score - 0.004, score + 0.004, 3)
        for size, score in zip((800, 1600), scores, strict=True)
    ]
    assert words in " ".join(verdict_of([FULL, standing("linear", 0.8, cost=CHEAP)], curve))


def test_a_rise_within_the_spread_of_seeds_is_only_perhaps() -> None:
    curve = [CurvePoint("finetuned:full", n, s, s - 0.03, s + 0.03, 3) for n, s in ((800, 0.80), (1600, 0.82))]
    text = " ".join(verdict_of([FULL, standing("linear", 0.8, cost=CHEAP)], curve))
    assert "perhaps more labels, since finetuned:full gains about 2.0 points" in text
    assert "within the spread of its seeds" in text


def test_without_a_curve_the_verdict_says_how_to_get_one() -> None:
    assert "no learning curve was run (--sizes runs one)" in " ".join(verdict_of([FULL]))


def test_conflicts_and_a_wide_interval_would_change_the_answer() -> None:
    audit = Audit({}, {}, (Finding("conflicts", "warning", 41, 0.018, "…"),))
    text = " ".join(verdict_of([standing("finetuned:full", 0.9, half=0.04)], audit=audit))
    assert "41 rows with a text that also occurs with another label, so correct those first" in text
    assert "the interval is 8.0 points wide, and 7,300 test texts instead of 1,821 would halve it" in text


def test_the_head_start_is_given_at_the_largest_size_that_can_be_measured() -> None:
    line = [
        equivalent(100, Interval(900, 700, 1300)),
        equivalent(316, Interval(2100, 1500, 2600)),
        equivalent(2240, None),
    ]
    assert head_start(line, [FULL]) == (
        "The pretrained head start in labels: for the score of finetuned:full with 316 rows, scratch would need about "
        "2,100 rows (95 % interval 1,500 to more than 2,240); for its score with 2,240, scratch would need more than "
        "2,240, the most that were tried."
    )


def test_a_head_start_beyond_all_curves_is_more_than_the_data_can_measure() -> None:
    line = [equivalent(100, None), equivalent(2240, None), equivalent(100, Interval(600, 500, 700), "linear")]
    assert head_start(line, [FULL]) == (
        "The pretrained head start is worth more labels than this data can measure: with 2,240 rows, the most that "
        "were tried, scratch does not reach the score of finetuned:full with 100, and linear would need about 600."
    )


def test_a_head_start_worth_nothing_is_called_that() -> None:
    line = [equivalent(100, Interval(500, 400, 600)), equivalent(2240, Interval(1900, 1500, 2200))]
    sentence = head_start(line, [FULL])
    assert sentence.startswith("The pretrained head start is worth nothing at 2,240 rows: scratch reaches")
    assert sentence.endswith("at 100 it was worth about 5.0 times as many labels.")


def test_an_end_that_no_seed_reached_is_more_than_the_most_tried() -> None:
    assert labels_range(Interval(1000, 800, math.inf), 2240) == "800 to more than 2,240"


def test_a_head_start_that_may_be_worth_something_is_no_evidence_rather_than_nothing() -> None:
    line = [equivalent(2240, Interval(2100, 1500, math.inf))]
    assert head_start(line, [FULL]).startswith("There is no evidence of a head start at 2,240 rows: scratch reaches")


def test_one_seed_gives_an_estimate_without_an_interval() -> None:
    line = [equivalent(100, Interval(900, 900, 900)), equivalent(2240, None)]
    sentence = head_start(line, [FULL])
    assert "would need about 900 rows; for its score with 2,240" in sentence
    assert "interval" not in sentence


def test_an_estimate_at_the_smallest_size_is_at_most() -> None:
    line = [equivalent(100, Interval(100, 100, 100)), equivalent(2240, Interval(100, 100, 100))]
    assert head_start(line, [FULL]).endswith("scratch reaches the score of finetuned:full with at most 100.")


def test_one_seed_cannot_show_that_a_curve_still_rises() -> None:
    curve = [CurvePoint("finetuned:full", n, s, s, s, 1) for n, s in ((800, 0.80), (1600, 0.85))]
    text = " ".join(verdict_of([FULL, standing("linear", 0.8, cost=CHEAP)], curve))
    assert "perhaps more labels, since finetuned:full gains about 5.0 points" in text
    assert "as far as one seed can show" in text


def test_behind_does_not_depend_on_the_sign_of_the_difference() -> None:
    one = standing("linear", 0.8)
    other = dataclasses.replace(one, difference=Interval(-0.05, -0.07, -0.03))
    assert behind(one) == behind(other)


names = st.sampled_from(["majority", "linear", "scratch", "finetuned:full", "finetuned:frozen"])
lines = st.lists(
    st.builds(
        standing,
        names,
        st.floats(0.05, 0.95),
        st.booleans(),
        st.sampled_from([COST, CHEAP, dataclasses.replace(CHEAP, latency_p50=0.0, train_seconds=0.0, disk_bytes=0)]),
        st.integers(1, 3),
        st.floats(0, 0.05),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda s: s.contender,
)
labels = st.none() | st.floats(50, 2240).map(lambda n: Interval(n, n / 2, n * 2))
lists_of_equivalents = st.lists(
    st.builds(equivalent, st.sampled_from([100, 316, 2240]), labels, st.sampled_from(["scratch", "linear"])),
    max_size=6,
    unique_by=lambda e: (e.size, e.contender),
)


@given(lines, lists_of_equivalents, st.booleans())
def test_any_result_gets_three_to_five_whole_sentences(
    standings: list[Standing], equivalents: list[Equivalent], skipped: bool
) -> None:
    sentences = verdict_of(standings, (), equivalents, skipped={"x": "why"} if skipped else {})
    assert 3 <= len(sentences) <= 5
    for sentence in sentences:
        assert sentence.endswith(".")
        assert sentence[0].isupper() or sentence.startswith(winner(standings).contender)
        assert "nan" not in sentence.split()
        assert "None" not in sentence


def test_majority_and_what_does_not_beat_it_are_never_offered_as_the_cheaper_choice() -> None:
    floor = dataclasses.replace(standing("majority", 0.5, cost=CHEAP), above_floor=False)
    weak = dataclasses.replace(standing("linear", 0.52, ties=True, cost=CHEAP), above_floor=False)
    only = (
        "finetuned:full is also the cheapest of all that are shown to beat majority, so there is no reason to choose "
        "another."
    )
    assert verdict_of([FULL, floor])[1] == only
    assert verdict_of([FULL, weak, floor])[1] == only
    assert cheapest([FULL, weak, floor]) is FULL
    behind_it = standing("scratch", 0.8, cost=dataclasses.replace(COST, latency_p50=1.0))
    assert "scratch is 5.0 points behind" in verdict_of([FULL, behind_it, weak, floor])[1]


@given(lines)
def test_the_cheapest_is_within_noise_and_no_more_expensive_than_the_best(standings: list[Standing]) -> None:
    leader, cheap = winner(standings), cheapest(standings)
    assert cheap is leader or (cheap.ties and cheap.contender != "majority")
    assert cheap.cost.latency_p50 <= leader.cost.latency_p50 or cheap.cost.train_seconds <= leader.cost.train_seconds
