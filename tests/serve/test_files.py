"""POST /predict/file: the rows of a file, as `headstart predict` answers them."""

import asyncio
import csv
import io
import json
import tempfile
import threading

import httpx
import pytest
from tests.serve.conftest import until
from tests.serve.test_batcher import busy, finish

from headstart.serve import files
from headstart.serve.limits import Disconnected, Limits

CSV = {"content-type": "text/csv"}


def test_answers_are_added_to_a_table(shared):
    given = "id,text\n1,even\n2,\n3,odd\n"
    answer = shared.client.post("/predict/file", content=given, headers=CSV)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == 'attachment; filename="answers.csv"'
    assert (answer.headers["headstart-rows"], answer.headers["headstart-unread"]) == ("3", "1")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["label"] for row in rows] == ["good", "", "bad"]
    assert (rows[0]["id"], rows[0]["p(bad)"], rows[0]["p(good)"]) == ("1", "0.25", "0.75")


def test_json_lines_stay_json_lines(shared):
    kind = {"content-type": "application/x-ndjson"}
    answer = shared.client.post("/predict/file", content='{"text": "even"}\n', headers=kind)
    assert json.loads(answer.text) == {"text": "even", "label": "good", "p(bad)": 0.25, "p(good)": 0.75}


def test_a_column_may_be_named(shared):
    answer = shared.client.post("/predict/file?text=b", content="a,b\neven,odd\n", headers=CSV)
    assert next(csv.DictReader(io.StringIO(answer.text)))["label"] == "bad"
    answer = shared.client.post("/predict/file?body=b", content="a,b\neven,odd\n", headers=CSV)
    assert answer.status_code == 422


def test_a_long_file_is_predicted_in_small_batches_and_leaves_nothing_behind(shared, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shared.model.batches.clear()
    given = "text\n" + "even\n" * 70
    answer = shared.client.post("/predict/file", content=given, headers=CSV)
    assert answer.text.count("good") == 71  # with the header
    assert [len(batch) for batch in shared.model.batches] == [32, 32, 6]
    until(lambda: not list(tmp_path.iterdir()))


@pytest.mark.parametrize(
    ("content", "kind", "status", "sentence"),
    [
        ("a,b\n1,2\n", "text/csv", 422, "which column holds the text? file.csv has columns a, b: use ?text=NAME."),
        ("", "text/csv", 422, "file.csv"),
        ("text\nunreadable\n", "text/csv", 422, "a text is unreadable."),
        ("text\neven\n", "application/json", 415, "the file must be sent with a Content-Type of text/csv, "),
        ("text\n" + "a\n" * 600, "text/csv", 413, "the body is larger than 1000 bytes"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(own, tmp_path, monkeypatch, content, kind, status, sentence):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = own(limits=Limits(upload_bytes=1000))
    answer = running.client.post("/predict/file", content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.json()["error"].startswith(sentence)
    assert list(tmp_path.iterdir()) == []


def test_requests_are_answered_while_a_file_is_predicted_and_files_are_few(own):
    running = own(limits=Limits(uploads=1))
    first = busy(running)
    got = []

    def upload():
        with httpx.Client(base_url=running.client.base_url, timeout=10, verify=False) as client:
            got.append(client.post("/predict/file", content="text\n" + "even\n" * 64, headers=CSV))

    thread = threading.Thread(target=upload)
    thread.start()
    until(lambda: running.service.batcher.waiting == 32)
    second = running.client.post("/predict/file", content="text\na\n", headers=CSV)
    assert (second.status_code, second.headers["retry-after"]) == (429, "10")
    assert second.json()["error"] == "1 files are being predicted; try again in 10 s."
    asked = running.behind("odd")
    until(lambda: running.service.batcher.waiting == 33)
    finish(running, first, asked)
    thread.join(10)
    assert got[0].status_code == 200
    assert ["odd"] in running.model.batches[:-1]  # before the last rows of the file


def test_a_file_whose_client_leaves_is_given_up(own):
    job = files._Job(own().service, None, gone=True)
    with pytest.raises(Disconnected):
        asyncio.run(job._some(["a"]))
