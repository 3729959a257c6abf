"""The sentences on what columns, text and both are worth."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.report import _kinds

from headstart.contest import columns as compared
from headstart.core.results import BaselineComparison, Interval, Result
from headstart.core.tabular import Tabular
from headstart.report import build, columns

WAYS = {"linear": "alone", "finetuned:full": "beside"}
NASTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def made() -> Result:
    """The linear contender is on the columns alone, the other one on both; a column's name is hostile markup."""
    result = _kinds.make("label")
    rules = replace(result.rules, tabular=Tabular.of(["price", NASTY]))
    records = tuple(
        replace(record, trial=replace(record.trial, options={"columns": WAYS[record.trial.contender]}))
        if record.trial.contender in WAYS
        else record
        for record in result.records
    )
    worth = compared.worth(records, result.splits, rules, rules.metrics[0])
    return replace(result, rules=rules, records=records, columns=worth)


def test_the_page_the_terminal_and_json_have_them(made):
    page = build.html(made)
    assert '<section id="columns">' in page
    assert '<a href="#columns">' in page
    assert NASTY not in page
    out = io.StringIO()
    build.show(made, Console(file=out, width=1000))
    assert all(sentence in out.getvalue() for sentence in columns.sentences(made))
    assert [one["role"] for one in build.as_json(made)["text_and_columns"]] == [one.role for one in made.columns]


def test_without_columns_there_is_no_section():
    result = _kinds.make("label")
    assert 'id="columns"' not in build.html(result)
    assert columns.sentences(result) == ()


def test_each_part_and_both_have_a_score_and_differences(made):
    better = BaselineComparison("finetuned:full", "linear", "columns", Interval(0.2, 0.1, 0.3), 0.01)
    worse = BaselineComparison("finetuned:full", "other", "text", Interval(-0.02, -0.1, 0.06), 0.4)
    floor = BaselineComparison("linear", "majority", "floor", Interval(0.4, 0.3, 0.5), 0.001)
    first, alone, both, *rest = columns.sentences(replace(made, columns=(better, worse, floor)))
    assert first.startswith("Columns beside the text: 'price', '<script>")
    assert alone.startswith("The columns alone (linear): accuracy ")
    assert alone.endswith(", 40.0 points better than majority (95 % interval 30.0 to 50.0).")
    assert both.startswith("Both (finetuned:full): accuracy ")
    assert both.endswith(
        ", 20.0 points better than the columns alone (95 % interval 10.0 to 30.0); 2.0 points worse than the text "
        "alone (95 % interval -6.0 to 10.0), which is no evidence of a difference."
    )
    assert not rest


def test_what_was_not_measured_is_said(made):
    assert columns.sentences(made)[-1] == "What the columns add to the text in finetuned:full was not measured."
