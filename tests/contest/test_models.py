import shutil
from dataclasses import replace

import numpy as np
import pytest

from headstart.checkpoints import folder
from headstart.contenders.majority import Majority
from headstart.contest import meter, models
from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.core.contracts import Contender
from headstart.core.errors import CheckpointError
from headstart.core.records import Rows, Trial
from headstart.nn.encoder import Encoder
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.text import vocabulary


@pytest.fixture(autouse=True)
def few_calls(monkeypatch):
    """Measure latencies by few calls: no test here asks how long they take."""
    monkeypatch.setattr(meter, "LATENCY_CALLS", 5)


def test_best_is_the_seed_that_did_best_on_validation_and_costs_no_training(splits, terms, monkeypatch):
    task = Classification()
    three = plan(task=task, train_rows=60, contenders=("scratch",), seeds=(0, 1, 2)).trials

    class BySeed(Contender):
        def fit(self, train, validation, fitted_task, run):
            truth = Rows(train.ids, train.inputs, ("good" if run.seed == 1 else "bad",) * len(train))
            return Majority().fit(truth, validation, fitted_task, run)

    monkeypatch.setattr(contest.contenders, "load", lambda name, options: BySeed())
    records = contest.run(splits, task, three, terms).records
    monkeypatch.undo()
    model = contest.run(splits, task, three, terms).models["scratch"]
    models.announce(model, terms)
    assert model_folder.open_model(terms.folder / "best").predict(["x"]).values == ("good",)
    assert records[1].validation["accuracy"] > records[0].validation["accuracy"]
    models.announce(model, terms)
    assert [path.name for path in (terms.folder / "models").iterdir() if path.is_dir()] == [model.name]


class Answers(Contender):
    """A contender that answers every text with one label, by its seed."""

    def __init__(self, *labels):
        self.labels = labels

    def fit(self, train, validation, task, run):
        truth = Rows(train.ids, train.inputs, (self.labels[run.seed],) * len(train))
        return Majority().fit(truth, validation, task, run)


@pytest.mark.parametrize(("labels", "best_seed"), [(("bad", "good", "good"), 1), (("good", "bad", "good"), 0)])
def test_the_seed_that_is_kept_is_the_first_of_the_best_on_validation_whatever_test_says(
    splits, terms, monkeypatch, labels, best_seed
):
    turned = {"good": "bad", "bad": "good"}
    test = replace(splits.test, targets=tuple(turned[label] for label in splits.test.targets))
    trials = [Trial("scratch", {}, None, seed) for seed in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr(contest.contenders, "load", lambda name, options: Answers(*labels))
        outcome = contest.run(replace(splits, test=test), Classification(), trials, terms)
    assert outcome.records[best_seed].scores["accuracy"] == min(record.scores["accuracy"] for record in outcome.records)
    assert models.note_of(outcome.models["scratch"])["seed"] == best_seed
    assert model_folder.open_model(outcome.models["scratch"]).predict(["x"]).values == ("good",)


def test_a_model_that_was_announced_outlives_a_better_seed(splits, terms, monkeypatch):
    task = Classification()

    class BySeed(Contender):
        def fit(self, train, validation, fitted_task, run):
            truth = Rows(train.ids, train.inputs, ("good" if run.seed == 3 else "bad",) * len(train))
            return Majority().fit(truth, validation, fitted_task, run)

    first, more = (plan(task=task, train_rows=60, contenders=("scratch",), seeds=s).trials for s in ((0,), (1, 2, 3)))
    with monkeypatch.context() as patch:
        patch.setattr(contest.contenders, "load", lambda name, options: BySeed())
        announced = contest.run(splits, task, first, terms).models["scratch"]
        models.announce(announced, terms)
        better = contest.run(splits, task, more, terms).models["scratch"]
    assert better != announced
    assert model_folder.open_model(announced).predict(["x"]).values == ("bad",)
    assert model_folder.open_model(better).predict(["x"]).values == ("good",)
    assert {path.name for path in (terms.folder / "models").iterdir() if path.is_dir()} == {announced.name, better.name}


def test_no_model_on_all_rows(splits, terms, trials):
    assert contest.run(splits, Classification(), trials[:1], terms).models == {}


def test_kept_models_share_the_words_of_their_backbone_and_best_stands_alone(splits, terms, tmp_path):
    tokenizer = vocabulary.train(splits.train.inputs, 60, window=16)
    arguments = {"vocabulary": 400, "width": 8, "layers": 1, "heads": 2, "feed_forward": 16, "window": 16, "dropout": 0}
    base = tmp_path / "base"
    base.mkdir()
    folder.save(base, Encoder(**arguments), tokenizer, "bert", arguments, None)
    task, options = Classification(), {"finetuned.epochs": 1, "ensemble.members": "finetuned:full+linear"}
    names = ("finetuned:full", "ensemble:mean")
    trials = plan(task=task, train_rows=60, contenders=names, backbone=str(base), options=options, seeds=(0,)).trials
    outcome = contest.run(splits, task, trials, terms)
    stored = outcome.models["ensemble:mean"]
    assert {path.parent.name for path in terms.folder.rglob("words.safetensors")} == {
        outcome.models["finetuned:full"].name,
        "member-0",
    }
    whole = {record.trial.contender: record.cost.disk_bytes for record in outcome.records}
    assert whole["finetuned:full"] > 400 * 8 * 4
    before = model_folder.open_model(stored).predict(splits.test.inputs)
    models.announce(stored, terms)
    shutil.rmtree(base)
    for place in (terms.folder / "best", stored):
        assert not [*place.rglob("words.safetensors")]
        np.testing.assert_array_equal(
            model_folder.open_model(place).predict(splits.test.inputs).probabilities, before.probabilities
        )
        # Large files are one with two names.
        assert (place / "member-0" / "model.safetensors").stat().st_nlink == 2
    with pytest.raises(CheckpointError, match="saved without the words of its backbone"):
        model_folder.open_model(outcome.models["finetuned:full"])


def test_a_kept_model_is_checked_before_it_becomes_best(splits, terms, trials):
    outcome = contest.run(splits, Classification(), trials, terms)
    majority, linear = outcome.models["majority"], outcome.models["linear"]
    models.announce(majority, terms)
    path = linear / "n_grams.json"
    content = path.read_text()
    path.write_text(content.replace("love", "hate"))
    with pytest.raises(
        CheckpointError, match=rf"n_grams\.json' is not the file that was saved; .* or delete '.*{linear.name}\.json'"
    ):
        models.announce(linear, terms)
    assert model_folder.open_model(terms.folder / "best").predict(["love"]).values == ("good",)
    (terms.folder / "trials" / f"{linear.name}.json").unlink()
    again = contest.run(splits, Classification(), trials, terms).models["linear"]
    models.announce(again, terms)
    assert (terms.folder / "best" / "n_grams.json").read_text() == content


@pytest.mark.parametrize("what", ["folder", "file", "note", "content of the note"])
def test_a_model_that_is_gone_is_trained_again(splits, terms, trials, what):
    outcome = contest.run(splits, Classification(), trials, terms)
    linear = outcome.models["linear"]
    note = linear.with_suffix(".json")
    content = (linear / "linear.safetensors").read_bytes()
    if what == "folder":
        shutil.rmtree(linear)
    elif what == "file":
        (linear / "linear.safetensors").write_bytes(content[:-1])
    elif what == "note":
        note.unlink()
    else:
        note.write_text(note.read_text().replace('"seed": 0', '"seed": 1'))
    kinds = []
    again = contest.run(splits, Classification(), trials, terms, lambda event: kinds.append(event.kind))
    assert kinds.count("finished") == 1
    assert again.models == outcome.models
    assert (linear / "linear.safetensors").read_bytes() == content
    assert [record.scores for record in again.records] == [record.scores for record in outcome.records]


def test_the_best_seed_is_trained_again_and_no_worse_one_takes_its_place(splits, terms, monkeypatch):
    task = Classification()
    seeds = plan(task=task, train_rows=60, contenders=("scratch",), seeds=(0, 1)).trials

    class BySeed(Contender):
        def fit(self, train, validation, fitted_task, run):
            truth = Rows(train.ids, train.inputs, ("good" if run.seed == 1 else "bad",) * len(train))
            return Majority().fit(truth, validation, fitted_task, run)

    monkeypatch.setattr(contest.contenders, "load", lambda name, options: BySeed())
    best = contest.run(splits, task, seeds, terms).models["scratch"]
    models.delete(best)
    (record,) = (path for path in (terms.folder / "trials").glob("*.json") if path.stem != best.name)
    record.unlink()  # so that the worse one, trained again, finds no better one that is kept
    kinds = []
    again = contest.run(splits, task, seeds, terms, lambda event: kinds.append(event.kind))
    assert kinds.count("finished") == 2
    assert again.models["scratch"] == best


def test_a_damaged_model_that_others_build_on_is_trained_again(splits, terms, ensemble, monkeypatch):
    trials = ensemble()[-1:]
    outcome = contest.run(splits, Classification(), trials, terms)
    contest.run(splits, Classification(), ensemble(("linear",))[-1:], terms)
    (linear,) = [folder for folder in (terms.folder / "models").glob("*/") if (folder / "n_grams.json").is_file()]
    (linear / "n_grams.json").write_text("[]")
    for path in (terms.folder / "trials").glob(f"{outcome.models['ensemble'].name}.*"):
        path.unlink()
    again = contest.run(splits, Classification(), trials, terms)
    assert again.failed == {}
    assert again.records[0].scores == outcome.records[0].scores


@pytest.mark.parametrize("ended", ["before the member's folder was deleted", "before the member's model was deleted"])
def test_what_is_left_of_members_after_a_kill_is_deleted(splits, terms, ensemble, monkeypatch, ended):
    trials, work = ensemble()[-1:], terms.folder / "work"
    with monkeypatch.context() as patched:
        if ended == "before the member's folder was deleted":
            patched.setattr(contest, "judge", _killed)
            patched.setattr(contest.shutil, "rmtree", lambda *given, **options: None)
        else:
            patched.setattr(contest.models, "delete", _killed)
        with pytest.raises(KeyboardInterrupt):
            contest.run(splits, Classification(), trials, terms)
    assert list(work.glob("*.model"))
    for model in work.glob("*.model"):
        model.with_suffix("").mkdir(exist_ok=True)
    contest.run(splits, Classification(), trials, terms)
    assert not list(work.glob("[!.]*"))


def _killed(*given):
    raise KeyboardInterrupt
