import dataclasses
from typing import ClassVar

import pytest

from headstart.contest.plan import learning_sizes, plan
from headstart.core import rooms
from headstart.core.contracts import Kind
from headstart.core.errors import UsageError
from headstart.tasks.classification import Classification


def planned(**arguments):
    return plan(**{"task": Classification(), "train_rows": 1000, **arguments})


def test_every_contender_at_every_size_with_every_seed_small_sizes_first():
    trials = planned(contenders=("linear", "scratch"), sizes=("all", 100), seeds=(3, 4)).trials
    assert [(t.contender, t.size, t.seed) for t in trials] == [
        ("linear", 100, 3),
        ("linear", 100, 4),
        ("scratch", 100, 3),
        ("scratch", 100, 4),
        ("linear", None, 3),
        ("scratch", None, 3),
        ("scratch", None, 4),
    ]


def test_a_contender_with_strategies_competes_once_for_each():
    trials = planned(
        contenders=("finetuned",), strategies=("full", "frozen"), backbone="some/folder", seeds=(0,)
    ).trials
    assert [t.contender for t in trials] == ["finetuned:full", "finetuned:frozen"]
    assert {t.options["backbone"] for t in trials} == {"some/folder"}


def test_a_contender_that_cannot_learn_the_kind_of_task_is_skipped_with_the_reason():
    @dataclasses.dataclass(frozen=True)
    class Translation(Classification):
        kind: ClassVar[Kind] = "text"

    made = planned(task=Translation(), contenders=("majority", "linear"), seeds=(0,))
    assert {trial.contender for trial in made.trials} == {"majority"}
    reason = (
        "it cannot learn tasks whose answers are of the kind 'text', only of the kinds facts, label, labels, number"
    )
    assert made.skipped == {"linear": reason}
    with pytest.raises(UsageError, match=rf"^ensemble builds on linear, but {reason}; name other members or another"):
        planned(task=Translation(), contenders=("ensemble",), options={"ensemble.members": "linear+majority"})


def test_a_name_with_its_strategy_is_taken_and_not_run_twice():
    assert [t.contender for t in planned(contenders=("finetuned:partial",), seeds=(0,)).trials] == ["finetuned:partial"]
    twice = planned(contenders=("finetuned", "finetuned:full"), strategies=("full",), seeds=(0,))
    assert len(twice.trials) == 1


def test_options_reach_their_contender_as_its_fields_types():
    trials = planned(contenders=("majority", "scratch"), options={"scratch.layers": "4"}, seeds=(0,)).trials
    assert trials[1].options["layers"] == 4
    assert trials[0].options == {}
    fixed = planned(contenders=("finetuned",), options={"finetuned.strategy": "full"}, seeds=(0,)).trials
    assert [t.contender for t in fixed] == ["finetuned:full"]


def test_options_of_a_strategy_reach_the_contender_that_follows_it():
    given = {"lora.rank": "4", "lora.targets": "query+key", "finetuned.batch_rows": 8}
    trials = planned(contenders=("finetuned:lora", "finetuned"), strategies=("full",), options=given, seeds=(0,)).trials
    assert [t.options["options"] for t in trials] == [("rank=4", "targets=query+key"), ()]
    assert {t.options["batch_rows"] for t in trials} == {8}
    alike = {"lora.targets": ("query", "key"), "lora.rank": 4}
    assert planned(contenders=("finetuned:lora",), options=alike, seeds=(0,)).trials[0].options["options"] == (
        "rank=4",
        "targets=query+key",
    )


def test_a_trial_tells_all_options_of_its_strategy_those_left_as_they_are_too():
    given = {"lora.rank": 4, "finetuned.learning_rate": 0.5}
    (tuned,) = planned(contenders=("finetuned:lora",), options=given, seeds=(0,)).trials
    usual = dataclasses.asdict(rooms.load("strategies", "lora"))
    assert tuned.tuning == {**usual, "rank": 4, "learning_rate": 0.5}
    assert planned(contenders=("linear",), seeds=(0,)).trials[0].tuning == {}


def test_all_means_every_file_in_the_room():
    assert {t.contender for t in planned(contenders=("all",), seeds=(0,)).trials} >= {"majority", "linear", "scratch"}


def test_all_begins_with_the_cheapest_and_ends_with_those_that_build_on_others():
    names = [t.contender for t in planned(contenders=("all",), strategies=("all",), seeds=(0,)).trials]
    assert names[:6] == ["majority", "linear", "scratch", "finetuned:frozen", "finetuned:partial", "finetuned:full"]
    assert names[-1] == "ensemble"


def test_a_contender_that_builds_on_others_comes_after_them_and_names_their_trials():
    trials = planned(
        contenders=("ensemble", "scratch", "linear"), sizes=(100, "all"), seeds=(3, 4), options={"scratch.layers": 4}
    ).trials
    assert [(t.contender, t.size) for t in trials[4:6]] == [("ensemble", 100)] * 2
    for trial in trials:
        if trial.contender == "ensemble":
            assert trial.options["members"] == ("scratch", "linear")
            scratch, linear = trial.members
            assert scratch in trials
            assert linear in trials
            assert (scratch.size, scratch.seed, scratch.options["layers"]) == (trial.size, trial.seed, 4)
    assert trials[-1].members[1].seed == 3  # runs once on all rows


def test_what_it_builds_on_need_not_take_part_and_still_gets_backbone_and_options():
    arguments = {
        "contenders": ("ensemble:mean",),
        "backbone": "some/folder",
        "options": {"ensemble.members": "majority+finetuned:full", "finetuned.epochs": 7},
    }
    trials = planned(**arguments, seeds=(0,)).trials
    assert [t.contender for t in trials] == ["ensemble:mean"]
    assert [m.contender for m in trials[0].members] == ["majority", "finetuned:full"]
    assert trials[0].members[1].options["backbone"] == "some/folder"
    assert trials[0].members[1].options["epochs"] == 7


def test_an_ensemble_of_deterministic_contenders_runs_once():
    trials = planned(contenders=("majority", "linear", "ensemble")).trials
    assert [t.contender for t in trials] == ["majority", "linear", "ensemble"]


def test_sizes_of_all_rows_and_more_are_all():
    trials = planned(contenders=("majority",), sizes=(50, 1000, "5000", "50"), seeds=(0,)).trials
    assert [t.size for t in trials] == [50, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"contenders": ("liner",)}, r"no contender 'liner'; did you mean 'linear'\?"),
        ({"strategies": ("ful",)}, r"no strategy 'ful'; did you mean 'full'\?"),
        ({"contenders": ("finetuned:ful",)}, r"no strategy 'ful'"),
        ({"contenders": ("linear:full",)}, "contender 'linear' has no strategies; write 'linear'"),
        ({"options": {"layers": 4}}, r"'layers' does not say whose it is; write it as contender\.layers=VALUE"),
        ({"options": {"scratsh.layers": 4}}, r"'scratsh\.layers' is for .* not in the comparison; did you mean 'scr"),
        (
            {"options": {"ner.scheme": "IOBES"}},
            r"'ner\.scheme': a task has no options, only what it learns from the rows",
        ),
        ({"options": {"lora.rank": 4}}, r"'lora\.rank' is for a contender or strategy that is not in the comparison"),
        ({"contenders": ("linear",), "options": {"full.epochs": 4}}, r"'full\.epochs' is for a contender or strategy"),
        ({"options": {"full.epoch": 4}}, r"strategy 'full' has no option 'epoch'; did you mean 'epochs'\?"),
        ({"options": {"full.epochs": "x"}}, "option 'epochs' of strategy 'full' must be int, not 'x'"),
        ({"options": {"partial.blocks": -1}}, "option 'blocks' of strategy 'partial' is -1; give a number from 0 up"),
        ({"options": {"scratch.layer": 4}}, r"contender 'scratch' has no option 'layer'; did you mean 'layers'\?"),
        ({"options": {"scratch.layers": "x"}}, "must be int, not 'x'"),
        ({"contenders": ("ensemble",)}, "'ensemble' finds no others to build on; add some, .*ensemble.members=linear"),
        (
            {"contenders": ("ensemble",), "options": {"ensemble.members": "linear+ensemble"}},
            "ensemble builds on ensemble, itself; name other members or another teacher",
        ),
        ({"sizes": ("some",)}, "size 'some' is not a number of training rows"),
        ({"sizes": (0,)}, "a size of 0 training rows makes no sense"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(UsageError, match=message):
        planned(**arguments)


def test_its_own_sizes_leave_room_for_a_curve():
    assert learning_sizes(2100) == (210, 700)
    assert learning_sizes(50) == (20, 20)


def test_several_backbones_compete_once_each_under_their_own_names():
    trials = planned(
        contenders=("linear", "finetuned", "distilled"),
        strategies=("full", "frozen"),
        backbone="minilm, /a/model,/b/model",
        options={"finetuned.epochs": 2, "distilled.epochs": 1},
        seeds=(0,),
    ).trials
    by_name = {trial.contender: trial for trial in trials}
    labels = {"minilm": "minilm", "a-model": "/a/model", "b-model": "/b/model"}
    assert [*by_name] == [
        "linear",
        *(f"finetuned:{way}@{label}" for label in labels for way in ("full", "frozen")),
        *(f"distilled@{label}" for label in labels),
    ]
    for name, trial in by_name.items():
        label = name.partition("@")[2]
        assert trial.options.get("backbone") == labels.get(label)
        # A student's teacher has the same backbone.
        assert [m.contender for m in trial.members] == ([f"finetuned:full@{label}"] if "distilled" in name else [])
    assert {t.options["epochs"] for name, t in by_name.items() if "finetuned" in name} == {2}


def test_members_stand_on_the_backbone_they_name_or_the_first():
    trials = planned(
        contenders=("ensemble",),
        backbone=["minilm", "e5-small"],
        options={"ensemble.members": "finetuned:full+finetuned:full@e5-small+finetuned:frozen@hf://owner/bert-tiny@v1"},
        seeds=(0,),
    ).trials
    assert [(m.contender, m.options["backbone"]) for m in trials[0].members] == [
        ("finetuned:full@minilm", "minilm"),
        ("finetuned:full@e5-small", "e5-small"),
        ("finetuned:frozen@bert-tiny-v1", "hf://owner/bert-tiny@v1"),
    ]


def test_one_contender_may_name_a_backbone_of_its_own():
    trials = planned(contenders=("finetuned:full", "finetuned:full@e5-small"), seeds=(0,)).trials
    assert [(t.contender, t.options["backbone"]) for t in trials] == [
        ("finetuned:full", "minilm"),
        ("finetuned:full@e5-small", "e5-small"),
    ]


def test_backbones_that_are_said_twice_or_by_a_contender_without_one():
    with pytest.raises(UsageError, match=r"several backbones compete, so finetuned\.backbone is ambiguous"):
        planned(contenders=("finetuned",), backbone="a,b", options={"finetuned.backbone": "c"})
    with pytest.raises(UsageError, match="contender 'linear' builds on no backbone; leave '@minilm' out"):
        planned(contenders=("linear@minilm",))
    with pytest.raises(UsageError, match="no backbone is named; give a folder"):
        planned(contenders=("linear",), backbone=" , ")
