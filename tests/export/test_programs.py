"""What run.py predicts is what the model predicts, for every task and form of input."""

import copy
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from headstart.contenders import linear
from headstart.contenders._ngrams import Reader
from headstart.contenders._pair_words import n_gram_texts
from headstart.contenders.cascade import FittedCascade
from headstart.contenders.ensemble import FittedEnsemble
from headstart.contenders.majority import Majority
from headstart.core import rooms
from headstart.core.contracts import reading_columns
from headstart.core.costs import Costs
from headstart.core.errors import UsageError
from headstart.core.long_texts import LongTexts
from headstart.core.records import Rows, Run
from headstart.core.rooms import Signed
from headstart.core.tabular import Tabular
from headstart.export import certificate, folder, graph
from headstart.tasks.classification import Classification
from headstart.text.tokenizer import Tokenizer

WRITTEN = {name for name in rooms.names("tasks") if rooms.load("tasks", name).generates}
LONG = "Anna Berg built the bridge in 1887, and the river ends in the North Sea. " * 3
TEXTS = ("", "a \ud800 b", "很好 \u0301 x\ty", "\t  ", LONG, LONG[:70])
WORDS = (("在", "北", "京", "Li"), ("\u200b", "a", " "), tuple(LONG.split()))
MORE = {
    "relation": tuple(f"{LONG[:cut]}<e2>a fire</e2>{LONG[cut:]} <e1> {LONG[:30]}</e1> x" for cut in (0, 40, 200)),
    "pairs": tuple(zip(TEXTS, reversed(TEXTS), strict=True)),
    "pair-regression": tuple(zip(TEXTS, reversed(TEXTS), strict=True)),
    "ner": (*TEXTS, *WORDS),
    "qa": tuple({"question": one, "context": other} for one in ("Who?", LONG) for other in ("x", "\u0301", LONG)),
}


def check(program, fitted, inputs):
    """Compare what a program and a model predict, and how probable they find it."""
    expected = fitted.predict(inputs)
    lines = json.loads(json.dumps(program.predict([json.loads(json.dumps(value)) for value in inputs])))
    found = certificate.read(fitted.task, lines)
    assert certificate.differences(fitted.task, expected, found).max() < 1e-5
    if fitted.task.kind != "number":
        assert found.values == expected.values
        if found.probabilities is None:
            assert len(set(map(str, found.values))) > 1
        else:
            assert np.ptp(found.probabilities, axis=0).max() > 0.01


@pytest.mark.parametrize("name", sorted({*rooms.names("tasks")} - WRITTEN))
def test_a_transformer_predicts_alike(name, program, transformer, sample):
    fitted = transformer(name)
    inputs = (*sample(name)[1].inputs, *MORE.get(name, TEXTS))
    check(program(fitted), fitted, inputs)


@pytest.mark.parametrize(
    ("long", "pooling"),
    [(LongTexts("max", 3), "first"), (LongTexts("mean", 3), "mean"), (LongTexts("head-tail"), "first")],
)
def test_a_transformer_reads_long_texts_alike(long, pooling, program, transformer):
    fitted = transformer("classification", long=long, pooling=pooling)
    fitted.checkpoint.tokenizer.prefix = "query: "
    check(program(fitted), fitted, (*TEXTS, *(LONG[start:] for start in range(0, 60, 7))))


def test_entities_with_scores_of_neighbouring_tags_are_found_alike(program, transformer, sample):
    from headstart.nn.crf import CrfHead

    fitted = transformer("ner")
    head = fitted.model.head
    crf = CrfHead(16, head.output.out_features)
    crf.output = head.output
    with torch.no_grad():
        crf.moves.weight.normal_()
    fitted.model.head = crf
    check(program(fitted), fitted, (*sample("ner")[1].inputs, LONG))


def test_an_answer_may_need_to_be_more_probable_than_none(program, transformer, sample):
    fitted = transformer("qa")
    inputs = sample("qa")[1].inputs
    odds = [
        np.log(dict(each)[""] / next(share for text, share in each if text))
        for each in fitted.predict(inputs).candidates
    ]
    fitted.task = dataclasses.replace(fitted.task, threshold=Signed(float(np.median(odds)) + 1e-3))
    assert "" in fitted.predict(inputs).values
    check(program(fitted), fitted, inputs)


@pytest.mark.parametrize("name", sorted({*rooms.names("tasks")} - WRITTEN - {"qa", "classification"}))
def test_a_linear_model_predicts_alike(name, program, sample, tmp_path):
    task, rows = sample(name)
    fitted = linear.Linear().fit(rows, rows, task, Run(0, tmp_path / "work", metric=task.metrics[0].name))
    if name == "multilabel":
        fitted = dataclasses.replace(fitted, task=dataclasses.replace(task, thresholds=(0.45, 0.3)))
    check(program(fitted), fitted, (*rows.inputs, *MORE.get(name, TEXTS)))


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("presence", [False, True])
def test_both_linear_classifiers_predict_alike(labels, presence, program):
    texts = tuple(f"{label} word{number % 3} 好评 and\n\n more" for number in range(4) for label in labels)
    rows = Rows(texts, texts, labels * 4)
    task = Classification().fitted(rows)
    reader, features = Reader.fitted(n_gram_texts(task, texts), 50)
    models = linear.CANDIDATES["single_label_classification"][0](reader, features, rows, task)
    fitted = next(model for model in models if model.presence is presence)
    check(program(fitted), fitted, (*texts, *TEXTS))


def run_lines(folder, lines):
    command = [sys.executable, "-I", "-B", str(folder / "run.py")]
    done = subprocess.run(
        command, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_run_py_reads_texts_line_by_line(program, sample, tmp_path):
    task, rows = sample("classification")
    fitted = linear.Linear().fit(rows, rows, task, Run(0, tmp_path / "work"))
    texts = ['A "good" one.', "12", "two words"]
    expected = program(fitted).predict(texts)
    assert run_lines(tmp_path / "exported", texts) == expected


def test_run_py_reads_other_inputs_as_json(program, sample, tmp_path):
    task, rows = sample("pairs")
    fitted = linear.Linear().fit(rows, rows, task, Run(0, tmp_path / "work"))
    expected = program(fitted).predict(rows.inputs)
    assert run_lines(tmp_path / "exported", map(json.dumps, rows.inputs)) == expected


# Lines of a program for one kind of task, without its blank lines.
MOST_LINES = {
    "classification": 41,
    "multilabel": 41,
    "regression": 41,
    "pairs": 42,
    "relation": 72,
    "qa": 67,
    "ner": 88,
}


@pytest.mark.parametrize("name", MOST_LINES)
def test_a_program_has_only_the_sections_it_needs(name, transformer):
    text = folder.program(folder.exported(transformer(name), "onnx"))
    assert len([line for line in text.splitlines() if line.strip()]) <= MOST_LINES[name]
    assert "# <" not in text
    assert ("parts_of" in text) == (name == "relation")
    assert "import onnxruntime" in text
    assert "import openvino" in folder.program(folder.exported(transformer(name), "openvino"))


def test_other_models_are_refused(sample):
    task, rows = sample("classification")
    fitted = Majority().fit(rows, rows, task, None)
    with pytest.raises(UsageError, match="a model that writes texts, a baseline and one that searches"):
        folder.exported(fitted, "onnx")


@pytest.mark.parametrize("how", ["costs", "thresholds", "both"])
@pytest.mark.parametrize("kind", ["transformer", "linear"])
def test_what_costs_and_thresholds_decide_is_predicted_alike(kind, how, program, transformer, sample, tmp_path):
    task, rows = sample("classification")
    fitted = (
        linear.Linear().fit(rows, rows, task, Run(0, tmp_path / "work"))
        if kind == "linear"
        else transformer("classification")
    )
    inputs = (*rows.inputs, *TEXTS)
    odds = fitted.predict(inputs).probabilities
    between = float(np.sort(odds[:, 0] / odds[:, 1])[1:3].mean())  # two texts are below: one decision changes
    costs = Costs(task.classes, (0.0, 1.0, between, 0.0))
    offsets = Signed(-np.log(between)), Signed(0.0)  # the same decisions
    changes = {
        "costs": {"costs": costs},
        "thresholds": {"offsets": offsets},
        "both": {"costs": costs, "offsets": (Signed(0.0),) * 2},
    }
    changed = dataclasses.replace(fitted, task=dataclasses.replace(task, **changes[how]))
    assert changed.predict(inputs).values != fitted.predict(inputs).values
    check(program(changed), changed, inputs)


CELLS = (
    {"price": 3.5, "country": "DE"},
    {"price": "12", "country": ["FR", "DE"]},
    {"price": None, "country": ""},
    {"price": True, "country": False},
    {"price": 1e9, "country": 7},
    {"price": "n/a", "country": [None, 2.5, "IT"]},
    {"price": float("nan"), "country": " DE "},
    {"price": [1], "country": None},
)


@pytest.fixture
def with_columns(sample):
    """The fitted task of a name that reads columns in some way, and rows with them."""

    def make(name, way):
        task, rows = sample(name)
        cells = (CELLS * len(rows))[: len(rows)]
        inputs = tuple({"text": each, "columns": row} for each, row in zip(rows.inputs, cells, strict=True))
        rows = dataclasses.replace(rows, inputs=inputs)
        plain = dataclasses.replace(task, tabular=Tabular.of(["price", "country"]))
        return reading_columns(plain.fitted(rows), way), rows

    return make


def more_with_columns(rows):
    return tuple({"text": rows.inputs[number % len(rows)]["text"], "columns": row} for number, row in enumerate(CELLS))


@pytest.mark.parametrize("way", ["beside", "words", "none", "alone"])
@pytest.mark.parametrize("name", ["classification", "pairs", "relation", "multilabel", "regression"])
def test_a_linear_model_reads_columns_alike(name, way, program, with_columns, tmp_path):
    task, rows = with_columns(name, "beside")
    run = Run(0, tmp_path / "work", metric=task.metrics[0].name)
    fitted = linear.Linear(columns=way).fit(rows, rows, task, run)
    check(program(fitted), fitted, (*rows.inputs, *more_with_columns(rows)))


@pytest.mark.parametrize("way", ["beside", "words", "none"])
@pytest.mark.parametrize("name", ["classification", "pairs", "relation"])
def test_a_transformer_reads_columns_alike(name, way, program, transformer, with_columns):
    task, rows = with_columns(name, way)
    fitted = dataclasses.replace(transformer(name), task=task)
    if way == "beside":
        fitted.model.head.columns = torch.nn.Linear(task.tabular.width, len(task.classes), bias=False)
    check(program(fitted), fitted, (*rows.inputs, *more_with_columns(rows)))


def test_windows_of_texts_with_columns_are_read_alike(program, transformer, with_columns):
    task, rows = with_columns("classification", "beside")
    fitted = dataclasses.replace(transformer("classification", long=LongTexts("mean", 3)), task=task)
    fitted.model.head.columns = torch.nn.Linear(task.tabular.width, len(task.classes), bias=False)
    long = {"text": LONG, "columns": CELLS[0]}
    check(program(fitted), fitted, (*rows.inputs, long, *more_with_columns(rows)))


@pytest.fixture
def member(sample, transformer, tmp_path):
    """A linear model and a Transformer of a task, or two Transformers."""

    def make(name):
        task, rows = sample(name)
        first = transformer(name, seed=1)
        if name != "qa":
            run = Run(0, tmp_path / "work", metric=task.metrics[0].name)
            first = linear.Linear().fit(rows, rows, task, run)
        return first, transformer(name)

    return make


@pytest.mark.parametrize("name", sorted({*rooms.names("tasks")} - WRITTEN))
def test_an_ensemble_predicts_alike(name, program, member, sample):
    members = member(name)
    names, weights = ("one", "other"), np.array([0.3, 0.7])
    task = members[1].task
    if name == "multilabel":
        task = dataclasses.replace(task, thresholds=(0.45, 0.3))
    fitted = FittedEnsemble(task, names, members, weights)
    check(program(fitted), fitted, (*sample(name)[1].inputs, *MORE.get(name, TEXTS)))


@pytest.mark.parametrize("how", ["vote", "stacking", "temperature", "costs", "thresholds"])
def test_an_ensemble_combines_labels_alike(how, program, member, sample):
    members = member("classification")
    inputs = (*sample("classification")[1].inputs, *TEXTS)
    fitted = FittedEnsemble(members[1].task, ("one", "other"), members, np.array([0.5, 0.5]), vote=how == "vote")
    if how == "stacking":
        fitted = dataclasses.replace(fitted, stacked=np.random.default_rng(0).normal(size=(5, 2)))
    if how == "temperature":
        fitted = fitted.with_temperature(1.7)
    if how in ("costs", "thresholds"):
        usual, odds = fitted.predict(inputs), fitted.predict(inputs).probabilities
        ratios = np.unique(odds[:, 0] / odds[:, 1])
        widest = np.diff(ratios).argmax()
        between = float(ratios[widest : widest + 2].mean())
        costs = {"costs": Costs(fitted.task.classes, (0.0, 1.0, between, 0.0))}
        offsets = {"offsets": (Signed(-np.log(between)), Signed(0.0))}
        task = dataclasses.replace(fitted.task, **(costs if how == "costs" else offsets))
        fitted = dataclasses.replace(fitted, task=task)
        assert fitted.predict(inputs).values != usual.values
    loaded = program(fitted)
    check(loaded, fitted, inputs)
    assert loaded.predict([]) == []


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_a_cascade_predicts_alike(temperature, program, member, sample):
    cheap, expensive = member("classification")
    inputs = (*sample("classification")[1].inputs, *TEXTS)
    sure = np.unique(cheap.predict(inputs).probabilities.max(1))
    limit = float(sure[len(sure) // 2 - 1 : len(sure) // 2 + 1].mean())
    fitted = FittedCascade(cheap.task, ("cheap", "expensive"), cheap, expensive, limit).with_temperature(temperature)
    check(program(fitted), fitted, inputs)


def test_the_names_of_special_tokens_are_text_where_the_tokenizer_says_so(program, transformer):
    fitted = transformer("classification")
    texts = ("a [SEP] b", "a [CLS]", *TEXTS)
    own = Tokenizer(copy.deepcopy(fitted.checkpoint.tokenizer.backend), fitted.checkpoint.tokenizer.window)
    own.backend.encode_special_tokens = True
    apart = dataclasses.replace(fitted, checkpoint=dataclasses.replace(fitted.checkpoint, tokenizer=own))
    assert fitted.predict(texts[:1]).probabilities.tolist() != apart.predict(texts[:1]).probabilities.tolist()
    check(program(apart), apart, texts)


def test_a_missing_package_is_named(transformer, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"--to onnx needs the package onnxruntime: pip install 'headstart\[onnx\]'"):
        graph.check_installed("onnx")
