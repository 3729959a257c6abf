"""Continuing a comparison's model: new rows, a new class, and what refuses it."""

import csv
import json
import random
import shutil
from dataclasses import replace

import pytest
import torch

import headstart
from headstart import cli, tasks, updating
from headstart.contenders import _continued
from headstart.contenders.majority import Majority
from headstart.core import checked
from headstart.core.costs import Costs
from headstart.core.errors import DataError, UsageError
from headstart.core.records import Rows, Run, Splits
from headstart.data import tabular
from headstart.nn.heads import ClassificationHead

WORDS = {
    "bad": ["awful", "broken", "slow", "sad"],
    "good": ["great", "lovely", "fine", "happy"],
    "question": ["which", "where", "how", "when"],
}

TINY = {
    f"scratch.{name}": value
    for name, value in {
        "width": 16,
        "layers": 1,
        "heads": 2,
        "feed_forward": 16,
        "window": 16,
        "vocabulary": 300,
        "epochs": 6,
        "learning_rate": 0.01,
        "dropout": 0.0,
        "batch_rows": 8,
    }.items()
}


def write(path, labels, start=0, shown=None):
    """Write rows whose label is plain from their words; `shown` names the labels otherwise."""
    chance = random.Random(start)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for number, label in enumerate(labels, start=start):
            words = chance.sample(["the", "film", "box", "came", *WORDS["question"]], k=3)
            table.writerow(
                [" ".join([*words, *chance.sample(WORDS[label], k=2), str(number)]), (shown or {}).get(label, label)]
            )
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two comparisons of the same data, won by 'linear' and by a Transformer."""
    place = tmp_path_factory.mktemp("updated")
    data = write(place / "opinions.csv", ["bad", "good"] * 60)
    known = {"sizes": [], "seeds": 1, "listener": lambda event: None}
    headstart.compare(data, contenders=["linear"], out=place / "runs" / "linear", **known)
    headstart.compare(data, contenders=["scratch"], out=place / "runs" / "neural", options=TINY, **known)
    return place


@pytest.fixture
def place(runs, tmp_path):
    return shutil.copytree(runs, tmp_path / "place")


@pytest.mark.parametrize("name", ["linear", "neural"])
def test_a_model_learns_a_new_class_and_keeps_the_old_ones(place, name):
    more = write(place / "more.csv", ["bad", "good", "question", "question"] * 24, start=500)
    run = place / "runs" / name
    done = updating.update(run / "best", more)  # the data is found by its name
    assert done.folder == run / "best-updated"
    assert done.new_classes == ("question",)
    changes = {change.on: change for change in done.changes}
    assert list(changes) == ["old test rows", "new rows", "new classes"]
    assert not changes["old test rows"].worse
    assert (changes["new classes"].before.value, changes["new classes"].metric) == (0.0, "accuracy")
    assert changes["new classes"].after.value > 0.5
    assert changes["new classes"].difference.low > 0
    model = headstart.open_model(done.folder)
    assert model.task.classes == ("bad", "good", "question")
    assert model.predict(["which the film where when 7"]).values == ("question",)
    record = checked.read(done.record, "")
    assert record["new_classes"] == ["question"]
    assert record["rows"]["new"] == {"train": 67, "validation": 9, "test": 20}
    assert record["forced"] is False
    opened = [json.loads(line) for line in (run / "test_openings.jsonl").read_text().splitlines()]
    assert opened[-1]["trial"] == "update of best"
    with pytest.raises(UsageError, match=r"best-updated' is an update itself, of which not all rows are known"):
        updating.update(done.folder, more)


def test_a_new_class_needs_costs_if_the_others_have_them(place, monkeypatch):
    best = place / "runs" / "linear" / "best"
    model = headstart.open_model(best)
    costly = replace(model, task=replace(model.task, costs=Costs(("bad", "good"), (0.0, 1.0, 9.0, 0.0))))
    monkeypatch.setattr(updating.model_folder, "open_model", lambda _: costly)
    more = write(place / "more.csv", ["bad", "good", "question"] * 24, start=500)
    with pytest.raises(UsageError, match="errors have costs, and the new class 'question' has none; compare again"):
        updating.update(best, more)
    done = updating.update(best, write(place / "more.csv", ["bad", "good"] * 24, start=500), force=True)
    monkeypatch.undo()
    assert headstart.open_model(done.folder).task.costs == costly.task.costs


def test_an_update_that_forgets_is_refused_unless_it_is_forced(place, capsys):
    swapped = {"bad": "good", "good": "bad"}
    more = write(place / "more.csv", ["bad", "good"] * 200, start=500, shown=swapped)
    best = place / "runs" / "linear" / "best"
    before = sorted(path.name for path in best.parent.iterdir())
    assert cli.run(["update", str(best), str(more), "--data", str(place / "opinions.csv")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "the update was not saved, since it is worse beyond noise on what the model knew" in captured.err
    assert sorted(path.name for path in best.parent.iterdir()) == before
    assert cli.run(["update", str(best), str(more), "--force", "--out", str(place / "forced"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["changes"][0]["difference"]["high"] < 0
    assert checked.read(place / "forced.update.json", "")["forced"] is True


def test_new_rows_may_all_have_the_new_class(place):
    more = write(place / "more.csv", ["question"] * 20, start=500)
    done = updating.update(place / "runs" / "linear" / "best", more)
    assert [change.on for change in done.changes] == ["old test rows", "new classes"]
    assert done.new_classes == ("question",)


def test_a_command_prints_a_line_for_each_group_of_rows(place, capsys):
    more = write(place / "more.csv", ["bad", "good"] * 10, start=500)
    assert cli.run(["update", str(place / "runs" / "linear" / "best"), str(more)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" (")[0] for line in lines[:2]] == ["old test rows", "new rows"]
    assert lines[2].startswith("Model: ")


def test_what_cannot_be_updated_is_explained(place, tmp_path):
    more = write(place / "more.csv", ["bad", "good"] * 10, start=500)
    best = place / "runs" / "linear" / "best"
    shutil.copytree(best, tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"elsewhere' is not the model of a comparison; name one such as runs"):
        updating.update(tmp_path / "elsewhere", more)
    other = write(place / "other.csv", ["bad", "good"] * 60, start=9)
    with pytest.raises(DataError, match=r"other\.csv does not give the data of the comparison in"):
        updating.update(best, more, data=other)
    with pytest.raises(DataError, match=r"opinions\.csv does not give its split of the comparison in"):
        updating.update(best, more, test=other)
    (place / "opinions.csv").unlink()
    with pytest.raises(UsageError, match=r"the data of the comparison, 'opinions\.csv', is not here; name it with"):
        updating.update(best, more)


def test_models_that_are_not_continued(place, tmp_path, monkeypatch):
    best = place / "runs" / "linear" / "best"
    labels = Rows(("a", "b"), ("x", "y"), ("bad", "good"))
    rules = tasks.load("classification")
    of_majority = Majority().fit(labels, labels, rules.fitted(labels), Run(0, tmp_path))
    for task, message in (
        (tasks.load("regression"), "is for another kind of task; only models with one label per text can be updated"),
        (tabular.reading(rules, "price"), "reads columns beside the text, which no update does; compare again"),
        (of_majority.task, "a model of 'linear' cannot be continued, only a Transformer or 'linear'; compare again"),
    ):
        other = replace(of_majority, task=task)
        monkeypatch.setattr(updating.model_folder, "open_model", lambda _, other=other: other)
        with pytest.raises(UsageError, match=message):
            updating.update(best, place / "opinions.csv")


# --- the division of new rows --------------------------------------------------------------------------------


def rows_of(texts, labels):
    return Rows(tuple(texts), tuple(texts), tuple(labels))


def test_copies_of_old_rows_never_test_what_learnt_them():
    rules = tasks.load("classification")
    old = [
        f"old text number {number} about {word}" for number, word in enumerate(["oak", "elm", "fir", "yew", "ash"] * 4)
    ]
    train, held_out, test = rows_of(old[:12], ["a"] * 12), rows_of(old[12:16], ["a"] * 4), rows_of(old[16:], ["b"] * 4)
    fresh = [f"new text {number} {'xyz'[number % 3] * (number + 2)}" for number in range(20)]
    new = rows_of([*old, *fresh], ["a"] * 40)
    parts, left_out = updating.divide(new, Splits(train, held_out, test, frozenset(), ""), rules, ("a", "b"), 0)
    assert left_out >= 8
    assert not {*old[12:]} & {text for part in parts for text in part.inputs}
    assert not {*old[:12]} & {*parts[1].inputs, *parts[2].inputs}
    assert sum(map(len, parts)) + left_out == 40
    assert parts[2].inputs


def test_a_new_class_needs_rows():
    rules = tasks.load("classification")
    old = rows_of(["one thing"], ["a"])
    splits = Splits(old, old, old, frozenset(), "")
    few = rows_of([f"{'wxyz'[n] * 9}" for n in range(4)], ["new"] * 4)
    with pytest.raises(DataError, match="only 4 usable rows of the new class 'new'; give at least 5"):
        updating.divide(few, splits, rules, ("a",), 0)
    with pytest.raises(DataError, match="1 new rows, of which 0 are no copies of old test or validation rows, are too"):
        updating.divide(old, splits, rules, ("a",), 0)


# --- heads ---------------------------------------------------------------------------------------------------


def test_a_wider_head_scores_old_classes_as_before():
    torch.manual_seed(0)
    head = ClassificationHead(8, 2, dropout=0.0).eval()
    states = torch.randn(5, 8)
    before = head(states).detach()
    _continued.widen(head, ("a", "c"), ("a", "b", "c"))
    after = head(states).detach()
    assert torch.equal(after[:, [0, 2]], before)
    assert after.shape == (5, 3)
    bias = head.output.bias.detach()
    assert float(bias[1]) == pytest.approx(float(bias[[0, 2]].mean()))
    same = head.output
    _continued.widen(head, ("a", "b", "c"), ("a", "b", "c"))
    assert head.output is same


def test_a_strategy_that_adds_modules_is_not_continued():
    none = Rows((), ())
    with pytest.raises(UsageError, match=r"fine-tuned by 'adapter' cannot be trained further; compare again with all"):
        _continued.fit(None, none, none, None, None, options={"strategy": "adapter"}, tuning={})
