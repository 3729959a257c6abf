import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from headstart.contenders.majority import Majority
from headstart.contest import meter
from headstart.contest import run as contest
from headstart.contest.ledger import load_record, write_record
from headstart.contest.trials import jobs
from headstart.core.contracts import Contender
from headstart.core.errors import CheckpointError, TrainingError
from headstart.core.records import Attempt, Predictions, Rows, Trial
from headstart.tasks.classification import Classification


def key(splits, trial, terms):
    return jobs(splits, Classification(), [trial], terms)[0].key


def openings(terms) -> list[dict]:
    return [json.loads(line) for line in (terms.folder / "test_openings.jsonl").read_text().splitlines()]


class Fits(Contender):
    """A contender that counts its trainings and can be told to fail."""

    name = "majority"

    def __init__(self):
        self.rows, self.errors = [], {}

    def fit(self, train, validation, task, run):
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "checkpoint").write_text("half way")
        self.rows.append(len(train))
        if error := self.errors.get(len(train)):
            raise error
        return Majority().fit(train, validation, task, run)


@pytest.fixture(autouse=True)
def few_calls(monkeypatch):
    """Measure latencies by few calls: no test here asks how long they take."""
    monkeypatch.setattr(meter, "LATENCY_CALLS", 5)


@pytest.fixture
def fits(monkeypatch):
    fake = Fits()
    monkeypatch.setattr(contest.contenders, "load", lambda name, options: fake)
    return fake


def test_every_trial_leaves_its_record_and_predictions(splits, terms, trials):
    events = []
    outcome = contest.run(splits, Classification(), trials, terms, events.append)
    assert [record.trial for record in outcome.records] == list(trials)
    assert outcome.failed == {}
    assert [event.kind for event in events if event.kind != "progress"] == ["start", "finished"] * len(trials)
    assert {event.total for event in events} == {len(trials)}
    linear = outcome.records[-1]
    assert linear.trial.contender == "linear"
    assert linear.train_rows == 60
    assert linear.scores["accuracy"] > 0.9
    assert linear.clean_scores is not None
    assert set(linear.calibration) == {"ece", "brier"}
    assert linear.cost.train_seconds > 0
    assert linear.cost.disk_bytes > 100
    assert linear.cost.latency_p95 >= linear.cost.latency_p50 > 0
    assert linear.machine["packages"]["scikit-learn"]
    assert not list((terms.folder / "work").glob("*"))


def test_predictions_lie_beside_the_record(splits, terms, trials):
    record = contest.run(splits, Classification(), trials[-1:], terms).records[0]
    with open(record.path.replace(".json", ".csv"), newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == list(splits.test.ids)
    assert [line["target"] for line in lines] == list(splits.test.targets)
    right = np.mean([line["target"] == line["predicted"] for line in lines])
    assert right == pytest.approx(record.scores["accuracy"])
    assert float(lines[0]["p(bad)"]) + float(lines[0]["p(good)"]) == pytest.approx(1, abs=1e-6)


def test_a_record_is_read_back_bit_for_bit(splits, terms, trials):
    record = contest.run(splits, Classification(), trials[-1:], terms).records[0]
    again = load_record(terms.folder / "trials" / record.path.rsplit("/", 1)[1])
    assert replace(again, predictions=record.predictions) == record
    assert again.predictions.values == record.predictions.values
    assert np.array_equal(again.predictions.probabilities, record.predictions.probabilities)


def test_hostile_labels_survive_the_file(tmp_path, make_record):
    classes = ('a,"b"', "line\nbreak", "lone \ud800", "p(x)", "carriage\rreturn")
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), 5).astype(np.float32)
    record = replace(
        make_record("x", classes, score=1.0),
        path=str(tmp_path / "r.json"),
        predictions=Predictions(classes, classes, probabilities),
    )
    write_record(record, Rows(classes, classes, classes))
    again = load_record(tmp_path / "r.json").predictions
    assert again.values == again.classes == classes
    assert np.array_equal(again.probabilities, probabilities)


def test_a_second_run_trains_nothing_and_one_more_contender_trains_only_that(splits, terms, trials):
    first = contest.run(splits, Classification(), [t for t in trials if t.contender == "majority"], terms)
    kinds = []
    both = contest.run(splits, Classification(), trials, terms, lambda event: kinds.append(event.kind))
    assert kinds.count("cached") == len(first.records)
    assert kinds.count("finished") == len(trials) - len(first.records)
    kinds.clear()
    again = contest.run(splits, Classification(), trials, terms, lambda event: kinds.append(event.kind))
    assert kinds == ["cached"] * len(trials)
    assert [record.scores for record in again.records] == [record.scores for record in both.records]
    assert len(openings(terms)) == len(trials)


def test_the_test_rows_are_opened_once_a_trained_model(splits, terms, trials, monkeypatch):
    seen = []
    predict = type(Majority().fit(splits.train, splits.train, Classification(("bad", "good")), None)).predict

    def watched(self, inputs):
        seen.append(tuple(inputs))
        return predict(self, inputs)

    monkeypatch.setattr("headstart.contenders.majority.FittedMajority.predict", watched)
    contest.run(splits, Classification(), trials[:1], terms)
    assert seen.count(splits.test.inputs) == 1
    single = {texts[0] for texts in seen if len(texts) == 1}
    assert single <= set(splits.validation.inputs)
    (line,) = openings(terms)
    assert (line["contender"], line["seed"]) == ("majority", 0)


def test_each_seed_learns_from_a_subset_of_its_own_which_contenders_share(splits, terms, fits, monkeypatch):
    given = {}
    fit = fits.fit

    def watched(train, validation, task, run):
        given.setdefault((len(train), run.seed), []).append(train)
        assert validation == splits.validation
        assert task.classes == tuple(sorted(set(train.targets)))
        return fit(train, validation, task, run)

    monkeypatch.setattr(fits, "fit", watched)
    trials = [Trial(name, {}, size, seed) for name in ("majority", "linear") for size in (20, 40) for seed in range(3)]
    contest.run(splits, Classification(), trials, terms)
    assert all(one == other for one, other in given.values())
    assert len({given[20, seed][0].ids for seed in range(3)}) == 3
    for seed in range(3):
        assert set(given[20, seed][0].ids) < set(given[40, seed][0].ids) < set(splits.train.ids)


def test_a_training_is_given_the_terms_and_the_seed_of_its_trial(splits, terms, fits, monkeypatch):
    given = []
    fit = fits.fit
    monkeypatch.setattr(fits, "fit", lambda *rest: given.append(rest[-1]) or fit(*rest))
    terms = replace(terms, metric="macro-F1", minutes=3.0)
    contest.run(splits, Classification(), [Trial("majority", {}, None, 5)], terms)
    (run,) = given
    assert (run.seed, run.metric, run.minutes, run.device) == (5, "macro-F1", 3.0, "cpu")


def test_a_failure_at_one_size_spares_the_other_sizes(splits, terms, trials, fits):
    fits.errors[20] = TrainingError("the loss is not a number")
    events = []
    mine = [t for t in trials if t.contender == "majority"]
    outcome = contest.run(splits, Classification(), mine, terms, events.append)
    assert outcome.failed == {"majority on 20 rows": "the loss is not a number"}
    assert [record.train_rows for record in outcome.records] == [60]
    assert fits.rows == [20, 60]
    assert [e.reason for e in events if e.kind == "failed"] == ["the loss is not a number"] * 2


def test_an_interrupted_contest_goes_on_where_it_was(splits, terms, trials, fits):
    fits.errors[60] = KeyboardInterrupt()
    mine = [t for t in trials if t.contender == "majority"]
    with pytest.raises(KeyboardInterrupt):
        contest.run(splits, Classification(), mine, terms)
    work = terms.folder / "work" / key(splits, mine[-1], terms)
    assert (work / "checkpoint").read_text() == "half way"
    assert not (terms.folder / "trials" / f"{work.name}.json").exists()
    fits.errors.clear()
    outcome = contest.run(splits, Classification(), mine, terms)
    assert fits.rows == [20, 20, 60, 60]
    assert len(outcome.records) == 3
    assert not work.exists()


@pytest.mark.parametrize("damage", ["json", "csv", "gone"])
def test_a_damaged_record_is_named(splits, terms, trials, damage):
    record = contest.run(splits, Classification(), trials[:1], terms).records[0]
    path = terms.folder / "trials" / record.path.rsplit("/", 1)[1]
    if damage == "gone":
        path.with_suffix(".csv").unlink()
    else:
        path.with_suffix(f".{damage}").write_text("")
    with pytest.raises(CheckpointError, match="is damaged; delete it, and its trial runs again"):
        contest.run(splits, Classification(), trials[:1], terms)


def test_a_contender_is_given_the_unlabelled_texts(splits, terms, fits, monkeypatch):
    given = []
    fit = fits.fit
    monkeypatch.setattr(fits, "fit", lambda *rest: given.append(rest[-1].unlabelled) or fit(*rest))
    monkeypatch.setattr(Majority, "reads_unlabelled", True, raising=False)
    contest.run(splits, Classification(), [Trial("majority", {}, None, 0)], replace(terms, unlabelled=("more",)))
    assert given == [("more",)]


# --- models that others build on --------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    """The rows of every training of 'linear', which still happens."""
    from headstart.contenders.linear import Linear

    seen = []
    fit = Linear.fit
    monkeypatch.setattr(Linear, "fit", lambda self, train, *rest: seen.append(len(train)) or fit(self, train, *rest))
    return seen


def test_an_ensemble_takes_the_models_of_the_contest_and_counts_what_they_took(splits, terms, counted, ensemble):
    outcome = contest.run(splits, Classification(), ensemble(), terms)
    assert outcome.failed == {}
    assert counted == [20, 20, 60]
    costs = {(r.trial.contender, r.trial.size, r.trial.seed): r.cost for r in outcome.records}
    for (name, size, seed), cost in costs.items():
        if name == "ensemble":
            members = sum(costs[member, size, seed].train_seconds for member in ("majority", "linear"))
            assert cost.reused_seconds == pytest.approx(members)
            assert cost.train_seconds > members
    assert not list((terms.folder / "work").glob("*"))


def test_what_an_ensemble_needs_and_nobody_trained_is_trained_first(splits, terms, counted, ensemble):
    options = {"ensemble.members": "majority+linear"}
    outcome = contest.run(splits, Classification(), ensemble(("ensemble",), options=options), terms)
    assert [record.trial.contender for record in outcome.records] == ["ensemble"] * 3
    assert counted == [20, 20, 60]
    assert outcome.records[0].cost.reused_seconds > 0
    assert not list((terms.folder / "work").glob("*"))


def test_a_later_run_trains_again_only_what_is_gone(splits, terms, counted, ensemble):
    contest.run(splits, Classification(), ensemble(("majority", "linear")), terms)
    counted.clear()
    contest.run(splits, Classification(), ensemble(), terms)
    assert counted == [20, 20]  # on all rows the model is kept
    counted.clear()
    contest.run(splits, Classification(), ensemble(), terms)
    assert counted == []


def test_a_killed_contest_goes_on_with_the_models_it_had(splits, terms, counted, monkeypatch, ensemble):
    def killed(*arguments):
        raise KeyboardInterrupt

    from headstart.contenders.ensemble import Ensemble

    with monkeypatch.context() as patch:
        patch.setattr(Ensemble, "fit", killed)
        with pytest.raises(KeyboardInterrupt):
            contest.run(splits, Classification(), ensemble(), terms)
    assert counted == [20, 20]
    contest.run(splits, Classification(), ensemble(), terms)
    assert counted == [20, 20, 60]


def test_a_member_that_failed_is_not_tried_again_and_is_named(splits, terms, monkeypatch, ensemble):
    from headstart.contenders.linear import Linear

    tried = []

    def fails(self, train, *rest):
        tried.append(len(train))
        raise TrainingError("no luck.")

    monkeypatch.setattr(Linear, "fit", fails)
    outcome = contest.run(splits, Classification(), ensemble(), terms)
    assert tried == [20, 60]
    assert outcome.failed == {"linear on 20 rows": "no luck.", "linear": "no luck."}
    assert [r.trial.contender for r in outcome.records if r.trial.size is None] == ["majority", "ensemble"]
    alone = ensemble(("ensemble",), options={"ensemble.members": "linear"})
    outcome = contest.run(splits, Classification(), alone, replace(terms, folder=terms.folder / "other"))
    assert "'linear' could not be trained, so nothing builds on it: no luck" in outcome.failed["ensemble"]


def test_a_record_keeps_what_it_was_built_on(splits, terms, ensemble):
    record = contest.run(splits, Classification(), ensemble(), terms).records[-1]
    again = load_record(terms.folder / "trials" / record.path.rsplit("/", 1)[1])
    assert [member.contender for member in again.trial.members] == ["majority", "linear"]
    assert key(splits, again.trial, terms) == key(splits, record.trial, terms)


# --- what a trial is built on ------------------------------------------------------------------------------------


def backbone(place, weights):
    place.mkdir(exist_ok=True)
    (place / "model.safetensors").write_text(weights)
    return Trial("majority", {"backbone": str(place)}, None, 0)


def test_a_model_that_was_trained_on_makes_the_trial_run_again(splits, terms, fits, tmp_path):
    def kinds(trial):
        events = []
        outcome = contest.run(splits, Classification(), [trial], terms, lambda event: events.append(event.kind))
        assert [record.trial for record in outcome.records] == [trial]
        return events

    assert kinds(backbone(tmp_path / "model", "one")) == ["start", "progress", "finished"]
    assert kinds(backbone(tmp_path / "copy", "one")) == ["cached"]
    assert kinds(backbone(tmp_path / "model", "two")) == ["start", "progress", "finished"]
    assert len(fits.rows) == len(list((terms.folder / "trials").glob("*.json"))) == 2


def test_a_model_that_changes_while_it_is_trained_from_is_named(splits, terms, fits, tmp_path, monkeypatch):
    trial = backbone(tmp_path / "model", "one")
    fit = fits.fit
    monkeypatch.setattr(fits, "fit", lambda *rest: backbone(tmp_path / "model", "two") and fit(*rest))
    outcome = contest.run(splits, Classification(), [trial], terms)
    assert "changed while 'majority' was trained from it; run the comparison again" in outcome.failed["majority"]


def test_a_record_says_what_its_model_was_built_on(splits, terms, fits, tmp_path):
    record = contest.run(splits, Classification(), [backbone(tmp_path / "model", "one")], terms).records[0]
    (sha256,) = load_record(terms.folder / "trials" / record.path.rsplit("/", 1)[1]).built_on.values()
    assert len(sha256) == 64


# --- collapsed trainings and trackers ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        ([], (False, False, 1.0, "")),
        ([Attempt()], (False, False, 1.0, "")),
        ([Attempt(1.0, "one class"), Attempt(0.25)], (False, True, 0.25, "one class")),
        ([Attempt(1.0, "one class"), Attempt(0.25, "still")], (True, True, 0.25, "one class")),
    ],
)
def test_a_record_counts_collapsed_trainings(splits, terms, fits, monkeypatch, attempts, expected):
    fit = fits.fit

    def collapses(*rest):
        for attempt in attempts:
            rest[-1].attempted(attempt)
        return fit(*rest)

    monkeypatch.setattr(fits, "fit", collapses)
    record = contest.run(splits, Classification(), [Trial("majority", {}, None, 0)], terms).records[0]
    again = load_record(terms.folder / "trials" / record.path.rsplit("/", 1)[1])
    for each in (record, again):
        assert (each.collapsed, each.retried, each.rate_factor, each.collapse) == expected


def test_trackers_write_to_a_folder_that_names_the_trial(splits, terms, fits, monkeypatch):
    given = []
    fit = fits.fit
    monkeypatch.setattr(fits, "fit", lambda *rest: given.append(rest[-1]) or fit(*rest))
    trial = Trial("majority", {}, 20, 3)
    contest.run(splits, Classification(), [trial], replace(terms, track=("tensorboard",)))
    (run,) = given
    assert run.tracking.names == ("tensorboard",)
    assert run.tracking.folder.name == f"majority-20-rows-seed-3-{key(splits, trial, terms)[:8]}"
    assert run.tracking.work == run.folder
