from dataclasses import replace

import pytest

from headstart.contest import trials as naming
from headstart.core.records import Trial


@pytest.mark.parametrize(
    "change", ["data", "metric", "minutes", "seed", "options", "tuning", "size", "device", "packages"]
)
def test_anything_that_changes_a_result_changes_its_key(splits, terms, trials, change, monkeypatch):
    trial, before = trials[0], naming.key(splits, trials[0], terms)
    if change == "data":
        splits = replace(splits, sha256="other")
    elif change == "packages":
        monkeypatch.setattr(naming.importlib.metadata, "version", lambda name: "99")
    elif change in ("metric", "minutes", "device"):
        terms = replace(terms, **{change: {"metric": "MCC", "minutes": 1.0, "device": "cuda"}[change]})
    else:
        trial = replace(trial, **{change: {"seed": 9, "options": {"x": 1}, "tuning": {"rank": 9}, "size": 7}[change]})
    assert naming.key(splits, trial, terms) != before


def test_unlabelled_texts_are_for_those_that_read_them_and_part_of_their_trials_names(splits, terms):
    told = replace(terms, unlabelled=("one more text", "another"))
    reader, other = Trial("selfpretrained", {}, None, 0), Trial("linear", {}, None, 0)
    assert naming.key(splits, other, told) == naming.key(splits, other, terms)
    names = {naming.key(splits, reader, replace(terms, unlabelled=texts)) for texts in ((), ("one",), ("two",))}
    assert len(names) == 3
    assert naming.unlabelled_for(reader, told) == told.unlabelled
    assert naming.unlabelled_for(other, told) == ()


def test_another_option_of_a_member_is_another_trial(splits, terms, ensemble):
    key = [naming.key(splits, ensemble(options={"linear.features": n})[-1], terms) for n in (100, 200)]
    assert key[0] != key[1]


def test_the_seeds_of_its_members_do_not_part_sister_trials(splits, terms, ensemble):
    sisters = ensemble(("ensemble",), options={"ensemble.members": "linear"})[:2]
    assert sisters[0].members[0].seed != sisters[1].members[0].seed
    assert len({naming.key(splits, trial, terms, with_seed=False) for trial in sisters}) == 1
