"""Collapsed trainings are marked wherever a comparison is shown."""

import dataclasses
import io

from rich.console import Console

from headstart.report import _collapse, build
from headstart.report.wording import _caveats

TOLD = "2 of 3 seeds collapsed, retried at a third of the learning rate; 1 collapsed again and counted in the mean"


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
    assert f"* scratch: {TOLD}" in text.getvalue()
    assert TOLD in build.fragment(marked)
    assert TOLD in build.html(marked)
    assert f"Mind that of scratch, {TOLD}." in _caveats(marked.standings, {}, ())
    several = [dataclasses.replace(s, retried=1, collapsed=1) for s in marked.standings[:3]]
    names = [s.contender for s in several]
    assert f"trainings of {names[0]}, {names[1]} and {names[2]} collapsed, so" in _caveats(several, {}, ())
    assert "collapsed" not in build.fragment(result)
    assert " *" not in "".join(map(str, build.leaderboard(result).columns[0].cells))


def test_trainings_on_fewer_rows_are_a_finding_too(result):
    assert _collapse.finding(result.records) == []
    first, second, *rest = (record for record in result.records if record.trial.contender == "scratch")
    first = dataclasses.replace(first, retried=True, collapse="one class for all texts")
    second = dataclasses.replace(second, retried=True, collapsed=True, collapse="one class for all texts")
    (found,) = _collapse.finding([first, second, *rest])
    assert (found.severity, found.count) == ("warning", 2)
    assert (
        "2 trainings collapsed and ran once more at a third of the learning rate; 1 collapsed again" in found.sentence
    )
    told = f"scratch on {first.train_rows} rows, seed {first.trial.seed}"
    assert found.examples[0] == (told, "one class for all texts")
    assert "none of them collapsed again" in _collapse.finding([first, *rest])[0].sentence
