"""Texts beyond the window: their beginning, beginning and end, or windows whose states are pooled."""

import os

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import numpy as np
import pytest
import torch

from headstart.activations import forward, store
from headstart.checkpoints import folder, manifest
from headstart.contenders import _long
from headstart.core import rooms
from headstart.core.contracts import HeadPlan
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.long_texts import LongTexts
from headstart.core.records import Rows, Run
from headstart.nn.encoder import Encoder
from headstart.nn.heads import Model
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.text import vocabulary
from headstart.training.loop import Settings

WINDOW, ROOM = 12, 10
WORDS = ("red", "blue", "green", "grey", "good", "bad")
STRATEGIES = rooms.names("strategies")


@pytest.fixture(scope="module")
def rows():
    """Forty texts whose class depends on their last word, most of them beyond the window."""
    rng = np.random.default_rng(0)
    texts = [
        " ".join([*rng.choice(WORDS[:4], size=rng.integers(0, 35)), WORDS[4 + number % 2]]) for number in range(40)
    ]
    return Rows(tuple(map(str, range(40))), tuple(texts), tuple("+-"[number % 2] for number in range(40)))


@pytest.fixture(scope="module")
def task(rows):
    return Classification().fitted(rows)


@pytest.fixture(scope="module")
def backbone(rows, tmp_path_factory):
    torch.manual_seed(1)
    tokenizer = vocabulary.train(rows.inputs, 60, window=WINDOW)
    shape = {"width": 16, "layers": 2, "heads": 2, "feed_forward": 32, "window": WINDOW}
    arguments = {"vocabulary": tokenizer.size, "dropout": 0.0, **shape}
    place = tmp_path_factory.mktemp("backbone")
    folder.save(place, Encoder(**arguments), tokenizer, "bert", arguments, None)
    return str(place)


def fit(backbone, rows, task, place, long="mean", strategy="full", **options):
    options = {"backbone": backbone, "strategy": strategy, "epochs": 1, "long": long, **options}
    return rooms.load("contenders", "finetuned", options).fit(rows, rows, task, Run(0, place))


@pytest.fixture(scope="module")
def whole(backbone, rows, task, tmp_path_factory):
    """Give a model that reads long texts in a way; nobody changes it."""
    known = {}

    def made(long):
        if long not in known:
            known[long] = fit(backbone, rows, task, tmp_path_factory.mktemp(long), long)
        return known[long]

    return made


def slow_logits(place, texts, way, tokenizer, most=8):
    """Read each window with transformers, in a padded batch; pool the first tokens' states, then apply the head."""
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(place).eval()
    out = []
    for text in texts:
        whole = tokenizer.encode_whole([text]).tokens.tolist()
        count = min(most, max(1, -(-len(whole) // ROOM)))
        used = min(len(whole), count * ROOM)
        parts = [whole[used * i // count : used * (i + 1) // count] for i in range(count)]
        ids = torch.zeros(count, WINDOW, dtype=torch.long)
        mask = torch.zeros(count, WINDOW, dtype=torch.long)
        for line, part in enumerate(parts):
            window = [*tokenizer.opening, *part, *tokenizer.closing]
            ids[line, : len(window)], mask[line, : len(window)] = torch.tensor(window), 1
        with torch.no_grad():
            states = model.bert(input_ids=ids, attention_mask=mask).last_hidden_state[:, 0]
            pooled = states.mean(0) if way == "mean" else states.max(0).values
            out.append(model.classifier(torch.tanh(model.bert.pooler.dense(pooled))))
    return torch.stack(out)


@pytest.mark.parametrize("way", ["mean", "max"])
def test_logits_are_those_of_windows_read_one_by_one(whole, rows, way, tmp_path):
    fitted = whole(way)
    fitted.save(tmp_path / "model")
    expected = slow_logits(tmp_path / "model", rows.inputs, way, fitted.checkpoint.tokenizer).softmax(-1).numpy()
    assert np.allclose(fitted.predict(rows.inputs).probabilities, expected, atol=1e-5)
    alone = np.concatenate([fitted.predict([text]).probabilities for text in rows.inputs])
    assert np.allclose(alone, expected, atol=1e-5)
    again = model_folder.open_model(tmp_path / "model")
    assert np.array_equal(again.predict(rows.inputs).probabilities, fitted.predict(rows.inputs).probabilities)
    assert again.long == fitted.long == LongTexts(way)
    assert again.cut_off(rows.inputs) == 0.0


def test_short_texts_are_answered_as_transformers_does(whole, rows, tmp_path):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    whole("mean").save(tmp_path / "model")
    short = [text for text in rows.inputs if len(text.split()) <= ROOM]
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    batch = AutoTokenizer.from_pretrained(tmp_path / "model")(short, padding=True, truncation=True, return_tensors="pt")
    with torch.no_grad():
        theirs = model(**batch).logits.softmax(-1).numpy()
    assert len(short) > 2
    assert np.allclose(whole("mean").predict(short).probabilities, theirs, atol=1e-5)


@pytest.mark.parametrize("way", ["mean", "max"])
@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_the_gradient_of_a_packed_step_is_that_of_rows_one_by_one(backbone, rows, task, way, pooling):
    torch.manual_seed(0)
    checkpoint = folder.load(backbone, head=HeadPlan.numbered(2), dropout=0.0, pooling=pooling)
    checkpoint = _long.reading(checkpoint, LongTexts(way))
    model = checkpoint.model
    encoded = task.encode(rows.inputs, checkpoint.tokenizer)
    targets = task.targets(rows, encoded)

    def gradient(units):
        batch, order = forward.pack_units(model, encoded, units)
        right = torch.from_numpy(targets.take(units[order]).values)
        model.zero_grad()
        model.head.loss(model(batch), right, batch.boundaries).backward()
        return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}

    some = np.array([3, 0, 17, 9, 5])
    assert encoded.windows[some].max() > 2
    together, alone = gradient(some), [gradient(some[i : i + 1]) for i in range(len(some))]
    for name, value in together.items():
        assert torch.allclose(value, sum(one[name] for one in alone), atol=1e-5), name


def test_words_beyond_the_window_change_answers_only_where_they_are_read(whole):
    text = " ".join(["red"] * 14)
    poisoned = [f"{text} red red red", f"{text} bad bad bad"]
    for way in ("first", "head-tail", "mean", "max"):
        one, other = whole(way).predict(poisoned).probabilities
        assert np.array_equal(one, other) == (way == "first"), way


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_reads_windows_and_answers_as_before_when_saved(backbone, rows, task, tmp_path, strategy):
    fitted = fit(backbone, rows, task, tmp_path / "run", "max", strategy)
    fitted.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    expected = fitted.predict(rows.inputs).probabilities
    assert np.allclose(again.predict(rows.inputs).probabilities, expected, atol=1e-6)


def test_windows_are_read_with_8_bit_weights(whole, rows):
    expected = whole("max").predict(rows.inputs).probabilities
    assert np.allclose(whole("max").with_int8().predict(rows.inputs).probabilities, expected, atol=0.05)


@pytest.mark.parametrize("way", ["mean", "max"])
def test_a_head_on_frozen_states_is_solved_on_one_vector_per_text(backbone, rows, task, way):
    checkpoint = _long.reading(folder.load(backbone, head=HeadPlan.numbered(2), pooling="mean"), LongTexts(way))
    model = checkpoint.model.requires_grad_(False).eval()
    encoded = task.encode(rows.inputs, checkpoint.tokenizer)
    vectors = forward.features(model, encoded, forward.pooled_states(model, encoded, "cpu"))
    assert vectors.shape == (len(rows), 16)
    logits = model.head(torch.from_numpy(vectors)).numpy()
    assert np.allclose(forward.outputs(model, encoded, "cpu").values, logits, atol=1e-5)
    some = np.array([7, 2, 30])
    assert np.allclose(forward.outputs(model, encoded, "cpu", units=some).values, logits[some], atol=1e-5)


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_stored_states_of_windows_change_nothing(backbone, rows, task, tmp_path, pooling, monkeypatch):
    stored = fit(backbone, rows, task, tmp_path / "kept", "mean", "frozen", pooling=pooling)
    assert list((tmp_path / "kept").glob("*.rows"))
    monkeypatch.setattr(store, "MOST_BYTES", 0)
    again = fit(backbone, rows, task, tmp_path / "not", "mean", "frozen", pooling=pooling)
    assert not list((tmp_path / "not").glob("*.rows"))
    assert np.allclose(stored.predict(rows.inputs).probabilities, again.predict(rows.inputs).probabilities, atol=1e-2)


def test_windows_beyond_the_most_are_cut_off(backbone, rows, task, tmp_path):
    fitted = fit(backbone, rows, task, tmp_path / "run", "mean", most_windows=2)
    texts = ["red " * 50, "red " * 20]
    assert fitted.cut_off(texts) == pytest.approx(30 / 70)
    fitted.save(tmp_path / "model")
    assert model_folder.open_model(tmp_path / "model").cut_off(texts) == pytest.approx(30 / 70)
    expected = slow_logits(tmp_path / "model", texts, "mean", fitted.checkpoint.tokenizer, most=2).softmax(-1).numpy()
    assert np.allclose(fitted.predict(texts).probabilities, expected, atol=1e-5)


def test_a_step_of_long_rows_is_divided_into_parts(backbone, rows, task, tmp_path, monkeypatch):
    assert _long.in_parts(Settings(batch_rows=4), np.array([10, 40, 10, 10, 10]), 10).accumulate == 2
    assert _long.in_parts(Settings(batch_rows=4), np.array([10, 10]), 10).accumulate == 1
    assert _long.in_parts(Settings(batch_rows=4, accumulate=3), np.array([10, 10]), 10).accumulate == 3
    sizes = []
    run = Model.forward
    monkeypatch.setattr(Model, "forward", lambda self, batch: sizes.append(len(batch.ids)) or run(self, batch))
    fit(backbone, rows, task, tmp_path / "run", "mean", batch_rows=8)
    tokens = task.encode(rows.inputs, folder.load(backbone).tokenizer.reading(LongTexts("mean"))).lengths
    assert np.sort(tokens)[-8:].sum() > 8 * WINDOW >= max(sizes[:10])


def test_scratch_reads_windows_too(rows, task, tmp_path):
    small = {"vocabulary": 60, "layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "window": 12, "epochs": 1}
    contender = rooms.load("contenders", "scratch", {**small, "long": "max"})
    fitted = contender.fit(rows, rows, task, Run(0, tmp_path))
    assert fitted.cut_off(rows.inputs) == 0.0
    assert fitted.model.head.windows == "max"


@pytest.mark.parametrize("long", ["head-tail", "mean"])
def test_a_student_learns_from_a_teacher_that_reads_long_texts(whole, rows, task, tmp_path, long):
    whole(long).save(tmp_path / "teacher")
    options = {"teacher": str(tmp_path / "teacher"), "student": "1x16", "matching_epochs": 1, "epochs": 1}
    student = rooms.load("contenders", "distilled", options).fit(rows, rows, task, Run(0, tmp_path / "run"))
    assert student.long.way == ("head-tail" if long == "head-tail" else "first")
    assert np.isfinite(student.predict(rows.inputs).probabilities).all()


@pytest.mark.parametrize("name", ["multilabel", "regression"])
def test_several_labels_and_numbers_of_windows(backbone, rows, tmp_path, name):
    task = rooms.load("tasks", name)
    targets = [target for _, target in task.SAMPLE]
    some = Rows(rows.ids, rows.inputs, tuple(targets[number % len(targets)] for number in range(len(rows))))
    contender = rooms.load("contenders", "finetuned", {"backbone": backbone, "epochs": 1, "long": "max"})
    fitted = contender.fit(some, some, task.fitted(some), Run(0, tmp_path, metric=task.metrics[0].name))
    text = " ".join(["red"] * 14)
    one, other = (fitted.task.encode([words], fitted.checkpoint.tokenizer) for words in (text, f"{text} bad bad"))
    logits = [forward.outputs(fitted.model, part, "cpu").values for part in (one, other)]
    assert logits[0].shape == logits[1].shape == (1, fitted.model.head.output.out_features)
    assert not np.array_equal(*logits)
    assert len(fitted.predict(rows.inputs).values) == len(rows)


def test_tasks_that_do_not_score_whole_texts_refuse_it(backbone, rows, tmp_path):
    ner = rooms.load("tasks", "ner")
    inputs, targets = zip(*ner.SAMPLE, strict=True)
    sample = Rows(tuple(map(str, range(len(inputs)))), inputs, targets)
    with pytest.raises(UsageError, match="long=mean is for tasks that score whole texts, and this one scores tokens"):
        fit(backbone, sample, ner.fitted(sample), tmp_path)
    pairs = rooms.load("tasks", "pairs")
    inputs, targets = zip(*pairs.SAMPLE, strict=True)
    sample = Rows(tuple(map(str, range(len(inputs)))), inputs, targets)
    with pytest.raises(UsageError, match=r"pairs of texts are truncated .* leave 'long' at 'first'"):
        fit(backbone, sample, pairs.fitted(sample), tmp_path)


def test_values_that_no_way_has():
    with pytest.raises(UsageError, match="no way 'middle' to read long texts; known: first, head-tail, max, mean"):
        LongTexts("middle")
    with pytest.raises(UsageError, match="'most_windows' is '0'; give a number from 1 up"):
        LongTexts("mean", 0)


@pytest.mark.parametrize("value", ["mean", {"way": "mean"}, {"way": "middle", "most_windows": 8}])
def test_a_manifest_that_asks_for_an_unknown_way(whole, tmp_path, value):
    fitted = whole("mean")
    fitted.save(tmp_path / "model")
    manifest.write(tmp_path / "model", "finetuned", fitted.task, {"trained_parameters": 1, "long": value})
    with pytest.raises(CheckpointError, match=r"headstart\.json': .* to read long texts.* Save the model again"):
        model_folder.open_model(tmp_path / "model")
