"""An export is checked on the rows of its comparison, and only one that predicts alike is written."""

import csv
import dataclasses
import json
import shutil

import pandas
import pytest

from headstart import api, cli
from headstart.contest import int8
from headstart.core import checked
from headstart.core.errors import CheckpointError, ExportError, UsageError
from headstart.export import certificate, folder, graph, job

WORDS = {"good": ["love", "great", "fine", "happy"], "bad": ["hate", "poor", "broken", "sad"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A comparison of a linear model alone, and its file."""
    place = tmp_path_factory.mktemp("comparison")
    with (place / "rows.csv").open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow(["text", "label"])
        for number in range(120):
            label = ("good", "bad", "good")[number % 3]
            write.writerow([f"{WORDS[label][number % 4]} {number} {WORDS[label][(number // 4) % 4]}", label])
    run(place / "rows.csv", place / "run")
    return place


def run(data, out, **arguments):
    api.compare(data, contenders=["linear"], seeds=1, sizes=(), out=out, listener=lambda _: None, **arguments)


@pytest.fixture
def comparison(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "place")
    stored = json.loads((tmp_path / "place/run/rows.json").read_text())
    del stored["content_sha256"]
    stored["sources"]["data"] = str(tmp_path / "place/rows.csv")
    checked.write(tmp_path / "place/run/rows.json", stored)
    return tmp_path / "place"


@pytest.fixture
def wrong(monkeypatch):
    """Let run.py predict the least probable class."""
    program = folder.program
    monkeypatch.setattr(
        folder, "program", lambda export: program(export).replace("max(probabilities", "min(probabilities")
    )


def test_all_rows_are_predicted_and_the_certificate_says_how(comparison, tmp_path):
    best, out = comparison / "run/best", tmp_path / "out"
    values = job.export(best, out)
    assert checked.read(out / "certificate.json", "") == json.loads(json.dumps(values))
    assert {path.name for path in out.iterdir()} == {*values["export"], "certificate.json"}
    assert values["data"] == json.loads((comparison / "run/result.json").read_text())["splits"]["sha256"]
    record = json.loads(next((comparison / "run/trials").glob("*.json")).read_text())
    for name, score in (("validation", record["validation"]["accuracy"]), ("test", record["scores"]["accuracy"])):
        part = values["rows"][name]
        assert part["equal"] == part["rows"] == {"validation": 24, "test": 24}[name]
        assert part["largest"] < 1e-5
        assert part["original"] == part["export"] == score
        assert part["better_by"][1] < part["better_by"][0] == 0.0 < part["better_by"][2]
    assert values["latency_ms"]["export"][0] > 0
    opening = json.loads((comparison / "run/test_openings.jsonl").read_text().splitlines()[-1])
    assert (opening["export"], opening["trial"]) == ("onnx", record["key"])


def test_the_command_prints_the_certificate(comparison, tmp_path, capsys):
    arguments = ["export", str(comparison / "run/best"), "--out", str(tmp_path / "out")]
    assert cli.run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("validation: 24 of 24 rows are predicted alike, the largest difference is ")
    assert lines[1].startswith("test: 24 of 24 rows")
    assert lines[2].startswith("numpy, float32: ")
    assert cli.run([*arguments, "--json"]) == 0  # over an earlier export
    assert json.loads(capsys.readouterr().out)["runtime"] == "numpy"


def test_an_export_that_predicts_otherwise_is_refused_with_its_rows(comparison, tmp_path, wrong, capsys):
    assert cli.run(["export", str(comparison / "run/best"), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert "headstart: the export does not predict as the model does: 24 of 24 validation rows are predicted" in said
    assert "became" in said
    assert "and 4 more" in said
    assert not (tmp_path / "out").exists()


def test_a_program_that_fails_is_refused(comparison, tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "program", lambda export: "import torch")
    with pytest.raises(ExportError, match=r"the exported program failed .*torch.*; nothing was written"):
        job.export(comparison / "run/best", tmp_path / "out")


def test_rows_that_are_no_longer_the_same_are_refused(comparison, tmp_path):
    data = comparison / "rows.csv"
    data.write_text(data.read_text().replace("love", "like"))
    with pytest.raises(UsageError, match="are not those that the model was judged on: a file has changed"):
        job.export(comparison / "run/best", tmp_path / "out")
    data.unlink()
    with pytest.raises(
        UsageError, match=r"cannot be read again: .*rows.csv.*; name a file with labelled rows by --data"
    ):
        job.export(comparison / "run/best", tmp_path / "out")


def test_rows_of_no_file_are_refused(finished, tmp_path):
    run(pandas.read_csv(finished / "rows.csv"), tmp_path / "run")
    with pytest.raises(UsageError, match="were not read from a file; name a file with labelled rows by --data"):
        job.export(tmp_path / "run/best", tmp_path / "out")


def test_a_damaged_note_of_the_rows_is_named(comparison, tmp_path):
    checked.write(comparison / "run/rows.json", {"format": 1})
    with pytest.raises(CheckpointError, match=r"rows\.json' is damaged \('sources'\)"):
        job.export(comparison / "run/best", tmp_path / "out")


def test_a_model_of_no_comparison_needs_rows(comparison, tmp_path):
    shutil.copytree(comparison / "run/best", tmp_path / "model")
    with pytest.raises(UsageError, match=r"is in no comparison that says which rows .*--data"):
        job.export(tmp_path / "model", tmp_path / "out")
    values = job.export(tmp_path / "model", tmp_path / "out", data=comparison / "rows.csv")
    assert values["rows"]["file"]["equal"] == 120


def test_other_folders_and_formats_are_refused(comparison, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="other' exists and holds no export: name another folder with --out"):
        job.export(comparison / "run/best", tmp_path / "other")
    with pytest.raises(UsageError, match=r"no format 'onx' \(--to\); did you mean 'onnx'"):
        job.export(comparison / "run/best", tmp_path / "out", to="onx")
    with pytest.raises(UsageError, match="a linear model has no 8-bit version; leave out --int8"):
        job.export(comparison / "run/best", tmp_path / "out", int8=True)


@pytest.fixture
def saved(transformer, tmp_path):
    transformer("classification").save(tmp_path / "model")
    rows = "".join(f"{word} text {number},{'pos' if number % 2 else 'neg'}\n" for number, word in enumerate("abcdef"))
    (tmp_path / "rows.csv").write_text(f"text,label\n{rows}")
    return tmp_path


def test_int8_takes_the_first_way_that_passes_the_gate(saved, monkeypatch):
    tried, quantise, gate = [], graph.quantise, certificate.gate

    def remember(source, path, how, batches):
        tried.append((str(how), len(batches)))
        quantise(source, path, how, batches)

    def second(task, metric, part):
        return dataclasses.replace(gate(task, metric, part), agreement=float(len(tried) == 4))

    monkeypatch.setattr(graph, "quantise", remember)
    monkeypatch.setattr(certificate, "gate", second)
    values = job.export(saved / "model", saved / "out", int8=True, data=saved / "rows.csv")
    assert tried == [("dynamic", 0), ("dynamic except down", 0), ("dynamic except up and down", 0), ("static", 6)]
    assert values["precision"] == "int8, static"


def test_int8_that_no_way_passes_is_refused(saved, monkeypatch):
    monkeypatch.setattr(int8, "AGREEMENT", 1.1)
    monkeypatch.setitem(job.METHODS, "onnxruntime", job.METHODS["onnxruntime"][1::2])
    said = []
    with pytest.raises(ExportError, match=r"int8 is refused: .* of 6 validation labels .* quantisation, the best one"):
        job.export(saved / "model", saved / "out", int8=True, data=saved / "rows.csv", report=said.append)
    assert [line for line in said if line.startswith("Trying")] == [
        "Trying 8-bit weights, dynamic except down, on 6 file rows.",
        "Trying 8-bit weights, static, on 6 file rows.",
    ]
    assert not (saved / "out").exists()


def test_openvino_has_8_bits_with_static_scales_alone(saved, monkeypatch):
    tried = []

    def refuse(source, path, how, batches):
        tried.append(str(how))
        raise ExportError("enough")

    monkeypatch.setattr(graph, "quantise", refuse)
    with pytest.raises(ExportError, match="enough"):
        job.export(saved / "model", saved / "out", to="openvino", int8=True, data=saved / "rows.csv")
    assert tried == ["static"]
    assert {way.method for way in job.METHODS["openvino"]} == {"static"}


def test_openvino_predicts_alike(saved):
    values = job.export(saved / "model", saved / "a, b", to="openvino", data=saved / "rows.csv")
    assert values["runtime"] == "openvino"
    assert values["rows"]["file"]["equal"] == 6
    assert (saved / "a, b/model.xml").is_file()
    assert not (saved / "a, b/model.onnx").exists()
