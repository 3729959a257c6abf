"""What run.py predicts is what the model predicts, for every task and form of input."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from headstart.contenders import linear
from headstart.contenders._ngrams import Reader
from headstart.contenders._pair_words import n_gram_texts
from headstart.contenders.majority import Majority
from headstart.core.costs import Costs
from headstart.core.errors import UsageError
from headstart.core.long_texts import LongTexts
from headstart.core.records import Rows, Run
from headstart.core.rooms import Signed
from headstart.export import certificate, folder, graph
from headstart.tasks.classification import Classification

LONG = "Anna Berg built the bridge in 1887, and the river ends in the North Sea. " * 3
TEXTS = ("", "a \ud800 b", "很好 \u0301 x\ty", "\t  ", LONG, LONG[:70])
WORDS = (("在", "北", "京", "Li"), ("\u200b", "a", " "), tuple(LONG.split()))
MORE = {
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
        assert len(set(map(str, found.values))) > 1


@pytest.mark.parametrize("name", ["classification", "pairs", "multilabel", "regression", "ner", "event", "qa"])
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
    with __import__("torch").no_grad():
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


@pytest.mark.parametrize("name", ["pairs", "multilabel", "regression", "ner", "event"])
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


def test_run_py_reads_lines_and_writes_json(program, sample, tmp_path):
    task, rows = sample("classification")
    fitted = linear.Linear().fit(rows, rows, task, Run(0, tmp_path / "work"))
    expected = program(fitted).predict(["A good one.", "12", "two words"])
    lines = '"A good one."\n12\ntwo words\n'
    command = [sys.executable, "-I", "-B", str(tmp_path / "exported" / "run.py")]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def test_a_program_has_only_the_sections_it_needs(program, transformer):
    text = folder.program(folder.exported(transformer("classification"), "onnx"))
    assert "<" + "onnx>" not in text
    assert "in_windows" not in text
    assert 'task["pairs"]' not in text
    assert "import onnxruntime" in text
    assert "import openvino" in folder.program(folder.exported(transformer("classification"), "openvino"))


def test_other_models_are_refused(sample):
    task, rows = sample("classification")
    fitted = Majority().fit(rows, rows, task, None)
    with pytest.raises(UsageError, match="only a single encoder or linear model can be exported, not an ensemble"):
        folder.exported(fitted, "onnx")


def test_models_of_relations_are_refused(sample, transformer, tmp_path):
    task, rows = sample("relation")
    for fitted in (transformer("relation"), linear.Linear().fit(rows, rows, task, Run(0, tmp_path, metric="accuracy"))):
        with pytest.raises(UsageError, match="a model of relations cannot be exported"):
            folder.exported(fitted, "onnx")


def test_columns_beside_the_text_are_refused(sample, tmp_path):
    rows = Rows(("1", "2"), tuple({"text": text, "columns": {"price": 1.0}} for text in "ab"), ("x", "y"))
    from headstart.core.tabular import Tabular

    task = Classification(tabular=Tabular.of(["price"])).fitted(rows)
    fitted = linear.Linear().fit(rows, rows, task, Run(0, tmp_path))
    with pytest.raises(UsageError, match="reads columns beside its text cannot be exported"):
        folder.exported(fitted, "onnx")


def test_a_missing_package_is_named(transformer, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"--to onnx needs the package onnxruntime: pip install 'headstart\[onnx\]'"):
        graph.check_installed("onnx")
