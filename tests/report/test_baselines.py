from __future__ import annotations

from dataclasses import replace

import pytest

from headstart.core.records import Audit, Cost
from headstart.core.results import BaselineComparison, Interval, Result, Standing
from headstart.metrics.labels import METRICS
from headstart.report import build
from headstart.report._baselines import sentences
from headstart.report.wording import verdict

NOTHING = Audit({}, {}, ())
COST = Cost(100.0, 1, 1, 1, 90_000_000, 6.0, 8.0, 200.0, 0.0)
CHEAP = Cost(160.0, 1, 1, 1, 30_000_000, 2.0, 2.4, 900.0, 0.0)
EXPENSIVE = Cost(210.0, 1, 1, 1, 180_000_000, 12.0, 16.0, 100.0, 0.0)


def standing(name: str, score: float, cost: Cost = COST) -> Standing:
    whole = Interval(score, score - 0.01, score + 0.01)
    return Standing(name, whole, 0.0, 3, None, None, False, None, {}, 0.0, cost)


def compared(name: str, other: str, role: str, gain: float, p: float) -> BaselineComparison:
    return BaselineComparison(name, other, role, Interval(gain, gain - 0.008, gain + 0.008), p)


BOARD = {
    s.contender: s
    for s in (
        standing("finetuned:full", 0.90),
        standing("ensemble", 0.91, EXPENSIVE),
        standing("distilled", 0.88, CHEAP),
        standing("distilled:alone", 0.84, CHEAP),
    )
}


def test_an_ensemble_without_evidence_of_a_gain_is_reported_with_its_cost() -> None:
    given = [compared("ensemble", "finetuned:full", "member", 0.004, 0.31)]
    assert sentences(given, BOARD, METRICS[0]) == [
        "There is no evidence that ensemble is better than its best member finetuned:full (a difference of +0.4 "
        "points, 95 % interval -0.4 to +1.2), and it predicts 2.0 times slower, is 2.0 times larger "
        "and takes 2.1 times longer to train."
    ]
    lines = verdict(
        list(BOARD.values()), (), (), NOTHING, metric=METRICS[0], train_rows=9, test_rows=9, skipped={}, baselines=given
    )
    assert "Note that there is no evidence that ensemble is better than its best member finetuned:full." in lines


def test_an_ensemble_that_is_better_says_by_how_much_and_for_what() -> None:
    given = [compared("ensemble", "finetuned:full", "member", 0.012, 0.004)]
    assert sentences(given, BOARD, METRICS[0])[0].startswith(
        "ensemble is 1.2 points (95 % interval 0.4 to 2.0) better than its best member finetuned:full; in exchange it "
    )


def test_a_student_is_compared_with_its_teacher_and_with_itself_alone() -> None:
    given = [
        compared("distilled", "finetuned:full", "teacher", -0.02, 0.02),
        compared("distilled", "distilled:alone", "alone", 0.04, 0.001),
    ]
    assert sentences(given, BOARD, METRICS[0]) == [
        "distilled reaches 97.8 % of the score of its teacher finetuned:full; compared with the teacher it predicts "
        "3.0 times faster, is 3.0 times smaller and takes 1.6 times longer to train.",
        "The teacher adds 4.0 points (95 % interval 3.2 to 4.8): without it the same student reaches 84.0 %.",
    ]


def test_a_teacher_without_evidence_of_a_gain() -> None:
    given = [compared("distilled", "distilled:alone", "alone", 0.003, 0.4)]
    expected = "There is no evidence that the teacher helps (a difference of +0.3"
    assert sentences(given, BOARD, METRICS[0])[0].startswith(expected)


@pytest.mark.parametrize(
    ("name", "alone"), [("distilled", "distilled:alone"), ("distilled:2x128", "distilled:2x128-alone")]
)
def test_without_the_student_alone_the_report_says_how_to_learn_more(name: str, alone: str) -> None:
    board = {**BOARD, name: standing(name, 0.88, CHEAP)}
    lines = sentences([compared(name, "finetuned:full", "teacher", -0.02, 0.02)], board, METRICS[0])
    assert f"include {alone}, the same student" in lines[1]


def test_the_page_has_a_section_on_ensembles_and_students_if_there_are_any(result: Result) -> None:
    assert "<h2>Ensembles and students" not in build.html(result)
    given = (
        compared("finetuned:frozen", "linear", "linear", 0.02, 0.01),
        compared("scratch", "linear", "member", 0.0, 1.0),
    )
    page = build.html(replace(result, baselines=given))
    assert "<h2>Ensembles and students" in page
    assert "no evidence that scratch is better than its best member linear" in page
    assert build.as_json(replace(result, baselines=given))["receipts"][0]["difference"]["value"] == 0.02
