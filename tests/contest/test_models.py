from headstart.contenders import _saved
from headstart.contenders.majority import Majority
from headstart.contest import models
from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.core.records import Rows
from headstart.tasks.classification import Classification


def test_best_is_the_seed_that_did_best_on_validation_and_costs_no_training(splits, terms, monkeypatch):
    task = Classification()
    three = plan(task=task, train_rows=60, contenders=("scratch",), seeds=(0, 1, 2)).trials

    class BySeed:
        def fit(self, train, validation, fitted_task, run):
            truth = Rows(train.ids, train.inputs, ("good" if run.seed == 1 else "bad",) * len(train))
            return Majority().fit(truth, validation, fitted_task, run)

    monkeypatch.setattr(contest.rooms, "load", lambda room, name, options: BySeed())
    records = contest.run(splits, task, three, terms).records
    monkeypatch.undo()
    model = contest.run(splits, task, three, terms).models["scratch"]
    models.announce(model, terms)
    assert _saved.open_model(terms.folder / "best").predict(["x"]).values == ("good",)
    assert records[1].validation["accuracy"] > records[0].validation["accuracy"]
    models.announce(model, terms)
    assert [path.name for path in (terms.folder / "models").iterdir() if path.is_dir()] == [model.name]


def test_a_model_that_was_announced_outlives_a_better_seed(splits, terms, monkeypatch):
    task = Classification()

    class BySeed:
        def fit(self, train, validation, fitted_task, run):
            truth = Rows(train.ids, train.inputs, ("good" if run.seed == 3 else "bad",) * len(train))
            return Majority().fit(truth, validation, fitted_task, run)

    first, more = (plan(task=task, train_rows=60, contenders=("scratch",), seeds=s).trials for s in ((0,), (1, 2, 3)))
    with monkeypatch.context() as patch:
        patch.setattr(contest.rooms, "load", lambda room, name, options: BySeed())
        announced = contest.run(splits, task, first, terms).models["scratch"]
        models.announce(announced, terms)
        better = contest.run(splits, task, more, terms).models["scratch"]
    assert better != announced
    assert _saved.open_model(announced).predict(["x"]).values == ("bad",)
    assert _saved.open_model(better).predict(["x"]).values == ("good",)
    assert {path.name for path in (terms.folder / "models").iterdir() if path.is_dir()} == {announced.name, better.name}


def test_no_model_on_all_rows(splits, terms, trials):
    assert contest.run(splits, Classification(), trials[:1], terms).models == {}
