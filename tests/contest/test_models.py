import pytest

from headstart.contenders import _saved
from headstart.contenders.majority import Majority
from headstart.contest import models
from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.core.errors import CheckpointError
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
    again = contest.run(splits, task, three, terms).records
    model = models.kept_model(splits, again, terms, "scratch")
    best = models.keep_best(model, terms)
    assert best == terms.folder / "best"
    assert _saved.open_model(best).predict(["x"]).values == ("good",)
    assert records[1].validation["accuracy"] > records[0].validation["accuracy"]
    assert models.keep_best(model, terms) == best


def test_no_model_to_keep_is_said(splits, terms, trials):
    outcome = contest.run(splits, Classification(), trials[:1], terms)
    with pytest.raises(CheckpointError, match="holds no model of 'majority' on all rows"):
        models.kept_model(splits, outcome.records, terms, "majority")
