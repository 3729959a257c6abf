"""Clients that are slow, silent or too many; and the end of a server with requests on their way."""

import re
import socket
import threading
import time

import httpx
import pytest
from benchmarks import _abuse
from tests.serve.conftest import until

from headstart.serve import connection
from headstart.serve.limits import Limits

IMPATIENT = Limits(slow_seconds=0.3, stuck_seconds=0.3)
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n"
BODY = b'{"inputs": ["abcd"]}'


@pytest.fixture(autouse=True)
def looked_at_often(monkeypatch):
    monkeypatch.setattr(connection, "TICKS", 1)


@pytest.fixture
def connected():
    """Open connections to a server; they are closed at the end of the test."""
    opened = []

    def connect(running):
        opened.append(socket.create_connection(("127.0.0.1", running.port), timeout=5))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


def everything(sock):
    """Read until the other side closes."""
    received = b""
    while part := sock.recv(65536):
        received += part
    return received


def response(sock):
    """Read one response with a body."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(1)
    length = int(re.search(rb"content-length: (\d+)", received)[1])
    for _ in range(length):
        received += sock.recv(1)
    return received


def drip(sock, data, seconds=0.05):
    """Send byte by byte until the other side closes; returns the seconds that took and what it sent."""
    began = time.monotonic()
    sock.settimeout(seconds)
    received = b""
    for byte in data:
        try:
            sock.sendall(bytes([byte]))
            received += (part := sock.recv(65536))
            if not part:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - began, received


def test_headers_that_do_not_arrive_are_given_up(own, connected):
    seconds, received = drip(connected(own(limits=IMPATIENT)), HEAD)
    assert received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"the headers did not arrive within 0.3 s." in received
    assert 0.25 < seconds < 1.5


def test_the_next_headers_of_a_connection_are_given_up_too(own, connected):
    sock = connected(own(limits=IMPATIENT))
    sock.sendall(HEAD + b"\r\n" + BODY)
    assert response(sock).startswith(b"HTTP/1.1 200 ")
    assert drip(sock, HEAD)[1].startswith(b"HTTP/1.1 408 ")


def test_a_silent_connection_is_closed_without_a_word(own, connected):
    began = time.monotonic()
    assert everything(connected(own(limits=IMPATIENT))) == b""
    assert time.monotonic() - began < 1.5


def test_a_body_that_does_not_arrive_is_given_up(own, connected):
    sock = connected(own(limits=IMPATIENT))
    sock.sendall(HEAD + b"\r\n")
    seconds, received = drip(sock, BODY)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive within 0.3 s; send it faster, or in smaller requests." in received
    assert seconds < 1.5


def test_a_body_that_nobody_reads_is_given_up(own, connected):
    sock = connected(own(limits=IMPATIENT))
    sock.sendall(b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    assert response(sock).startswith(b"HTTP/1.1 404 ")
    assert drip(sock, b" " * 1000)[0] < 1.5


def test_a_client_that_does_not_read_is_disconnected(own):
    running = own(limits=IMPATIENT)
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", running.port))
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    sock.settimeout(0.2)
    try:
        for _ in range(400):
            sock.sendall(ask)
    except OSError:
        pass
    until(lambda: not running.server.server_state.connections)
    sock.close()


def test_too_many_connections_are_refused(own, connected):
    running = own(limits=Limits(connections=2))
    first, _ = connected(running), connected(running)
    received = everything(connected(running))
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"2 connections are open, and no more may be; try again in 1 s." in received
    first.sendall(HEAD + b"\r\n" + BODY)
    assert response(first).startswith(b"HTTP/1.1 200 ")


def test_garbage_is_no_request(own, connected):
    sock = connected(own())
    sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    assert everything(sock).startswith(b"HTTP/1.1 400 ")


def test_at_the_end_requests_that_were_accepted_are_answered(own, connected):
    running = own()
    running.model.gate.clear()
    first = running.behind("even")
    until(lambda: running.model.batches)
    waiting = running.behind("also")
    until(lambda: running.service.batcher.waiting == 1)
    partial = connected(running)
    partial.sendall(HEAD + b"\r\n" + BODY[:5])
    idle = connected(running)
    idle.sendall(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert response(idle).startswith(b"HTTP/1.1 200 ")
    running.stop()
    until(lambda: running.server.servers[0].sockets == ())  # it accepts no new connections
    idle.sendall(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")  # sent before the server has said goodbye
    received = everything(idle)
    assert received.startswith(b"HTTP/1.1 503 ")
    assert b"connection: close" in received
    partial.sendall(BODY[5:])
    time.sleep(0.3)
    running.model.gate.set()
    assert everything(partial).startswith(b"HTTP/1.1 200 ")
    for thread, answers in (first, waiting):
        thread.join(5)
        assert answers[0].status_code == 200
        assert answers[0].headers["connection"] == "close"
    running.thread.join(5)
    assert not running.thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        running.predict("late")


def test_pipelined_requests_are_answered_in_order(shared):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=5) as sock:
        sock.sendall(2 * (HEAD + b"\r\n" + BODY) + HEAD + b"Connection: close\r\n\r\n" + BODY)
        assert everything(sock).count(b"HTTP/1.1 200 ") == 3


def test_no_thread_is_left_behind(own):
    before = threading.active_count()
    running = own()
    running.predict("a")
    running.stop()
    running.thread.join(5)
    until(lambda: threading.active_count() <= before)


def test_broken_requests_are_refused_and_never_an_unexpected_error(own):
    running = own(limits=Limits(slow_seconds=1.0))
    seen = _abuse.fuzz(running.port, 200, 60.0)["statuses"]
    assert set(seen) <= {"0", "200", "400", "404", "405", "408", "413", "415", "422"}
    assert seen["422"] > 20
    assert running.predict("even").status_code == 200
