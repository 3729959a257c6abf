"""Collapsed trainings are marked wherever a comparison is shown."""

import dataclasses
import io

from rich.console import Console

from headstart.metrics.labels import METRICS
from headstart.report import _collapse, build
from headstart.report.wording import _caveats

MARK = "2 of 3 seeds collapsed, retried at a third of the learning rate; 1 collapsed again and counted in the mean"


def with_collapse(result):
    standings = tuple(
        dataclasses.replace(s, retried=2, collapsed=1) if s.contender == "scratch" else s for s in result.standings
    )
    return dataclasses.replace(result, standings=standings)


def test_table_page_and_verdict_mark_it(result, monkeypatch):
    marked = with_collapse(result)
    text = io.StringIO()
    build.show(marked, Console(file=text, width=120))
    assert "scratch *" in text.getvalue()
    assert f"* scratch: {MARK}" in text.getvalue()
    assert MARK in build.fragment(marked)
    assert MARK in build.html(marked)
    assert f"Note that for scratch, {MARK}." in _caveats(marked.standings, METRICS[0], {}, ())
    several = [dataclasses.replace(s, retried=1, collapsed=1) for s in marked.standings[:3]]
    names = [s.contender for s in several]
    assert f"trainings of {names[0]}, {names[1]} and {names[2]} collapsed, so" in _caveats(several, METRICS[0], {}, ())
    assert "collapsed" not in build.fragment(result)
    assert " *" not in "".join(map(str, build.leaderboard(result).columns[0].cells))


def test_trainings_on_fewer_rows_are_a_finding_too(result):
    assert _collapse.finding(result.records) == []
    first, second, *rest = (record for record in result.records if record.trial.contender == "scratch")
    first = dataclasses.replace(first, retried=True, collapse="one class for all texts")
    second = dataclasses.replace(second, retried=True, collapsed=True, collapse="one class for all texts")
    (finding,) = _collapse.finding([first, second, *rest])
    assert (finding.severity, finding.count) == ("warning", 2)
    expected = "2 trainings collapsed and were repeated at a third of the learning rate; 1 collapsed again"
    assert expected in finding.sentence
    trial = f"scratch on {first.train_rows} rows, seed {first.trial.seed}"
    assert finding.examples[0] == (trial, "one class for all texts")
    assert "none of them collapsed again" in _collapse.finding([first, *rest])[0].sentence
