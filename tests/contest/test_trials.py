from dataclasses import dataclass, replace

import pytest

from headstart.contest import trials as naming
from headstart.core.records import Trial
from headstart.tasks.classification import Classification


def key(splits, trial, terms, task=None):
    return naming.jobs(splits, task or Classification(), [trial], terms)[0].key


@pytest.mark.parametrize(
    "change", ["data", "metric", "minutes", "seed", "options", "tuning", "size", "device", "packages"]
)
def test_anything_that_changes_a_result_changes_its_key(splits, terms, trials, change, monkeypatch):
    trial, before = trials[0], key(splits, trials[0], terms)
    if change == "data":
        splits = replace(splits, sha256="other")
    elif change == "packages":
        monkeypatch.setattr(naming.devices, "versions", lambda: {"torch": "99"})
    elif change in ("metric", "minutes", "device"):
        terms = replace(terms, **{change: {"metric": "MCC", "minutes": 1.0, "device": "cuda"}[change]})
    else:
        trial = replace(trial, **{change: {"seed": 9, "options": {"x": 1}, "tuning": {"rank": 9}, "size": 7}[change]})
    assert key(splits, trial, terms) != before


def test_unlabelled_texts_are_for_those_that_read_them_and_part_of_their_trials_names(splits, terms):
    with_texts = replace(terms, unlabelled=("one more text", "another"))
    reader, other = Trial("selfpretrained", {}, None, 0), Trial("linear", {}, None, 0)
    assert key(splits, other, with_texts) == key(splits, other, terms)
    names = {key(splits, reader, replace(terms, unlabelled=texts)) for texts in ((), ("one",), ("two",))}
    assert len(names) == 3
    assert naming.unlabelled_for(reader, with_texts) == with_texts.unlabelled
    assert naming.unlabelled_for(other, with_texts) == ()


def test_another_option_of_a_member_is_another_trial(splits, terms, ensemble):
    assert len({key(splits, ensemble(options={"linear.features": n})[-1], terms) for n in (100, 200)}) == 2


def test_the_seeds_of_its_members_do_not_part_sister_trials(splits, terms, ensemble):
    sisters = ensemble(("ensemble",), options={"ensemble.members": "linear"})[:2]
    assert sisters[0].members[0].seed != sisters[1].members[0].seed
    assert len({job.group for job in naming.jobs(splits, Classification(), sisters, terms)}) == 1


# --- content, not paths -----------------------------------------------------------------------------------------


def model_folder(place, weights="weights"):
    place.mkdir()
    (place / "config.json").write_text("{}")
    (place / "model.safetensors").write_text(weights)
    return str(place)


@pytest.mark.parametrize(("contender", "option"), [("finetuned:full", "backbone"), ("distilled", "teacher")])
def test_a_model_that_changed_is_another_trial_and_a_copy_of_it_is_not(splits, terms, tmp_path, contender, option):
    model, copy = model_folder(tmp_path / "model"), model_folder(tmp_path / "copy")
    one, other = (Trial(contender, {option: path}, None, 0) for path in (model, copy))
    before = key(splits, one, terms)
    assert key(splits, other, terms) == before
    assert naming.jobs(splits, Classification(), [one], terms)[0].built_on.keys() == {model}
    (tmp_path / "model/model.safetensors").write_text("Weights")
    assert key(splits, one, terms) != before
    assert key(splits, other, terms) == before


def test_a_backbone_that_no_training_reads_is_not_read(splits, terms):
    member = Trial("linear", {}, None, 0)
    taught = Trial("distilled", {"teacher": "linear", "backbone": "nowhere"}, None, 0, members=(member,))
    alone = Trial("distilled:alone", {"teacher": "none", "backbone": "nowhere"}, None, 0)
    for trial in (taught, alone):
        assert naming.jobs(splits, Classification(), [trial], terms)[0].built_on == {}
    several = [taught, Trial("finetuned:full", {"backbone": "a"}, None, 0, members=(taught,)), alone]
    assert naming.all_sources(several) == ("a",)


def test_what_a_member_is_built_on_counts(splits, terms, tmp_path):
    member = Trial("finetuned:full", {"backbone": model_folder(tmp_path / "model")}, None, 0)
    student = Trial("distilled", {"teacher": "finetuned:full"}, None, 0, members=(member,))
    before = key(splits, student, terms)
    (tmp_path / "model/config.json").write_text("[]")
    assert key(splits, student, terms) != before


def test_the_task_and_its_options_count(splits, terms, trials):
    @dataclass(frozen=True)
    class Other(Classification):
        threshold: float = 0.5

    keys = {key(splits, trials[0], terms, task) for task in (Classification(), Other(), Other(threshold=0.4))}
    assert len(keys) == 3


def test_a_model_is_hashed_once_for_all_trials(splits, terms, tmp_path, monkeypatch):
    model = model_folder(tmp_path / "model")
    hashed = []
    monkeypatch.setattr(naming.contents, "sha256", lambda source: hashed.append(source) or "hash")
    naming.jobs(
        splits, Classification(), [Trial("finetuned:full", {"backbone": model}, None, s) for s in (0, 1)], terms
    )
    assert hashed == [model]


def test_each_trial_is_hashed_once_though_others_build_on_it(splits, terms, ensemble, monkeypatch):
    planned = ensemble()
    hashed = []
    monkeypatch.setattr(naming, "_hash", lambda parts, real=naming._hash: hashed.append(parts) or real(parts))
    jobs = naming.jobs(splits, Classification(), planned, terms)
    whole = {job.key: job for job in jobs} | {member.key: member for job in jobs for member in job.members}
    assert [job.trial for job in jobs] == list(planned)
    assert len(whole) == len(planned) == 9
    assert sum("seed" in parts for parts in hashed) == sum("seed" not in parts for parts in hashed) == len(whole)


def test_a_trial_names_a_file_whatever_its_contender_is_called(splits, terms):
    (job,) = naming.jobs(splits, Classification(), [Trial("finetuned:full@a/b c", {}, None, 7)], terms)
    assert naming.file_name(job) == f"finetuned-full-a-b-c-all-rows-seed-7-{job.key[:8]}"
