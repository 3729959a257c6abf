"""Training on copies with typing errors: of the training rows alone, beside the plain contender."""

import json
from dataclasses import replace

import pytest

from headstart import contenders, tasks
from headstart.contenders import _members
from headstart.contest.plan import plan
from headstart.contest.trials import Terms, jobs
from headstart.core.errors import UsageError
from headstart.core.records import Rows, Run, Splits
from headstart.stress._augment import augmented
from headstart.tasks.classification import Classification

TASK = Classification()
WORDS = {"good": "wonderful pleasant splendid", "bad": "terrible dreadful annoying"}


def rows(count, name="a", extra=""):
    labels = tuple(("good", "bad")[number % 2] for number in range(count))
    texts = tuple(f"{WORDS[label]} film number {number} {extra}" for number, label in enumerate(labels))
    return Rows(tuple(f"{name}:{number}" for number in range(count)), texts, labels)


def test_copies_follow_the_rows_and_have_their_labels_and_groups():
    train = replace(rows(30), groups=tuple(str(number // 2) for number in range(30)))
    more = augmented(train, TASK, "typos", 0)
    assert more.take(range(30)) == train
    copies = more.take(range(30, len(more)))
    assert len(copies) > 10
    known = dict(zip(train.ids, zip(train.inputs, train.targets, train.groups, strict=True), strict=True))
    for name, text, target, group in zip(copies.ids, copies.inputs, copies.targets, copies.groups, strict=True):
        original = known[name.removesuffix("+typos")]
        assert (target, group) == original[1:]
        assert text != original[0]
    assert augmented(train, TASK, "typos", 1) != more
    assert augmented(train, TASK, "none", 0) is train


def test_entities_of_copies_are_where_their_words_are():
    task = tasks.load("ner")
    inputs, targets = zip(*task.SAMPLE, strict=True)
    train = Rows(tuple(map(str, range(6))), inputs, targets)
    more = augmented(train, task, "typos", 3)
    assert len(more) > 6
    for value, facts in zip(more.inputs[6:], more.targets[6:], strict=True):
        assert all(task.texts(value)[0][start:end].strip() for start, end, _ in facts)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("linear:typos", {"augment": "typos"}),
        ("linear:text-typos", {"columns": "none", "augment": "typos"}),
        ("scratch:typos", {"augment": "typos"}),
        ("finetuned:full-typos", {"strategy": "full", "augment": "typos"}),
        ("finetuned:full-text-typos", {"strategy": "full", "columns": "none", "augment": "typos"}),
        ("selfpretrained:typos", {"augment": "typos"}),
        ("selfpretrained:text-typos", {"columns": "none", "augment": "typos"}),
        ("distilled:typos", {"augment": "typos"}),
        ("distilled:2x128-typos", {"student": "2x128", "augment": "typos"}),
        ("distilled:2x128-alone-typos", {"student": "2x128", "teacher": "none", "augment": "typos"}),
    ],
)
def test_a_leaderboard_name_says_so(name, options):
    assert _members.options(name) == options
    assert contenders.load(name.partition(":")[0], options).name == name


def test_columns_alone_have_no_typos():
    with pytest.raises(UsageError, match="contender 'linear' has no way 'columns-typos'"):
        _members.options("linear:columns-typos")


def test_augment_plans_each_contender_that_can_a_second_time():
    common = {"task": TASK, "train_rows": 60, "seeds": (0, 1)}
    named = [trial.contender for trial in plan(**common, contenders=("majority", "linear"), augment="typos").trials]
    assert named == ["majority", "linear", "linear:typos", "linear:typos"]  # its copies depend on the seed
    more = plan(**common, contenders=("finetuned:full", "linear:typos"), augment="typos", backbone="a/x,b/y").trials
    names = {trial.contender for trial in more}
    assert names == {"linear:typos"} | {f"finetuned:full{way}@{end}" for way in ("", "-typos") for end in "xy"}
    with pytest.raises(UsageError, match=r"no contender can train on texts with typos \(--augment\); add linear"):
        plan(**common, contenders=("majority",), augment="typos")
    with pytest.raises(UsageError, match="option 'augment' of contender 'linear' cannot be 'typoz'; did you mean"):
        plan(**common, contenders=("linear",), augment="typoz")


def test_it_is_part_of_the_key_of_a_trial(tmp_path):
    splits = Splits(rows(30), rows(10, "b"), rows(10, "c"), frozenset(), "hash")
    trials = plan(task=TASK, train_rows=30, contenders=("linear",), seeds=(0,), augment="typos").trials
    first, second = jobs(splits, TASK, trials, Terms(tmp_path, "accuracy"))
    assert first.key != second.key


def test_validation_rows_are_never_augmented(tmp_path):
    """Words of the validation rows, with or without errors, are in no model."""
    train, poison = rows(40), rows(20, "b", "poisonous")
    contender = contenders.load("linear", {"augment": "typos"})
    fitted = contender.fit(train, poison, TASK.fitted(train), Run(0, tmp_path / "work"))
    fitted.save(tmp_path / "model")
    words = json.loads((tmp_path / "model" / "n_grams.json").read_text())["words"]
    assert not any("pois" in word or "osonous" in word for word in words)
    originals = {word for text in train.inputs for word in text.split()}
    assert {word for word in words if " " not in word} - originals  # of copies of the training rows


def test_a_transformer_trains_on_the_copies_and_chooses_on_rows_as_they_are(tmp_path, monkeypatch):
    from headstart.contenders import _neural

    seen = {}

    def fit(name, checkpoint, train, validation, task, run, **rest):
        seen.update(train=train, validation=validation)
        raise UsageError("enough")

    monkeypatch.setattr(_neural, "fit", fit)
    train, validation = rows(30), rows(10, "b")
    small = {"vocabulary": 60, "layers": 1, "width": 8, "heads": 2, "feed_forward": 8, "augment": "typos"}
    with pytest.raises(UsageError, match="enough"):
        contenders.load("scratch", small).fit(train, validation, TASK.fitted(train), Run(4, tmp_path))
    assert seen == {"train": augmented(train, TASK, "typos", 4), "validation": validation}


def test_a_pretrained_model_trains_on_the_copies_too(tmp_path, monkeypatch, backbone):
    from headstart.contenders import _neural

    seen = []
    monkeypatch.setattr(_neural, "fit", lambda name, checkpoint, train, *rest, **more: seen.append((train, rest[0])))
    train, validation = rows(30), rows(10, "b")
    finetuned = contenders.load("finetuned", {"backbone": backbone, "augment": "typos"})
    finetuned.fit(train, validation, TASK.fitted(train), Run(4, tmp_path))
    assert seen == [(augmented(train, TASK, "typos", 4), validation)]


def test_pretraining_reads_the_texts_as_they_are_and_fine_tuning_the_copies_too(tmp_path, monkeypatch, backbone):
    from headstart.contenders import _neural
    from headstart.contenders.selfpretrained import SelfPretrained

    seen = []
    monkeypatch.setattr(SelfPretrained, "_pretrained", lambda self, texts, run: seen.append(texts) or (backbone, 1.0))

    def fit(name, checkpoint, train, *rest, **more):
        seen.append(train)
        raise UsageError("enough")

    monkeypatch.setattr(_neural, "fit", fit)
    train = rows(30)
    with pytest.raises(UsageError, match="enough"):
        SelfPretrained(augment="typos").fit(train, rows(10, "b"), TASK.fitted(train), Run(4, tmp_path))
    assert seen == [train.inputs, augmented(train, TASK, "typos", 4)]


def test_a_student_learns_from_the_copies_and_its_teacher_does_not(tmp_path, monkeypatch):
    from headstart.contenders.distilled import Distilled
    from headstart.distillation import phases

    seen = {}

    def lesson(contender, model, task, train, validation, *rest):
        seen["student"] = train, validation
        raise UsageError("enough")

    def fitted(name, train, *rest):
        seen["teacher"] = train
        return contenders.load("majority").fit(train, train, TASK.fitted(train), Run(0, tmp_path)), 0.0

    monkeypatch.setattr(_members, "fitted", fitted)
    monkeypatch.setattr(phases, "Lesson", lesson)
    train, validation = rows(30), rows(10, "b")
    with pytest.raises(UsageError, match="enough"):
        Distilled(student="1x24", augment="typos").fit(train, validation, TASK.fitted(train), Run(4, tmp_path))
    assert seen == {"teacher": train, "student": (augmented(train, TASK, "typos", 4), validation)}
