"""A student and its teacher: who may teach, what is kept, resuming, and a folder that others can open."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart import tasks
from headstart.activations import store
from headstart.checkpoints import folder
from headstart.contenders import _neural, _teaching, distilled
from headstart.contenders.distilled import Distilled
from headstart.contest import run as contest
from headstart.contest.plan import plan
from headstart.contest.trials import Terms
from headstart.core import rooms
from headstart.core.contracts import HeadPlan, metric_values
from headstart.core.errors import UsageError
from headstart.core.records import Predictions, Rows, Run, Splits
from headstart.distillation import objectives, phases
from headstart.nn.encoder import Encoder
from headstart.nn.heads import ClassificationHead, Model
from headstart.saved import model_folder
from headstart.text import vocabulary

WORDS = ("good fine lovely great", "bad awful poor dreadful", "red blue green grey")
LABELS = ("praise", "blame", "colour")
SHAPE = {"width": 24, "layers": 2, "heads": 2, "feed_forward": 32, "window": 24}


def some_rows(rng, count=96, known=slice(None)):
    texts = [" ".join(rng.choice(WORDS[n % 3].split()[known], size=rng.integers(1, 5))) for n in range(count)]
    return Rows(tuple(map(str, range(count))), tuple(map(str, texts)), tuple(LABELS[n % 3] for n in range(count)))


# Enough to learn from few texts by heart.
LONG = {"student": "1x32", "matching_epochs": 10, "epochs": 50, "learning_rate": 1e-2}


@pytest.fixture(autouse=True)
def few_steps(monkeypatch):
    """Let a phase last no longer than its epochs, for tests of all that is not learning."""
    monkeypatch.setattr(phases, "LEAST_STEPS", 12)


@pytest.fixture
def rows(rng):
    return some_rows(rng)


@pytest.fixture
def task(rows):
    return rooms.load("tasks", "classification").fitted(rows)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A folder with a model that was fine-tuned on texts like these, 'teacher', and what it began as, 'backbone'."""
    place = tmp_path_factory.mktemp("taught")
    rows = some_rows(np.random.default_rng(0))
    tokenizer = vocabulary.train(rows.inputs, 60, window=24)
    arguments = {"vocabulary": tokenizer.size, "dropout": 0.0, **SHAPE}
    torch.manual_seed(1)
    encoder = Encoder(**arguments)
    for weight in encoder.parameters():  # larger than usual, so that few steps teach it
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.2)
    (place / "backbone").mkdir()
    folder.save(place / "backbone", encoder, tokenizer, "bert", arguments, None)
    options = {"backbone": str(place / "backbone"), "epochs": 12, "learning_rate": 3e-3}
    task = rooms.load("tasks", "classification").fitted(rows)
    fitted = rooms.load("contenders", "finetuned", options).fit(rows, rows, task, Run(0, place / "teaching"))
    assert (np.array(fitted.predict(rows.inputs).values) == rows.targets).mean() > 0.9
    fitted.save(place / "teacher")
    return place


@pytest.fixture
def teacher(taught, tmp_path):
    """The fine-tuned model, opened from a folder of the test's own; what it began as is beside it."""
    for name in ("backbone", "teacher"):
        shutil.copytree(taught / name, tmp_path / name)
    return model_folder.open_model(tmp_path / "teacher")


def fit(rows, task, place, teacher=None, run=None, **options):
    """Distil a 1x16 student, from the teacher as if it were a contender of a contest."""
    run = run or Run(0, place)
    if teacher is not None:
        run = replace(run, fitted=lambda name: (teacher, 7.0))
    given = {"student": "1x16", "matching_epochs": 1, "epochs": 1, **options}
    return Distilled(**given).fit(rows, rows.take(range(min(20, len(rows)))), task, run)


@pytest.mark.parametrize("method", distilled.METHODS)
def test_a_student_learns_what_its_teacher_says(rows, task, teacher, tmp_path, method):
    silent = replace(rows, targets=("praise",) * len(rows))  # labels that teach nothing
    run = Run(0, tmp_path / "run", fitted=lambda name: (teacher, 7.0))
    contender = Distilled(method=method, label_weight=0.0, **LONG)
    fitted = contender.fit(silent, rows.take(range(20)), task, run)
    theirs, ours = teacher.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities
    assert (ours.argmax(1) == theirs.argmax(1)).mean() > 0.8
    assert fitted.reused_seconds == 7.0


def test_matching_brings_the_student_inside_nearer_to_the_teacher(rows, task, teacher, tmp_path, monkeypatch):
    seen = []
    train = phases.train
    monkeypatch.setattr(phases, "train", lambda **given: seen.append(train(**given)) or seen[-1])
    learning = {
        "student": "1x32",
        "epochs": 20,
        "learning_rate": 1e-2,
    }  # a student that learnt nothing is trained twice
    fit(rows, task, tmp_path / "run", teacher, matching_epochs=10, **learning)
    losses = [evaluation["loss"] for evaluation in seen[0].evaluations]
    assert losses[-1] < losses[0]
    assert len(seen) == 2
    fit(rows, task, tmp_path / "logits", teacher, method="logits", **learning)
    assert len(seen) == 3


def test_matching_is_judged_on_the_texts_of_validation(rows, task, teacher, tmp_path, monkeypatch):
    seen = set()
    held_out = phases.Lesson.held_out

    def watched(self, lengths):
        for places in held_out(self, lengths):
            seen.update(places.tolist())
            yield places

    monkeypatch.setattr(phases.Lesson, "held_out", watched)
    fit(rows, task, tmp_path / "run", teacher)
    assert seen == set(range(len(rows), len(rows) + 20))


def test_answers_are_softened_by_the_temperature(rows, task, teacher, tmp_path, monkeypatch):
    seen = []
    soft_loss = objectives.soft_loss
    monkeypatch.setattr(objectives, "soft_loss", lambda *given: seen.append(given[2]) or soft_loss(*given))
    fit(rows, task, tmp_path / "run", teacher, method="logits", temperature=3.0)
    assert set(seen) == {3.0}


@pytest.mark.parametrize("method", ["tinybert", "minilm"])
def test_states_too_many_to_keep_are_computed_in_every_step(rows, task, teacher, tmp_path, method, monkeypatch):
    stored = fit(rows, task, tmp_path / "kept", teacher, method=method).predict(rows.inputs).probabilities
    assert list((tmp_path / "kept").glob("*.rows"))
    monkeypatch.setattr(store, "MOST_BYTES", 0)
    again = fit(rows, task, tmp_path / "not", teacher, method=method).predict(rows.inputs).probabilities
    assert not list((tmp_path / "not").glob("*.rows"))
    assert np.allclose(stored, again, atol=2e-2)


def test_the_teacher_runs_once_a_text_for_all_its_students(rows, task, teacher, tmp_path, monkeypatch):
    ran = []
    outputs = objectives.outputs
    monkeypatch.setattr(objectives, "outputs", lambda e, batch, s: ran.append(len(batch)) or outputs(e, batch, s))
    monkeypatch.setattr(_neural.Neural, "predict", None)
    shared = tmp_path / "shared"
    fit(rows, task, None, teacher, Run(0, tmp_path / "a", shared=shared))
    assert sum(ran) == len(set(rows.inputs))
    fitted = fit(rows, task, None, teacher, Run(0, tmp_path / "b", shared=shared), student="1x8")
    assert sum(ran) == len(set(rows.inputs))
    assert fitted.reused_seconds > 7.0


def test_answers_from_kept_states_are_the_teachers(rows, task, teacher, tmp_path):
    encoded = task.encode(rows.inputs, teacher.checkpoint.tokenizer)
    stored, _ = _teaching.keep(teacher.model, (0, 2), encoded, Run(0, tmp_path))
    answers = _teaching.text_outputs(teacher, rows.inputs, task, stored, encoded, "cpu")
    asked = _teaching.text_outputs(teacher, rows.inputs, task, None, encoded, "cpu")
    np.testing.assert_allclose(answers.values, asked.values, atol=2e-2, rtol=0)


def test_answers_of_a_teacher_that_reads_means(rows, task, teacher, tmp_path):
    teacher = copy.deepcopy(teacher)
    teacher.model.head.make_linear()
    teacher.model.head.pooling = "mean"
    encoded = task.encode(rows.inputs, teacher.checkpoint.tokenizer)
    stored, _ = _teaching.keep(teacher.model, (0, 2), encoded, Run(0, tmp_path))
    answers = _teaching.text_outputs(teacher, rows.inputs, task, stored, encoded, "cpu")
    asked = _teaching.text_outputs(teacher, rows.inputs, task, None, encoded, "cpu")
    np.testing.assert_allclose(answers.values, asked.values, atol=2e-2, rtol=0)


def test_a_student_whose_teacher_is_no_transformer_learns_a_vocabulary_of_its_own(rows, task, tmp_path):
    fitted = distilled.Distilled(teacher="linear", student="1x8", epochs=1, backbone="no such model").fit(
        rows, rows.take(range(30)), task, Run(0, tmp_path)
    )
    words = fitted.checkpoint.tokenizer.backend.get_vocab()
    assert {"good", "blue", "awful"} <= words.keys()
    assert len(words) == fitted.checkpoint.arguments["vocabulary"] < 5000


def test_unlabelled_texts_are_learnt_from_too(rows, task, teacher, tmp_path):
    few = rows.take([0, 1, 2, 3, 4, 5])
    options = {"label_weight": 0.2, "student": "1x32", "learning_rate": 1e-2, "epochs": 30}
    alone = fit(few, task, tmp_path / "a", teacher, **options)
    with_texts = fit(few, task, None, teacher, Run(0, tmp_path / "b", unlabelled=rows.inputs[6:]), **options)
    theirs = teacher.predict(rows.inputs).probabilities
    far = [np.abs(student.predict(rows.inputs).probabilities - theirs).mean() for student in (alone, with_texts)]
    assert far[1] < far[0]


def test_a_student_alone_reads_labels_and_nothing_else(rows, task, teacher, tmp_path):
    contender = Distilled("none", **LONG, backbone=str(tmp_path / "backbone"))
    assert contender.name == "distilled:1x32-alone"
    assert contender.members == ()
    run = Run(0, tmp_path / "run", unlabelled=("never read",))
    fitted = contender.fit(rows, rows.take(range(min(20, len(rows)))), task, run)
    assert (np.array(fitted.predict(rows.inputs).values) == rows.targets).mean() > 0.8
    assert not (tmp_path / "run" / "matching").exists()
    assert fitted.reused_seconds == 0.0


@pytest.mark.parametrize(
    ("way", "options"),
    [
        ("alone", {"teacher": "none"}),
        ("2x128", {"student": "2x128"}),
        ("layers:1+3", {"student": "layers:1+3"}),
        ("layers:1+3-alone", {"student": "layers:1+3", "teacher": "none"}),
    ],
)
def test_a_leaderboard_name_says_student_and_teacher(way, options):
    assert Distilled.named(way) == options
    assert Distilled(**options).name == f"distilled:{way}"
    assert Distilled().name == "distilled"


@pytest.mark.parametrize("method", ["tinybert", "logits"])
def test_a_student_of_the_teachers_layers_begins_as_those(rows, task, teacher, tmp_path, method):
    place = tmp_path / "run"
    fitted = fit(rows, task, place, teacher, student="layers:2", method=method, learning_rate=0.0, epochs=1)
    ours, theirs = fitted.model.state_dict(), teacher.model.state_dict()
    assert len(fitted.model.encoder.blocks) == 1
    for name, value in ours.items():
        assert torch.equal(value, theirs[name.replace("blocks.0", "blocks.1")]), name
    fitted.save(tmp_path / "saved")
    again = model_folder.open_model(tmp_path / "saved").predict(rows.inputs)
    assert np.array_equal(again.probabilities, fitted.predict(rows.inputs).probabilities)


class Knows:
    """A teacher that is no Transformer: it knows the words."""

    def __init__(self, task):
        self.task, self.asked = task, 0

    def predict(self, inputs):
        self.asked += len(inputs)
        place = {word: self.task.classes.index(LABELS[n]) for n in range(3) for word in WORDS[n].split()}
        sure = np.full((len(inputs), 3), 0.0, dtype=np.float32)
        sure[np.arange(len(inputs)), [place[text.split()[0]] for text in inputs]] = 1.0
        return Predictions((), self.task.classes, sure)


def test_a_teacher_that_is_no_transformer_teaches_by_its_answers(rows, task, teacher, tmp_path):
    other = Knows(task)
    options = {"backbone": str(tmp_path / "backbone"), "label_weight": 0.0, **LONG}
    fitted = fit(rows, task, tmp_path / "run", other, **options)
    assert other.asked == len(rows)
    assert not (tmp_path / "run" / "matching").exists()
    assert (np.array(fitted.predict(rows.inputs).values) == rows.targets).mean() > 0.8


def test_a_smaller_vocabulary_is_learnt_from_the_texts(rows, task, teacher, tmp_path):
    fitted = fit(rows, task, tmp_path / "run", teacher, vocabulary=40, method="logits")
    assert fitted.checkpoint.tokenizer.size <= 40
    assert fitted.model.encoder.embeddings.word.num_embeddings == fitted.checkpoint.tokenizer.size
    with pytest.raises(UsageError, match=r"lets it match answers alone, not 'tinybert'; set distilled.method=logits"):
        fit(rows, task, tmp_path / "b", teacher, vocabulary=40)


@pytest.mark.parametrize("method", ["tinybert", "minilm"])
@pytest.mark.parametrize(("moment", "threads"), [("matching the teacher", 2), ("training", 1)])
def test_a_broken_fit_goes_on_bit_for_bit(
    rows, task, teacher, tmp_path, method, moment, threads, checkpoint_after, set_threads
):
    set_threads(threads)
    whole = fit(rows, task, tmp_path / "whole", teacher, method=method)
    written = checkpoint_after(4)
    steps = 0

    class Killed(Exception):
        pass

    def die(progress):
        nonlocal steps
        steps += progress.stage == moment
        if steps == 5:
            raise Killed

    again = model_folder.open_model(tmp_path / "teacher")
    with pytest.raises(Killed):
        fit(rows, task, None, again, Run(0, tmp_path / "broken", progress=die), method=method)
    assert written[-1] == 4
    again = model_folder.open_model(tmp_path / "teacher")
    resumed = fit(rows, task, tmp_path / "broken", again, method=method)
    ours, theirs = resumed.model.state_dict(), whole.model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("method", ["tinybert", "minilm"])
def test_halves_of_a_step_side_by_side_teach_what_the_whole_does(
    rows, task, teacher, tmp_path, method, monkeypatch, set_threads
):
    losses = {}
    for threads in (1, 2):
        set_threads(threads)
        run = Run(0, tmp_path / str(threads))
        fit(
            rows,
            task,
            None,
            model_folder.open_model(tmp_path / "teacher"),
            run,
            method=method,
            epochs=1,
            matching_epochs=1,
        )
        lines = (run.folder / "matching" / "metrics.jsonl").read_text().splitlines()
        losses[threads] = [json.loads(line)["loss"] for line in lines]
    # What is dropped differs, and a half's mean over tokens counts by its texts.
    assert losses[1][0] == pytest.approx(losses[2][0], rel=0.05)
    assert losses[1] == pytest.approx(losses[2], rel=0.2)


def test_long_texts_are_matched_in_parts(rows, task, teacher, tmp_path, monkeypatch):
    whole = fit(rows, task, tmp_path / "whole", teacher, method="minilm").predict(rows.inputs).probabilities
    monkeypatch.setattr(phases, "MOST_SCORES", 2000)
    parts = fit(rows, task, tmp_path / "parts", teacher, method="minilm").predict(rows.inputs).probabilities
    assert np.abs(parts - whole).max() < 0.25  # other dropout, the same lesson


def test_the_folder_opens_in_transformers_with_the_same_answers(rows, task, teacher, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    fitted = fit(rows, task, tmp_path / "run", teacher)
    fitted.save(tmp_path / "model")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    batch = AutoTokenizer.from_pretrained(tmp_path / "model")(
        list(rows.inputs), padding=True, truncation=True, return_tensors="pt"
    )
    with torch.inference_mode():
        theirs = model(**batch).logits.softmax(-1).numpy()
    assert np.allclose(fitted.predict(rows.inputs).probabilities, theirs, atol=1e-5)


# --- who may teach -----------------------------------------------------------------------------------------------


def save_classifier(teacher, labels, place):
    """Write the teacher as a plain Hugging Face folder, its classes in another order."""
    order = [teacher.task.classes.index(label) for label in labels] if set(labels) == set(LABELS) else [0, 1, 2]
    model: Model = teacher.model
    head = ClassificationHead(24, 3)
    head.load_state_dict(model.head.state_dict())
    head.output.weight.data = model.head.output.weight.data[order].clone()
    head.output.bias.data = model.head.output.bias.data[order].clone()
    place.mkdir()
    part = teacher.checkpoint
    folder.save(place, Model(model.encoder, head), part.tokenizer, "bert", part.arguments, HeadPlan(labels))
    return str(place)


@pytest.mark.parametrize("method", ["tinybert", "logits"])
def test_a_classifier_in_a_folder_teaches_whatever_the_order_of_its_classes(rows, task, teacher, tmp_path, method):
    path = save_classifier(teacher, ("praise", "colour", "blame"), tmp_path / "other")
    options = {"teacher": path, "method": method, "label_weight": 0.0, **LONG}
    contender = Distilled(**options)
    assert contender.members == ()
    fitted = contender.fit(rows, rows.take(range(20)), task, Run(0, tmp_path / "run"))
    assert (np.array(fitted.predict(rows.inputs).values) == rows.targets).mean() > 0.8


def test_a_model_that_headstart_saved_teaches(rows, task, teacher, tmp_path):
    contender = Distilled(teacher=str(tmp_path / "teacher"), **LONG)
    fitted = contender.fit(rows, rows.take(range(20)), task, Run(0, tmp_path / "run"))
    assert (np.array(fitted.predict(rows.inputs).values) == rows.targets).mean() > 0.8


def test_a_teacher_of_other_classes_or_of_none_is_refused(rows, task, teacher, tmp_path):
    path = save_classifier(teacher, ("x", "y", "z"), tmp_path / "other")
    with pytest.raises(
        UsageError, match="knows the classes x, y, z, but the rows have blame, colour, praise; fine-tune"
    ):
        Distilled(teacher=path).fit(rows, rows, task, Run(0, tmp_path / "run"))
    with pytest.raises(UsageError, match="was never fine-tuned: it has no classifier; fine-tune it first"):
        Distilled(teacher=str(tmp_path / "backbone")).fit(rows, rows, task, Run(0, tmp_path / "run"))


def test_a_teacher_of_another_task_is_refused(rows, task, teacher, tmp_path):
    several = tasks.load("multilabel", {"classes": task.classes})
    labelled = replace(rows, targets=tuple((label,) for label in rows.targets))
    path = save_classifier(teacher, task.classes, tmp_path / "other")
    with pytest.raises(UsageError, match="is not known to predict what this task asks for; teach with a model"):
        Distilled(teacher=path).fit(labelled, labelled, several, Run(0, tmp_path / "run"))
    with pytest.raises(UsageError, match="predicts answers of the kind 'label', but the task asks for 'labels'"):
        Distilled(teacher=str(tmp_path / "teacher")).fit(labelled, labelled, several, Run(0, tmp_path / "run"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "tinybrt"}, "no distillation method 'tinybrt'; did you mean 'tinybert'"),
        ({"student": "small"}, "no student 'small'; give layers x width, such as 4x256, or tinybert, or layers:1"),
        ({"student": "4x0"}, "no student '4x0'"),
        ({"student": "layers:3"}, "'layers:3' must name layers of the teacher, from 1 to 2"),
        ({"student": "layers:"}, "'layers:' must name layers of the teacher"),
        (
            {"student": "layers:1", "vocabulary": 40, "method": "logits"},
            "which a vocabulary of its own does not go with",
        ),
    ],
)
def test_options_that_make_no_student_are_refused(rows, task, teacher, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        fit(rows, task, tmp_path / "run", teacher, **options)


def test_a_student_of_the_teachers_layers_needs_a_teacher_that_has_some(rows, task, tmp_path):
    with pytest.raises(UsageError, match="which teacher 'none' does not go with; choose a shape such as 4x256"):
        Distilled(student="layers:1", teacher="none").fit(rows, rows, task, Run(0, tmp_path))


@pytest.fixture
def modern(rows, tmp_path):
    """A folder with a classifier whose encoder is none of BERT's family."""
    family = rooms.load("checkpoints.families", "modernbert")
    tokenizer = vocabulary.train(rows.inputs, 60, window=24)
    arguments = {"vocabulary": tokenizer.size, "dropout": 0.0, "epsilon": 1e-5, "activation": "gelu", **SHAPE}
    model = Model(family.encoder(arguments), family.head(arguments, HeadPlan.numbered(3), 0.0))
    place = tmp_path / "modern"
    place.mkdir()
    folder.save(place, model, tokenizer, "modernbert", arguments, HeadPlan(LABELS))
    return place


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the method 'tinybert' compares attention as BERT's family computes it, .* set distilled.method=logits"),
        ({"method": "minilm"}, "the method 'minilm' compares attention"),
        ({"student": "layers:1+2"}, "the layers of a modernbert model depend on their position, so the student"),
    ],
)
def test_a_teacher_of_another_kind_teaches_by_its_answers_alone(rows, task, modern, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        Distilled(teacher=str(modern), **options).fit(rows, rows, task, Run(0, tmp_path))


def test_a_teacher_of_another_kind_gives_its_words(rows, task, modern, tmp_path):
    student = Distilled(teacher=str(modern), student="1x16", method="logits", epochs=1)
    assert student.fit(rows, rows, task, Run(0, tmp_path)).predict(["good"]).values[0] in LABELS


def test_heads_are_chosen_so_that_they_can_be_matched():
    made = [distilled.heads(width) for width in (312, 384, 256, 128, 16)]
    assert made == [12, 12, 8, 4, 1]


# --- in a contest ------------------------------------------------------------------------------------------------


def test_a_contest_trains_the_teacher_once_and_the_student_counts_it(rows, teacher, tmp_path, rng):
    splits = Splits(rows, some_rows(rng, 30), some_rows(rng, 30), frozenset(), "hash")
    small = {"student": "1x16", "matching_epochs": 1, "epochs": 1, "teacher": "ensemble"}
    options = {f"distilled.{name}": value for name, value in small.items()}
    options |= {"scratch.vocabulary": 60, "scratch.layers": 1, "scratch.width": 16, "scratch.heads": 2}
    trials = plan(
        task=rooms.load("tasks", "classification"),
        train_rows=len(rows),
        contenders=("distilled", "ensemble", "linear", "scratch"),
        backbone=str(tmp_path / "backbone"),
        options={**options, "ensemble.members": "linear+scratch", "ensemble.how": "mean"},
        seeds=(0,),
    ).trials
    assert [t.contender for t in trials] == ["linear", "scratch", "ensemble:mean", "distilled:1x16"]
    outcome = contest.run(splits, rooms.load("tasks", "classification"), trials, Terms(tmp_path / "c", "accuracy"))
    assert outcome.failed == {}
    linear, scratch, both, student = (record.cost.train_seconds for record in outcome.records)
    assert both > linear + scratch
    assert student > both


# --- heads that score tokens ---------------------------------------------------------------------------------


@pytest.fixture
def scored(taught, tmp_path, request):
    """Rows of a task whose heads score tokens, some of them in several windows, with a fine-tuned teacher."""
    rng = np.random.default_rng(0)
    shutil.copytree(taught / "backbone", tmp_path / "backbone")
    words = " ".join(WORDS).split()
    inputs, targets = [], []
    for number in range(24):
        chosen = rng.choice(words[1:], 28 if number % 12 == 0 else 6).tolist()
        place = int(rng.integers(len(chosen)))
        chosen[place] = words[0]
        start = len(" ".join(chosen[:place])) + bool(place)
        if request.param == "ner":
            inputs.append(" ".join(chosen))
            targets.append(((start, start + len(words[0]), "praise"),))
        else:
            inputs.append({"question": words[0], "context": " ".join(chosen)})
            targets.append(((words[0], start),))
    rows = Rows(tuple(map(str, range(24))), tuple(inputs), tuple(targets))
    task = rooms.load("tasks", request.param).fitted(rows)
    options = {"backbone": str(tmp_path / "backbone"), "epochs": 30, "learning_rate": 1e-2}
    run = Run(0, tmp_path / "teaching", metric=task.metrics[0].name)
    fitted = rooms.load("contenders", "finetuned", options).fit(rows, rows, task, run)
    assert metric_values(task, fitted.predict(inputs), rows)[task.metrics[0].name] > 0.8
    return rows, task, fitted


@pytest.mark.parametrize(
    ("scored", "method"), [("ner", "tinybert"), ("qa", "minilm"), ("qa", "logits")], indirect=["scored"]
)
def test_a_student_learns_the_teachers_scores_of_tokens(scored, method, tmp_path):
    rows, task, teacher = scored
    run = Run(0, tmp_path / method, metric=task.metrics[0].name, fitted=lambda name: (teacher, 7.0))
    # Without labels: all that it knows of the answers is the teacher's.
    options = {"student": "1x32", "method": method, "epochs": 30, "learning_rate": 1e-2, "label_weight": 0.0}
    fitted = Distilled(**options, matching_epochs=2).fit(rows, rows, task, run)
    assert len(task.encode(rows.inputs, fitted.checkpoint.tokenizer).boundaries) > len(rows) + 1
    pairs = zip(fitted.predict(rows.inputs).values, teacher.predict(rows.inputs).values, strict=True)
    assert np.mean([ours == theirs for ours, theirs in pairs]) > 0.8
    fitted.save(tmp_path / "saved")
    assert model_folder.open_model(tmp_path / "saved").predict(rows.inputs).values == fitted.predict(rows.inputs).values


@pytest.mark.parametrize("scored", ["ner"], indirect=True)
@pytest.mark.parametrize("options", [{"vocabulary": 60, "method": "logits"}, {}])
def test_a_student_of_tokens_needs_a_teacher_of_the_same_tokens(scored, options, tmp_path):
    rows, task, teacher = scored
    if not options:
        teacher = rooms.load("contenders", "majority").fit(rows, rows, task, None)
    run = Run(0, tmp_path / "run", metric="micro-F1", fitted=lambda name: (teacher, 7.0))
    with pytest.raises(UsageError, match=r"scores of the same tokens, which 'finetuned:full' does not give; teach"):
        Distilled(student="1x16", **options).fit(rows, rows, task, run)
