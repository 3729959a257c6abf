import csv
import importlib.metadata
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from headstart.contenders.majority import Majority
from headstart.contest import run as contest
from headstart.contest import trials as trials_module
from headstart.contest.ledger import load_record, write_record
from headstart.contest.plan import plan
from headstart.contest.trials import jobs
from headstart.core import checked, device
from headstart.core.contracts import Contender
from headstart.core.errors import CheckpointError, TrainingError
from headstart.core.records import Attempt, Predictions, Rows, Trial
from headstart.tasks.classification import Classification


def key(splits, trial, terms):
    return jobs(splits, Classification(), [trial], terms)[0].key


def openings(terms) -> list[dict]:
    return [json.loads(line) for line in (terms.folder / "test_openings.jsonl").read_text().splitlines()]


class Fits(Contender):
    """A contender that counts its trainings and can be made to fail."""

    name = "majority"

    def __init__(self):
        self.rows, self.errors, self.runs = [], {}, []

    def fit(self, train, validation, task, run):
        run.folder.mkdir(parents=True, exist_ok=True)
        (run.folder / "checkpoint").write_text("half way")
        self.rows.append(len(train))
        self.runs.append(run)
        if error := self.errors.get(len(train)):
            raise error
        return Majority().fit(train, validation, task, run)


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
    assert set(linear.calibration) >= {"ece", "brier"}
    assert linear.cost.train_seconds > 0
    assert linear.cost.disk_bytes > 100
    assert linear.cost.latency_p95 >= linear.cost.latency_p50 > 0
    assert linear.machine["packages"]["scikit-learn"]
    assert not list((terms.folder / "work").glob("*"))


def test_nine_trials_read_the_versions_of_packages_once_and_hash_each_trial_once(splits, terms, monkeypatch):
    sizes = (20, 30, 40, 50, "all")
    nine = plan(task=Classification(), train_rows=60, contenders=("majority",), sizes=sizes, seeds=(0, 1)).trials
    read, hashed = [], []
    version, digest = importlib.metadata.version, trials_module._hash
    monkeypatch.setattr(importlib.metadata, "version", lambda name: read.append(name) or version(name))
    monkeypatch.setattr(trials_module, "_hash", lambda parts: hashed.append(parts.get("seed")) or digest(parts))
    device.versions.cache_clear()
    outcome = contest.run(splits, Classification(), nine, terms)
    assert len(outcome.records) == 9
    assert sorted(read) == sorted(device.PACKAGES)
    assert len([seed for seed in hashed if seed is not None]) == 9
    assert all(record.machine["packages"]["torch"] == version("torch") for record in outcome.records)


def test_an_outdated_checkpoint_in_a_trials_folder_is_replaced(splits, terms, trials, fits):
    contest.run(splits, Classification(), trials[:1], terms)
    (given,) = fits.runs
    assert given.replace_others
    assert given.folder.name == key(splits, trials[0], terms)  # so that settings and data cannot be others


def test_predictions_lie_beside_the_record(splits, terms, trials):
    majority, linear = contest.run(splits, Classification(), [trials[0], trials[-1]], terms).records
    for record in (majority, linear):
        rows = [json.loads(line) for line in Path(record.path).with_suffix(".jsonl").read_text().splitlines()]
        assert [row["id"] for row in rows] == list(splits.test.ids)
        assert [row["target"] for row in rows] == list(splits.test.targets)
        assert np.mean([row["target"] == row["predicted"] for row in rows]) == pytest.approx(record.scores["accuracy"])
        assert [row["scores"] for row in rows] == record.predictions.probabilities.tolist()
        assert all(sum(row["scores"]) == pytest.approx(1) for row in rows)
        for row in rows:
            assert row["confidence"] == row["scores"][record.predictions.classes.index(row["predicted"])]


def reload(record, splits, terms):
    return load_record(terms.folder / "trials" / Path(record.path).name, splits)


def test_a_record_is_read_back_bit_for_bit(splits, terms, trials):
    record = contest.run(splits, Classification(), trials[-1:], terms).records[0]
    again = reload(record, splits, terms)
    assert replace(again, predictions=record.predictions) == record
    assert again.predictions.values == record.predictions.values
    assert np.array_equal(again.predictions.probabilities, record.predictions.probabilities)
    assert again.predictions.probabilities.dtype == np.float32


def some_record(path, make_record, splits, predictions):
    made = make_record("x", predictions.values, score=1.0)
    return replace(made, path=str(path), predictions=predictions, data_sha256=splits.sha256)


def with_test(splits, values):
    return replace(splits, test=Rows(values, values, values))


def test_hostile_labels_survive_the_file(tmp_path, make_record, splits):
    classes = ('a,"b"', "line\nbreak", "lone \ud800", "p(x)", "carriage\rreturn")
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), 5).astype(np.float32)
    probabilities[0] = np.float32([1e-45, 3.4028235e38, 0.1, 1 / 3, 1.1754944e-38])
    mine = with_test(splits, classes)
    record = some_record(tmp_path / "r.json", make_record, mine, Predictions(classes, classes, probabilities))
    write_record(record, mine.test)
    again = load_record(tmp_path / "r.json", mine).predictions
    assert again.values == again.classes == classes
    assert np.array_equal(again.probabilities, probabilities)


def test_predictions_without_probabilities(tmp_path, make_record, splits):
    values = ("one", "two")
    mine = with_test(splits, values)
    write_record(some_record(tmp_path / "r.json", make_record, mine, Predictions(values)), mine.test)
    assert load_record(tmp_path / "r.json", mine).predictions == Predictions(values)
    line = json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])
    assert line == {"id": "one", "target": "one", "predicted": "one"}


def test_the_confidence_of_whole_answers_survives_the_file(tmp_path, make_record, splits):
    values, confidence = ("in Rome", ""), np.array([1 / 3, 0.25])
    mine = with_test(splits, ("in Rome", "in Bern"))
    predictions = Predictions(values, confidence=confidence)
    write_record(some_record(tmp_path / "r.json", make_record, mine, predictions), mine.test)
    again = load_record(tmp_path / "r.json", mine).predictions
    assert again.probabilities is None
    assert again.confidence.tolist() == confidence.tolist()


def test_rows_of_several_labels_have_scores_and_no_confidence(tmp_path, make_record, splits):
    mine = with_test(splits, (("a",), ("a", "b")))
    predictions = Predictions((("a",), ()), ("a", "b"), np.array([[0.75, 0.25], [0.25, 0.0]], dtype=np.float32))
    write_record(some_record(tmp_path / "r.json", make_record, mine, predictions), mine.test)
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [sorted(row) for row in rows] == [["id", "predicted", "scores", "target"]] * 2
    assert load_record(tmp_path / "r.json", mine).predictions.values == predictions.values


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
    splits = replace(splits, test=replace(splits.test, targets=("new", *splits.test.targets[1:])))

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


def one_digit(path):
    """Change one digit of a file: the last of its first line that has one."""
    content = path.read_text()
    place = max(place for place, letter in enumerate(content[: len(content) // 2]) if letter.isdigit())
    path.write_text(content[:place] + str((int(content[place]) + 1) % 10) + content[place + 1 :])


@pytest.mark.parametrize("name", ["json", "jsonl"])
@pytest.mark.parametrize(
    "damage",
    [
        one_digit,
        lambda path: path.write_text(""),
        lambda path: path.write_text("[1, 2]"),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_bytes(b"\xff"),
        lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1])),
        lambda path: path.write_text("".join(reversed(path.read_text().splitlines(keepends=True)))),
    ],
)
def test_a_damaged_record_is_named_and_its_trial_runs_again_without_it(splits, terms, trials, name, damage):
    record = contest.run(splits, Classification(), trials[:1], terms).records[0]
    path = terms.folder / "trials" / Path(record.path).name
    damage(path.with_suffix(f".{name}"))
    sentence = rf"{path.stem}\.{name}' is damaged \(.*\); delete '.*{path.name}', and its trial runs again"
    with pytest.raises(CheckpointError, match=sentence):
        contest.run(splits, Classification(), trials[:1], terms)
    path.unlink()
    assert contest.run(splits, Classification(), trials[:1], terms).records[0].scores == record.scores


def test_missing_predictions_are_named(splits, terms, trials):
    record = contest.run(splits, Classification(), trials[:1], terms).records[0]
    Path(record.path).with_suffix(".jsonl").unlink()
    with pytest.raises(CheckpointError, match=r"jsonl' cannot be read \(No such file or directory\); delete '"):
        contest.run(splits, Classification(), trials[:1], terms)


def test_a_record_under_another_name_or_of_another_split_is_refused(splits, terms, trials):
    record = contest.run(splits, Classification(), trials[-1:], terms).records[0]
    path = terms.folder / "trials" / Path(record.path).name
    for ending in (".json", ".jsonl"):
        path.with_name(f"other{ending}").write_bytes(path.with_suffix(ending).read_bytes())
    with pytest.raises(CheckpointError, match=rf"other\.json' is damaged \(it is the record of the trial {path.stem}"):
        load_record(path.with_name("other.json"), splits)
    with pytest.raises(CheckpointError, match="it belongs to another split of the data"):
        load_record(path, replace(splits, sha256="another"))
    renamed = replace(splits.test, ids=tuple(f"copy-{name}" for name in splits.test.ids))
    assert load_record(path, replace(splits, test=renamed)).scores == record.scores
    turned = replace(splits.test, targets=(*splits.test.targets[1:], splits.test.targets[0]))
    with pytest.raises(CheckpointError, match=r"jsonl' has other test rows than this comparison; delete '"):
        load_record(path, replace(splits, test=turned))
    written = checked.read(path, "")
    checked.write(path, {**written, "format": 3})
    with pytest.raises(CheckpointError, match="has format 3, this Headstart reads 2; install a newer one"):
        load_record(path, splits)


def as_before(record, splits):
    """Write a record as versions did that knew no hashes."""
    path = Path(record.path)
    with path.with_suffix(".csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "target", "predicted", *(f"p({name})" for name in record.predictions.classes)])
        for row in zip(splits.test.ids, splits.test.targets, record.predictions.values, strict=True):
            numbers = record.predictions.probabilities[splits.test.ids.index(row[0])]
            writer.writerow([*row, *(repr(float(number)) for number in numbers)])
    values = asdict(replace(record, predictions=Predictions(())))
    del values["predictions"], values["path"]
    path.write_text(json.dumps(values, indent=1))
    path.with_suffix(".jsonl").unlink()


def test_a_record_without_hashes_gets_them_and_a_note(splits, terms, trials):
    record = contest.run(splits, Classification(), trials[-1:], terms).records[0]
    as_before(record, splits)
    for _ in range(2):
        again = contest.run(splits, Classification(), trials[-1:], terms).records[0]
        assert replace(again, predictions=record.predictions) == record
        assert np.array_equal(again.predictions.probabilities, record.predictions.probabilities)
    path = Path(record.path)
    assert "an earlier version wrote this record without any" in checked.read(path, "")["note"]
    assert sorted(file.name for file in path.parent.iterdir()) == [path.name, f"{path.name}l"]


@pytest.mark.parametrize("damage", ["", "id,target,predicted\na,b,c\n", None])
def test_a_damaged_record_without_hashes_is_named(splits, terms, trials, damage):
    record = contest.run(splits, Classification(), trials[-1:], terms).records[0]
    as_before(record, splits)
    table = Path(record.path).with_suffix(".csv")
    if damage is None:
        table.unlink()
    else:
        table.write_text(damage)
    with pytest.raises(CheckpointError, match=r"csv' (is damaged; delete|has other test rows).*its trial runs again"):
        contest.run(splits, Classification(), trials[-1:], terms)


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


def test_the_seconds_before_an_interruption_count(splits, terms, monkeypatch):
    from headstart.contenders.majority import Majority

    fit = Majority.fit

    def resuming(self, train, validation, task, run):
        run.resumed(1000.0)
        return fit(self, train, validation, task, run)

    monkeypatch.setattr(Majority, "fit", resuming)
    trials = plan(task=Classification(), train_rows=60, contenders=("majority",), seeds=(0,)).trials
    (record,) = contest.run(splits, Classification(), trials, terms).records
    assert 1000 < record.cost.train_seconds < 1010


def test_a_member_that_failed_is_not_tried_again_and_is_named(splits, terms, monkeypatch, ensemble):
    from headstart.contenders.linear import Linear

    tried = []

    def fails(self, train, *rest):
        tried.append(len(train))
        raise TrainingError("no convergence.")

    monkeypatch.setattr(Linear, "fit", fails)
    outcome = contest.run(splits, Classification(), ensemble(), terms)
    assert tried == [20, 60]
    assert outcome.failed == {"linear on 20 rows": "no convergence.", "linear": "no convergence."}
    assert [r.trial.contender for r in outcome.records if r.trial.size is None] == ["majority", "ensemble"]
    alone = ensemble(("ensemble",), options={"ensemble.members": "linear"})
    outcome = contest.run(splits, Classification(), alone, replace(terms, folder=terms.folder / "other"))
    assert "'linear' could not be trained, so nothing builds on it: no convergence" in outcome.failed["ensemble"]


def test_a_record_keeps_what_it_was_built_on(splits, terms, ensemble):
    record = contest.run(splits, Classification(), ensemble(), terms).records[-1]
    again = reload(record, splits, terms)
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
    (sha256,) = reload(record, splits, terms).built_on.values()
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
    again = reload(record, splits, terms)
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
