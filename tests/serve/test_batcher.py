"""Batches form while the model is busy; what waits is bounded, and fails or leaves alone."""

import socket
import time

import pytest
from tests.serve.conftest import until

from headstart.core import memory
from headstart.serve import batcher
from headstart.serve.limits import Limits


def busy(running):
    """Let the model begin a batch that does not end until its gate is opened."""
    running.model.gate.clear()
    running.model.batches.clear()
    first = running.behind("first")
    until(lambda: running.model.batches)
    return first


def finish(running, *asked):
    running.model.gate.set()
    responses = []
    for thread, answers in asked:
        thread.join(10)
        responses += answers
    return responses


def test_a_free_model_predicts_at_once_and_alone(shared):
    shared.model.batches.clear()
    shared.predict("a")
    shared.predict("b")
    assert shared.model.batches == [["a"], ["b"]]


def test_what_waits_while_the_model_is_busy_is_one_batch(shared):
    first = busy(shared)
    others = [shared.behind("odd" + "x" * number, "two") for number in range(4)]
    until(lambda: shared.service.batcher.waiting == 8)
    first_answer, *answers = finish(shared, first, *others)
    assert first_answer.status_code == 200
    assert [len(batch) for batch in shared.model.batches] == [1, 8]
    for number, answer in enumerate(answers):
        first_word, second = answer.json()["predictions"]
        assert first_word["predicted"] == ("bad" if number % 2 == 0 else "good")
        assert second["predicted"] == "bad"


@pytest.mark.parametrize(("name", "most"), [("BATCH_INPUTS", 5), ("BATCH_CHARACTERS", 5)])
def test_a_batch_is_bounded_but_no_request_is_too_large_for_one(shared, monkeypatch, name, most):
    monkeypatch.setattr(batcher, name, most)
    first = busy(shared)
    others = []
    for count, waiting in ((2, 2), (3, 5), (7, 12), (1, 13)):
        others.append(shared.behind(*"abcdefg"[:count]))
        until(lambda waiting=waiting: shared.service.batcher.waiting == waiting)
    assert {answer.status_code for answer in finish(shared, first, *others)} == {200}
    assert [len(batch) for batch in shared.model.batches] == [1, 5, 7, 1]


def test_an_input_that_fails_fails_alone(shared):
    first = busy(shared)
    others = [shared.behind("fine"), shared.behind("unreadable"), shared.behind("crash")]
    until(lambda: shared.service.batcher.waiting == 3)
    assert [answer.status_code for answer in finish(shared, first, *others)] == [200, 200, 422, 500]


def test_a_full_queue_refuses_with_the_time_to_wait_and_reads_no_body(own):
    running = own(limits=Limits(inputs=2, queue=3))
    running.service.batcher.rate = 0.5
    first = busy(running)
    others = [running.behind("a", "b")]
    until(lambda: running.service.batcher.waiting == 2)
    refused = running.predict("c", "d")  # there is room for one
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "4"
    assert refused.json()["error"] == "2 inputs wait for the model and at most 3 may; try again in 4 s."
    others.append(running.behind("c"))
    until(lambda: running.service.batcher.waiting == 3)
    with socket.create_connection(("127.0.0.1", running.port), timeout=5) as connection:
        began = time.monotonic()
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 429 ")
        assert time.monotonic() - began < 1
    assert {answer.status_code for answer in finish(running, first, *others)} == {200}
    assert running.predict("c", "d").status_code == 200


def test_refusals_of_a_full_server_are_not_parsed_unless_a_header_asks_for_it(own):
    running = own(limits=Limits(inputs=1, queue=1), token="0123456789abcdef")
    right = {"authorization": "Bearer 0123456789abcdef"}
    running.client.headers.update(right)
    first = busy(running)
    waiting = running.behind("a")
    until(lambda: running.service.batcher.waiting == 1)
    refused = running.predict("b")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "date" not in refused.headers  # which uvicorn adds
    assert refused.headers["x-content-type-options"] == "nosniff"
    assert running.predict("b").json() == refused.json()  # on the same connection
    parsed = running.client.post(
        "/predict", content=iter([b'{"inputs": ["a"]}']), headers={"content-type": "application/json"}
    )
    assert (parsed.status_code, "date" in parsed.headers) == (429, True)
    assert running.predict("b", headers={"authorization": "Bearer no"}).status_code == 401
    assert running.client.get("/health/ready").status_code == 200
    assert {answer.status_code for answer in finish(running, first, waiting)} == {200}
    assert 'headstart_requests_total{path="/predict",status="429"} 3.0' in running.client.get("/metrics").text


def test_a_client_that_leaves_is_not_predicted(shared):
    first = busy(shared)
    body = b'{"inputs": ["left"]}'
    with socket.create_connection(("127.0.0.1", shared.port)) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        until(lambda: shared.service.batcher.waiting == 1)
    until(lambda: shared.service.batcher.waiting == 0)
    finish(shared, first)
    assert shared.model.batches == [["first"]]
    assert 'headstart_requests_total{path="/predict",status="499"} 1.0' in shared.client.get("/metrics").text


def test_memory_is_given_back_after_batches(own, monkeypatch):
    given_back = []
    monkeypatch.setattr(memory, "GIVE_BACK_SECONDS", 0.0)
    monkeypatch.setattr(memory, "give_back", lambda: given_back.append(True))
    running = own()
    running.predict("a")
    running.predict("b")
    until(lambda: len(given_back) == 2)


def test_the_rate_is_measured(own):
    running = own()
    for _ in range(20):
        running.predict("a")
    assert running.service.batcher.rate > batcher.FIRST_RATE
