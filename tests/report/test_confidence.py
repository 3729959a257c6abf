"""What the page of one label shows: calibration before and after the temperature, accuracy by coverage."""

import dataclasses

import numpy as np

from headstart.core.results import Result
from headstart.metrics import calibration
from headstart.report import build
from headstart.report.kinds import label

SCORES = {"brier": 0.2, "ece": 0.021, "ece_low": 0.01, "ece_high": 0.034, "aurc": 0.052}
BEFORE = {"ece_before": 0.071, "ece_before_low": 0.06, "ece_before_high": 0.084}


def scored(result: Result, temperature: float) -> Result:
    records = [
        dataclasses.replace(r, calibration={**SCORES, **BEFORE, "temperature": temperature}) for r in result.records
    ]
    return dataclasses.replace(result, records=tuple(records))


def test_a_temperature_is_shown_with_both_errors(result: Result) -> None:
    first, *_ = label.view(scored(result, 2.0)).reliability
    assert first.error == "2.1 % (1.0 to 3.4)"
    assert first.before == "7.1 % (6.0 to 8.4)"
    assert set(first.temperature.split(", ")) == {"2.00"}
    assert first.aurc == "5.2 %"
    page = build.html(scored(result, 2.0))
    assert "before: 7.1\u00a0% (6.0 to 8.4), temperature 2.00" in page
    assert page.count('class="plot"') == build.html(result).count('class="plot"')


def test_thresholds_per_class_are_named(result: Result) -> None:
    records = [
        dataclasses.replace(one, calibration={**one.calibration, "thresholds": 1.0})
        for one in scored(result, 1.0).records
    ]
    page = build.html(dataclasses.replace(scored(result, 1.0), records=tuple(records)))
    assert "thresholds per class</span>" in page
    assert "Thresholds per class, chosen on the validation texts" in page
    assert "hresholds per class" not in build.html(scored(result, 1.0))


def test_without_one_there_is_nothing_before(result: Result) -> None:
    first, *_ = label.view(scored(result, 1.0)).reliability
    assert (first.error, first.before, first.temperature) == ("2.1 % (1.0 to 3.4)", "", "")
    assert "before:" not in build.html(scored(result, 1.0))


def test_records_of_earlier_versions_have_an_error_alone(result: Result) -> None:
    first, *_ = label.view(result).reliability
    assert (first.error, first.before, first.aurc) == ("3.1 %", "", "")


def test_the_line_before_is_that_of_the_probabilities_without_it(result: Result, monkeypatch) -> None:
    drawn = {}
    monkeypatch.setattr(
        label.plots, "reliability", lambda name, place, bins, before: drawn.update({name: before}) or ""
    )
    label.view(scored(result, 2.0))
    team = label.full_records(result)["linear"]
    squared = np.concatenate([record.predictions.probabilities for record in team]).astype(float) ** 2
    pooled = dataclasses.replace(
        team[0].predictions,
        values=sum((record.predictions.values for record in team), ()),
        probabilities=squared / squared.sum(axis=1, keepdims=True),
    )
    np.testing.assert_allclose(drawn["linear"], calibration.reliability(pooled, result.splits.test.targets * len(team)))


def test_accuracy_by_coverage_ends_at_the_score(result: Result, monkeypatch) -> None:
    curves = {}
    monkeypatch.setattr(label.plots, "coverage", lambda given, order: curves.update(given) or "")
    label.view(result)
    assert "majority" not in curves
    for standing in result.standings:
        if standing.contender != "majority":
            shares, accuracies = curves[standing.contender]
            assert (shares[-1], round(accuracies[-1], 6)) == (1.0, round(standing.score.value, 6))
            assert accuracies[len(accuracies) // 2] > accuracies[-1]
