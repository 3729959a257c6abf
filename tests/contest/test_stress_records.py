"""Transformed test rows in a contest: who predicts them, when, what is logged, and that nothing depends on them."""

import json
from dataclasses import replace

import pytest

from headstart.contest import models, stress, stress_records
from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.contest.trials import jobs
from headstart.core.hashing import file_sha256
from headstart.tasks.classification import Classification

TASK = Classification()
METRIC = TASK.metrics[0]


@pytest.fixture
def trials():
    return plan(
        task=TASK, train_rows=60, contenders=("majority", "linear:typos"), sizes=(20, "all"), seeds=(0, 1)
    ).trials


@pytest.fixture
def stressed(terms, splits):
    return replace(terms, stress=stress.prepare(splits.test, TASK, names=["case", "typos"], most=25))


def openings(terms) -> list[dict]:
    return [json.loads(line) for line in (terms.folder / "test_openings.jsonl").read_text().splitlines()]


def hashes(outcome) -> dict:
    return {
        name: {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
        for name, folder in outcome.models.items()
    }


def judged(outcome):
    return [(one.trial, one.scores, one.validation, one.predictions.values) for one in outcome.records]


def test_the_first_model_of_each_contender_predicts_them_in_the_same_opening(splits, stressed, trials):
    outcome = contest.run(splits, TASK, trials, stressed)
    lines = openings(stressed)
    assert len(lines) == len(trials)
    asked = [(line["contender"], line["seed"]) for line in lines if "stressed" in line]
    assert asked == [("majority", 0), ("linear:typos", 0)]
    assert {line["stressed"] for line in lines if "stressed" in line} == {stressed.stress.changed}
    found = stress_records.result(outcome.records, ["linear:typos", "majority"], stressed, TASK, METRIC)
    assert [score.contender for score in found.scores] == ["linear:typos"] * 6 + ["majority"] * 6
    assert all(score.altered in (0.0, None) for score in found.scores[6:])
    record = next(one for one in outcome.records if one.trial.contender == "majority")
    fitted = contest.model_folder.open_model(outcome.models["majority"])
    given = stress.take(record.predictions, stressed.stress.places), stress.answers(fitted, stressed.stress)
    assert stress.result({"majority": given}, stressed.stress, TASK, METRIC).scores[0].after == found.scores[6].after


def test_nothing_else_depends_on_them(splits, terms, stressed, trials):
    trials = [trial for trial in trials if trial.size is None]
    plain = contest.run(splits, TASK, trials, replace(terms, folder=terms.folder / "plain"))
    with_stress = contest.run(splits, TASK, trials, stressed)
    assert judged(plain) == judged(with_stress)
    assert hashes(plain) == hashes(with_stress)
    keys = ([job.key for job in jobs(splits, TASK, trials, each)] for each in (terms, stressed))
    assert next(keys) == next(keys)


def test_a_finished_contest_is_asked_afterwards_without_a_training(splits, terms, stressed, trials, monkeypatch):
    trials = [trial for trial in trials if trial.seed == 0 and trial.size is None]
    at_once = contest.run(splits, TASK, trials, replace(stressed, folder=terms.folder / "other"))
    contest.run(splits, TASK, trials, terms)
    before = len(openings(terms))
    monkeypatch.setattr(contest, "train", lambda *given: pytest.fail("trained again"))
    outcome = contest.run(splits, TASK, trials, stressed)
    more = openings(stressed)[before:]
    assert [(line["contender"], line["stressed"]) for line in more] == [
        ("majority", stressed.stress.changed),
        ("linear:typos", stressed.stress.changed),
    ]
    order = ["linear:typos", "majority"]
    found, expected = (
        stress_records.result(each.records, order, own, TASK, METRIC)
        for each, own in ((outcome, stressed), (at_once, replace(stressed, folder=terms.folder / "other")))
    )
    assert found == expected
    contest.run(splits, TASK, trials, stressed)
    assert len(openings(stressed)) == before + 2  # stored answers are not asked for again


@pytest.mark.parametrize("fault", ["damaged", "other rows"])
def test_answers_that_cannot_be_used_are_asked_for_again(splits, stressed, trials, fault):
    trials = [trial for trial in trials if trial.contender == "majority" and trial.size is None]
    contest.run(splits, TASK, trials, stressed)
    (path,) = (stressed.folder / "trials").glob("*.stress.json")
    if fault == "damaged":
        path.write_text(path.read_text().replace("good", "bad"))
    else:
        stressed = replace(stressed, stress=stress.prepare(splits.test, TASK, names=["case"], most=25, seed=1))
    contest.run(splits, TASK, trials, stressed)
    assert len(openings(stressed)) == 2


def test_a_trial_whose_model_is_gone_runs_again(splits, terms, stressed, trials):
    trials = [trial for trial in trials if trial.contender == "linear:typos" and trial.size is None]
    first = contest.run(splits, TASK, trials, terms)
    for folder in (terms.folder / "models").iterdir():
        if folder.is_dir():
            models.delete(folder)
    assert not list((terms.folder / "trials").glob("*.stress.json"))
    again = contest.run(splits, TASK, trials, stressed)
    assert judged(again) == judged(first)
    assert len(list((terms.folder / "trials").glob("*.stress.json"))) == 1


def test_without_transformations_there_is_no_result(terms):
    assert stress_records.result([], [], terms, TASK, METRIC) is None
