"""Contenders that read columns beside the text: the linear model is scikit-learn's own on the same features."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from headstart import contenders
from headstart.checkpoints import manifest
from headstart.contenders import _heads, _members, linear
from headstart.contenders._pair_words import TOKEN
from headstart.contenders.linear import Linear
from headstart.core.contracts import metric_values
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Rows, Run
from headstart.core.sequences import Encoded, Ragged
from headstart.core.tabular import Tabular
from headstart.nn.heads import ClassificationHead
from headstart.saved import model_folder
from headstart.tasks.classification import Classification
from headstart.tasks.multilabel import Multilabel
from headstart.tasks.regression import Regression
from headstart.training import convex, loop

TASKS = {
    "label": (Classification, lambda size, country: "yes" if size > 0 else "no"),
    "three": (Classification, lambda size, country: f"in {country}"),
    "labels": (Multilabel, lambda size, country: tuple(filter(None, ["big" * (size > 0), country]))),
    "number": (Regression, lambda size, country: 3.0 * size + (country == "DE")),
}


def some_rows(kind, count=90, seed=0):
    """Make rows whose targets follow from the columns, with texts that say nothing."""
    random = np.random.default_rng(seed)
    sizes, countries = random.normal(size=count), random.choice(["DE", "FR", "PL"], count)
    texts = [" ".join(random.choice(list("abcdefgh"), 4)) for _ in range(count)]
    columns = [{"size": float(size), "country": str(country)} for size, country in zip(sizes, countries, strict=True)]
    targets = tuple(TASKS[kind][1](each["size"], each["country"]) for each in columns)
    inputs = tuple({"text": text, "columns": each} for text, each in zip(texts, columns, strict=True))
    return Rows(tuple(map(str, range(count))), inputs, targets)


def fitted(kind, tmp_path, train=None, validation=None, **options):
    train = train or some_rows(kind)
    task = TASKS[kind][0](tabular=Tabular.of(["size", "country"])).fitted(train)
    held_out = validation or some_rows(kind, seed=1)
    metric = "RMSE" if kind == "number" else task.metrics[0].name
    return Linear(**options).fit(train, held_out, task, Run(0, tmp_path, metric=metric))


@pytest.fixture
def one_candidate(monkeypatch):
    """Leave a single strength, so that nothing is chosen on validation."""
    monkeypatch.setattr(linear, "STRENGTHS", (1.0,))
    monkeypatch.setattr(linear, "RATIO_STRENGTHS", ())
    monkeypatch.setattr(linear, "RIDGE_STRENGTHS", (1.0,))


def reference_features(train, other):
    """Make features of rows by scikit-learn alone: columns, then words and characters."""
    table, rows = (
        np.array([list(v["columns"].values()) for v in part.inputs], dtype=object) for part in (train, other)
    )
    columns = ColumnTransformer([("size", StandardScaler(), [0]), ("country", OneHotEncoder(), [1])]).fit(table)
    texts, others = ([value["text"] for value in part.inputs] for part in (train, other))
    shared = {"sublinear_tf": True, "dtype": np.float32}
    words = TfidfVectorizer(token_pattern=TOKEN, ngram_range=(1, 2), **shared).fit(texts)
    characters = TfidfVectorizer(analyzer="char", ngram_range=(2, 5), **shared).fit(texts)
    parts = [columns.transform(rows).astype(np.float32), words.transform(others), characters.transform(others)]
    return sparse.hstack(parts).tocsr()


@pytest.mark.parametrize("kind", ["label", "three", "number"])
def test_linear_is_scikit_learns_own_model_on_the_same_features(kind, tmp_path, one_candidate):
    train, other = some_rows(kind), some_rows(kind, seed=2)
    model = fitted(kind, tmp_path, train)
    features, rows = reference_features(train, train), reference_features(train, other)
    predictions = model.predict(other.inputs)
    if kind == "number":
        expected = Ridge(alpha=1.0, solver="sparse_cg", tol=1e-4).fit(features, train.targets).predict(rows)
        np.testing.assert_allclose(predictions.values, expected, atol=1e-3)
    else:
        solver = "liblinear" if kind == "label" else "lbfgs"
        reference = LogisticRegression(C=1.0, solver=solver, tol=1e-3, max_iter=300, random_state=0)
        expected = reference.fit(features, train.targets).predict_proba(rows)
        np.testing.assert_allclose(predictions.probabilities, expected, atol=1e-4)


def test_columns_alone_are_scikit_learns_own_pipeline(tmp_path, one_candidate):
    train, other = some_rows("label"), some_rows("label", seed=2)
    tables = [np.array([list(v["columns"].values()) for v in part.inputs], dtype=object) for part in (train, other)]
    reference = make_pipeline(
        ColumnTransformer([("size", StandardScaler(), [0]), ("country", OneHotEncoder(), [1])]),
        LogisticRegression(C=1.0, solver="liblinear", tol=1e-3, random_state=0),
    )
    expected = reference.fit(tables[0], train.targets).predict_proba(tables[1])
    model = fitted("label", tmp_path, train, columns="alone")
    np.testing.assert_allclose(model.predict(other.inputs).probabilities, expected, atol=1e-4)
    assert (model.reader.words, model.reader.characters) == ((), ())


def test_nb_svm_scales_words_and_no_columns(tmp_path, monkeypatch):
    """With words alone scaled, a model on columns and presence is logistic regression on both side by side."""
    monkeypatch.setattr(linear, "STRENGTHS", ())
    monkeypatch.setattr(linear, "RATIO_STRENGTHS", (1.0,))
    train = some_rows("label")
    model = fitted("label", tmp_path, train)
    assert model.presence
    beside = model.task.tabular.width
    features = linear._read(model.reader, model.task, train.inputs)
    present = features[:, beside:].astype(bool).astype(np.float32)
    positive = np.array(train.targets) == "yes"
    inside, outside = (1 + np.asarray(present[rows].sum(axis=0)).ravel() for rows in (positive, ~positive))
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    scaled = sparse.hstack([features[:, :beside], present @ sparse.diags(ratio)])
    reference = LogisticRegression(C=1.0, solver="liblinear", tol=1e-3, max_iter=300, random_state=0)
    expected = reference.fit(scaled, positive).predict_proba(scaled)
    np.testing.assert_allclose(model.predict(train.inputs).probabilities, expected, atol=1e-4)


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("way", ["beside", "words", "none", "alone"])
def test_a_model_answers_the_same_from_its_folder(kind, way, tmp_path):
    model, other = fitted(kind, tmp_path / "work", columns=way), some_rows(kind, seed=2)
    model.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    assert again.task == model.task
    assert again.task.tabular.way == way
    assert again.predict(other.inputs).values == model.predict(other.inputs).values
    assert len(again.predict([]).values) == 0
    with pytest.raises(UsageError, match="an input has no column 'size', 'country'"):
        again.predict(["a text"])


@pytest.mark.parametrize("kind", TASKS)
def test_what_follows_from_columns_is_learnt_from_them_alone(kind, tmp_path):
    other = some_rows(kind, seed=2)
    scores = {}
    for way in ("beside", "none", "alone"):
        model = fitted(kind, tmp_path / way, columns=way)
        metric = model.task.metrics[0]
        scores[way] = metric.sign * metric_values(model.task, model.predict(other.inputs), other)[metric.name]
    assert min(scores["alone"], scores["beside"]) > scores["none"] + 0.2


def test_the_statistics_are_among_what_a_folder_is_verified_by(tmp_path):
    fitted("label", tmp_path / "work").save(tmp_path / "model")
    path = tmp_path / "model" / "headstart.json"
    stored = json.loads(path.read_text())
    stored["task"]["fields"]["tabular"]["columns"][0]["mean"] += 1
    path.write_text(json.dumps(stored))
    with pytest.raises(CheckpointError, match="is not the file that was saved"):
        model_folder.open_model(tmp_path / "model")


def poisoned(rows):
    """Put other numbers and categories, and gaps, in the place of the columns."""
    wrong = ({"size": 1e6, "country": "XX"}, {"size": None, "country": None}, {"size": "n/a", "country": "YY"})
    inputs = ({**value, "columns": wrong[place % 3]} for place, value in enumerate(rows.inputs))
    return dataclasses.replace(rows, inputs=tuple(inputs))


@pytest.mark.parametrize("way", ["beside", "words", "alone"])
def test_rows_that_are_not_for_training_change_no_statistic(way, tmp_path, one_candidate):
    def saved(name, train, validation):
        fitted("label", tmp_path / "work", train, validation, columns=way).save(tmp_path / name)
        return {path.name: path.read_bytes() for path in (tmp_path / name).glob("*.json")}, (
            tmp_path / name / "linear.safetensors"
        ).read_bytes()[-200:]

    train, held_out = some_rows("label"), some_rows("label", seed=1)
    clean = saved("clean", train, held_out)
    assert saved("poisoned", train, poisoned(held_out)) == clean
    assert saved("other", poisoned(train), held_out) != clean


def test_an_unknown_way_is_refused():
    with pytest.raises(UsageError, match="contender 'linear' has no way 'tekst'; did you mean 'text'"):
        Linear.named("tekst")


@pytest.mark.parametrize(("way", "name"), [("beside", "linear"), ("none", "linear:text"), ("alone", "linear:columns")])
def test_the_leaderboard_names_the_way(way, name):
    assert contenders.load("linear", {"columns": way}).name == name


# --- Transformers --------------------------------------------------------------------------------------------------

TINY = {"vocabulary": 120, "layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "window": 16, "epochs": 2}


@pytest.fixture(scope="module")
def few_steps():
    with pytest.MonkeyPatch.context() as patch:
        steps = loop.Settings.steps
        patch.setattr(loop.Settings, "steps", lambda self, rows: min(4, steps(self, rows)))
        yield


def neural(kind, tmp_path, train=None, validation=None, name="scratch", **options):
    train = train or some_rows(kind)
    task = TASKS[kind][0](tabular=Tabular.of(["size", "country"])).fitted(train)
    chosen = {**(TINY if name == "scratch" else {}), **options}
    run = Run(0, tmp_path, metric=task.metrics[0].name)
    return contenders.load(name, chosen).fit(train, validation or some_rows(kind, seed=1), task, run)


@pytest.mark.parametrize("kind", TASKS)
def test_the_head_begins_with_scikit_learns_model_of_the_columns(kind):
    train = some_rows(kind)
    task = TASKS[kind][0](tabular=Tabular.of(["size", "country"])).fitted(train)
    features = task.tabular.features(train.inputs)
    targets = task.targets(train, Encoded.without_tokens(len(train))).values
    plan = task.head()
    head = ClassificationHead(8, len(plan.labels), problem=plan.problem)
    _heads.attach(head, features, targets)
    with torch.no_grad():
        logits = (head.columns(torch.from_numpy(features)) + head.output.bias).numpy()
    answers = task.decode(Ragged.single(logits), Encoded.without_tokens(len(train)), train.inputs)
    if kind == "number":
        expected = Ridge(alpha=1.0).fit(features, targets).predict(features)[:, None] * task.scale + task.mean
        np.testing.assert_allclose(answers.values, expected.ravel(), atol=1e-4)
    elif kind == "labels":
        for label in range(len(task.classes)):
            model = LogisticRegression(C=1.0, max_iter=1000).fit(features, targets[:, label])
            expected = model.predict_proba(features)[:, 1]
            np.testing.assert_allclose(answers.probabilities[:, label], expected, atol=1e-4)
    else:
        expected = LogisticRegression(C=1.0, max_iter=1000).fit(features, targets).predict_proba(features)
        np.testing.assert_allclose(answers.probabilities, expected, atol=1e-4)


def test_balanced_classes_count_alike_in_the_columns(rng):
    features, targets = rng.normal(size=(60, 2)).astype(np.float32), (np.arange(60) % 4 == 0).astype(int)
    solution = convex.on_columns(features, targets, "single_label_classification", balanced=True)
    expected = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000).fit(features, targets)
    np.testing.assert_allclose(solution.weight[1] - solution.weight[0], expected.coef_[0], atol=1e-4)


def test_a_single_class_and_a_label_of_every_row_have_no_weights(rng):
    features = rng.normal(size=(6, 2)).astype(np.float32)
    assert not convex.on_columns(features, np.zeros(6, int), "single_label_classification").weight.any()
    solution = convex.on_columns(features, np.ones((6, 1), np.float32), "multi_label_classification")
    assert not solution.weight.any()


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize("way", ["beside", "words", "none"])
def test_a_transformer_answers_the_same_from_its_folder(kind, way, tmp_path, few_steps):
    model, other = neural(kind, tmp_path / "work", columns=way), some_rows(kind, seed=2)
    model.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    assert again.task == model.task
    expected, found = model.predict(other.inputs), again.predict(other.inputs)
    assert found.values == expected.values
    assert (tmp_path / "model" / _heads.FILE).exists() == (way == "beside")
    assert (tmp_path / "model" / "README.md").exists() == (way != "none")
    assert model.parameters == again.parameters
    assert model.trained_parameters == again.trained_parameters
    poison = poisoned(other)
    assert (again.predict(poison.inputs).values == expected.values) == (way == "none") or way == "words"


@pytest.mark.parametrize("kind", ["label", "number"])
def test_a_transformer_learns_from_columns_in_a_few_steps(kind, tmp_path, few_steps):
    other, scores = some_rows(kind, seed=2), {}
    for way in ("beside", "none"):
        model = neural(kind, tmp_path / way, columns=way)
        metric = model.task.metrics[0]
        scores[way] = metric.sign * metric_values(model.task, model.predict(other.inputs), other)[metric.name]
    assert scores["beside"] > scores["none"] + 0.2


@pytest.mark.parametrize("strategy", ["frozen", "full", "lora"])
@pytest.mark.parametrize("long", ["first", "mean"])
def test_every_strategy_reads_columns_and_windows(strategy, long, tmp_path, backbone, few_steps):
    """Also 'frozen', whose head is solved on the states and the columns side by side."""
    train = some_rows("label", 40)
    longer = ({**value, "text": f"{value['text']} " * (1 + row % 12)} for row, value in enumerate(train.inputs))
    train = dataclasses.replace(train, inputs=tuple(longer))
    options = {"strategy": strategy, "backbone": backbone, "long": long}
    model = neural("label", tmp_path / "work", train, train, "finetuned", **options)
    assert metric_values(model.task, model.predict(train.inputs), train)["accuracy"] > 0.9
    model.save(tmp_path / "model")
    again = model_folder.open_model(tmp_path / "model")
    expected = model.predict(train.inputs).probabilities
    np.testing.assert_allclose(again.predict(train.inputs).probabilities, expected, atol=1e-5)
    alone = np.concatenate([again.predict([value]).probabilities for value in train.inputs[:14]])
    np.testing.assert_allclose(alone, expected[:14], atol=1e-4)
    assert not (tmp_path / "model" / "adapter").exists()
    if strategy == "full":
        int8 = again.with_int8().predict(train.inputs).probabilities
        np.testing.assert_allclose(int8, expected, atol=0.1)


def test_transformers_opens_the_folder_without_the_columns_as_its_note_says(tmp_path, few_steps):
    from transformers import AutoModelForSequenceClassification

    model = neural("label", tmp_path / "work")
    model.save(tmp_path / "model")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    train = some_rows("label", seed=2)
    value = train.inputs[0]
    encoded = model.task.encode([value], model.checkpoint.tokenizer)
    with torch.no_grad():
        text = theirs(torch.from_numpy(encoded.tokens.astype(np.int64))[None]).logits.numpy()
    beside = model.task.tabular.features([value]) @ model.model.head.columns.weight.detach().numpy().T
    ours = np.log(model.predict([value]).probabilities)
    np.testing.assert_allclose((text + beside) - (text + beside).max(), ours - ours.max(), atol=1e-4)
    note = (tmp_path / "model" / "README.md").read_text()
    assert "what they predict lacks the columns" in note


def test_weights_of_other_columns_are_refused(tmp_path, few_steps):
    model = neural("label", tmp_path / "work")
    model.save(tmp_path / "model")
    save_file({_heads.WEIGHT: torch.zeros(2, 3)}, tmp_path / "model" / _heads.FILE)
    with pytest.raises(CheckpointError, match=r"columns\.safetensors' is not the file that was saved"):
        model_folder.open_model(tmp_path / "model")
    manifest.relist(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"columns\.safetensors"):
        model_folder.open_model(tmp_path / "model")


@pytest.mark.parametrize("way", ["beside", "words"])
def test_rows_that_are_not_for_training_change_no_weight_of_a_transformer(way, tmp_path, few_steps):
    """There is one evaluation, after the last step, so that nothing is chosen."""

    def saved(name, train, validation):
        neural("label", tmp_path / f"{name} work", train, validation, columns=way).save(tmp_path / name)
        files = {path.name: load_file(path) for path in (tmp_path / name).glob("*.safetensors")}
        weights = {
            f"{file}:{key}": value.numpy().tobytes() for file, held in files.items() for key, value in held.items()
        }
        return weights, json.loads((tmp_path / name / "headstart.json").read_text())["task"]

    train, held_out = some_rows("label"), some_rows("label", 320, seed=1)
    clean = saved("clean", train, held_out)
    assert saved("poisoned", train, poisoned(held_out)) == clean
    assert saved("other", poisoned(train), held_out) != clean


def test_a_student_of_a_model_that_reads_columns_is_refused(tmp_path, few_steps):
    neural("label", tmp_path / "work").save(tmp_path / "model")
    train = some_rows("label")
    texts = dataclasses.replace(train, inputs=tuple(value["text"] for value in train.inputs))
    student = contenders.load("distilled", {"teacher": str(tmp_path / "model"), "student": "1x16"})
    with pytest.raises(UsageError, match="reads columns beside the text, which a student cannot"):
        student.fit(texts, texts, Classification().fitted(texts), Run(0, tmp_path / "student"))


@pytest.mark.parametrize("way", ["text", "words"])
def test_transformers_are_named_by_their_way(way):
    assert contenders.load("scratch", contenders.plugin("scratch").named(way)).name == f"scratch:{way}"
    options = _members.options(f"finetuned:lora-{way}")
    assert contenders.load("finetuned", options).name == f"finetuned:lora-{way}"


def test_an_ensemble_reads_columns_as_its_members_do(tmp_path):
    train = some_rows("label")
    task = Classification(tabular=Tabular.of(["size", "country"])).fitted(train)
    ensemble = contenders.load("ensemble", {"members": "linear:columns+linear:text"})
    model = ensemble.fit(train, some_rows("label", seed=1), task, Run(0, tmp_path / "work"))
    model.save(tmp_path / "model")
    other = some_rows("label", seed=2)
    again = model_folder.open_model(tmp_path / "model")
    assert again.predict(other.inputs).values == model.predict(other.inputs).values
    assert metric_values(model.task, model.predict(other.inputs), other)["accuracy"] > 0.9
