"""The section about scores by the values of a column."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.report import _kinds

from headstart.contest import subsets as scoring
from headstart.core.results import Interval, Result
from headstart.report import build, subsets

NASTY = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def made() -> Result:
    """Rows of two values with scores, and one of too few rows; the values are hostile markup."""
    result = _kinds.make("label")
    values = tuple([NASTY] * 40 + ["de"] * 35 + ["rare"] * 5)
    splits = replace(result.splits, test=replace(result.splits.test, subsets=values))
    splits = replace(splits, train=replace(splits.train, subsets=(NASTY,) * len(splits.train)))
    order = [standing.contender for standing in result.standings]
    by = scoring.scores("<b>source", result.records, order, splits, result.rules, result.rules.metrics[0])
    return replace(result, splits=splits, by=by)


def test_the_page_has_a_table_and_no_markup_of_the_data(made):
    page = build.html(made)
    assert '<section id="by">' in page
    assert '<a href="#by">' in page
    assert "<script>" not in page
    assert "<b>source" not in page
    table = subsets.view(made)
    assert [(line.value, line.trained, line.tested) for line in table.lines] == [
        (NASTY, str(len(made.splits.train)), "40"),
        ("de", "0", "35"),
        ("rare", "0", "5"),
    ]
    assert table.lines[2].cells == (("–", "", ""),) * 3
    assert all("±" in score and "(" in difference for score, difference, _ in table.lines[0].cells)


def test_without_a_column_there_is_no_section(made):
    assert 'id="by"' not in build.html(replace(made, by=None))
    assert subsets.sentences(replace(made, by=None)) == ()
    assert build.as_json(replace(made, by=None))["by"] is None


def test_the_sentence_names_the_best_and_the_worst_value_of_the_winner(made):
    winner = made.standings[0].contender
    cells = [cell for cell in made.by.scores if cell.contender == winner]
    first = replace(cells[0], score=Interval(0.9, 0.8, 1.0), difference=Interval(0.2, 0.1, 0.3), p_value=0.01)
    second = replace(cells[1], score=Interval(0.7, 0.6, 0.8), difference=Interval(-0.2, -0.3, -0.1), p_value=0.01)
    chosen = replace(made, by=replace(made.by, column="source", scores=(first, second, cells[2])))
    (sentence,) = subsets.sentences(chosen)
    assert sentence == (
        f"By source: accuracy of {winner} is best on '{NASTY}' (90.0 ± 10.0 % on 40 rows) and worst on 'de' (70.0 ± "
        "10.0 % on 35 rows), 20.0 points below all other rows (95 % interval 10.0 to 30.0)."
    )
    unsure = replace(chosen, by=replace(chosen.by, scores=(first, replace(second, p_value=0.06))))
    assert subsets.sentences(unsure)[0].endswith("10.0 to 30.0), which is no evidence of a difference.")
    alone = replace(chosen, by=replace(chosen.by, scores=(first,)))
    assert subsets.sentences(alone) == ("By source: only one value has the 20 test rows that a score needs.",)


def test_the_terminal_and_the_dictionaries_say_the_same(made):
    out = io.StringIO()
    build.show(made, Console(file=out, width=1000))
    assert subsets.sentences(made)[0] in out.getvalue()
    lines = subsets.lines(made)
    assert len(lines) == len(made.by.scores) == 9
    assert lines[0]["score"] == made.by.scores[0].score.value
    assert lines[0]["difference_high"] == made.by.scores[0].difference.high
    assert lines[2]["score"] is lines[2]["low"] is lines[2]["p_value"] is None
    assert build.as_json(made)["by"]["test_rows"] == {NASTY: 40, "de": 35, "rare": 5}
