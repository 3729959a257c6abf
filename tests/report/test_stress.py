"""What is said of losses after transformations."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.report import _kinds

from headstart.core.results import BrokenRow, Interval, StressResult, StressScore
from headstart.core.tally import Metric
from headstart.report import build, stress

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
    assert stress.caution(made) == ("negation: often another answer by a person. Do it.",)


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


@pytest.fixture
def page(made):
    """A comparison with stress, of texts that are hostile markup."""
    result = _kinds.make("label")
    contenders = [standing.contender for standing in result.standings]
    scores = tuple(replace(each, contender=name) for name in contenders for each in made.scores[:7])
    evil = replace(made.broken[0], text="<script>alert(1)</script>", changed_text="<b>alert", id="<i>id")
    return replace(result, stress=replace(made, scores=scores, broken=(evil,)))


def test_the_page_has_a_section_and_no_markup_of_the_data(page):
    html = build.html(page)
    assert '<section id="stress">' in html
    assert '<a href="#stress">What breaks it</a>' in html
    assert "<script>" not in html
    assert "<b>alert" not in html
    assert "&lt;b&gt;alert" in html
    assert "worse +10.0 (+9.0 to +11.0)" in html
    assert "25 % altered" in html.replace("\u00a0", " ")
    assert "Left out: names (no)." in html


def test_without_stress_there_is_nothing_to_show(page):
    plain = replace(page, stress=None)
    assert stress.view(None, ACCURACY) is None
    assert build.as_json(plain)["stress"] is None
    assert stress.sentences(None, ACCURACY) == ()
    assert stress.lines(None) == []


def test_the_terminal_and_the_json_say_the_same(page):
    out = io.StringIO()
    build.show(page, Console(file=out, width=1000))
    for sentence in stress.sentences(page.stress, ACCURACY):
        assert sentence in out.getvalue()
    values = build.as_json(page)["stress"]
    assert values["scores"][0]["loss"]["value"] == 0.02
    assert "text" not in values["broken"][0]
    assert stress.lines(page.stress)[0]["transformation"] == "spaces"
