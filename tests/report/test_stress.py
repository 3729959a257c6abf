"""What is said of losses after transformations."""

import pytest

from headstart.core.results import BrokenRow, Interval, StressResult, StressScore
from headstart.core.tally import Metric
from headstart.report import stress

ACCURACY = Metric("accuracy", abs)


def score(name, loss, p_value=0.001, contender="linear", **changes):
    known = {
        "rows": 100,
        "changed": 80,
        "altered": 0.25,
        "before": 0.9,
        "after": None if loss is None else 0.9 - loss,
        "loss": None if loss is None else Interval(loss, loss - 0.01, loss + 0.01),
        "loss_of_changed": None,
        "p_value": p_value,
        "calibration_before": 0.02,
        "calibration_after": 0.03,
    }
    return StressScore(contender=contender, transformation=name, **{**known, **changes})


@pytest.fixture
def made():
    scores = (
        score("spaces", 0.02, 0.2),
        score("typos:5%", 0.03),
        score("typos:20%", 0.1),
        score("case:upper", 0.05),
        score("emoji", 0.04),
        score("accents:added", -0.05),
        score("negation", None, None),
        score("spaces", 0.0, 1.0, "scratch"),
    )
    names = [each.transformation for each in scores]
    expected = {name: "other" if name == "negation" else "same" for name in names}
    broken = (BrokenRow("linear", "typos:5%", "a:2", "pos", "neg", 0.876, "good \x1b[31m", "godo \x1b[31m"),)
    return StressResult(100, 1200, scores, broken, dict.fromkeys(names, "Do it."), expected, {"names": "no"})


def test_a_sentence_for_each_contender_names_the_largest_losses_that_are_no_chance(made):
    assert stress.sentences(made, ACCURACY) == (
        "What breaks linear: typos:20% (10.0 points, 95 % interval 9.0 to 11.0), case:upper (5.0 points, 95 % interval "
        "4.0 to 6.0), emoji (4.0 points, 95 % interval 3.0 to 5.0) and 1 more.",
        "What breaks scratch: no loss was found after any transformation.",
    )


def test_it_says_which_rows_and_what_was_left_out(made):
    assert stress.note(made) == "Measured on 100 of 1,200 rows, chosen at random. Left out: names (no)."
    assert stress.caution(made) == ("negation: Do it. A person would answer often otherwise, so it has no score.",)


def test_the_json_has_no_texts(made):
    values = stress.as_json(made)
    assert values["broken"] == [
        {
            "contender": "linear",
            "transformation": "typos:5%",
            "id": "a:2",
            "target": "pos",
            "predicted": "neg",
            "confidence": 0.876,
        }
    ]
    assert values["scores"][0]["loss"] == {"value": 0.02, "low": 0.01, "high": 0.03}


def test_broken_rows_are_shown_before_and_after(made):
    assert stress.broken_lines(made) == ["typos:5%: a:2 is pos, now neg (88 %)", "  good \x1b[31m", "  godo \x1b[31m"]
