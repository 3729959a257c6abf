"""Requests that nobody should send: broken, slow, abandoned; by plain sockets, as libraries refuse to send them."""

from __future__ import annotations

import json
import random
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks._load import tally

WORDS = ("inputs", "text", "label", "columns", "a", "", "\ud800", "\0", "é", "你好", "\u202e", "x" * 3000)
NUMBERS = ("0", "-1", "1e999", "-1e-999", "NaN", "Infinity", "9" * 400, "9" * 5000, "0.1", "1E400", "-0")
KINDS = (b"application/json", b"application/json; charset=utf-16", b"text/plain", b"", b"\xff", b"multipart/form-data")
PATHS = (
    b"/predict",
    b"/",
    b"/v2/models/model/infer",
    b"/metrics",
    b"/../etc/passwd",
    b"/%00",
    b"/predict?a=b",
    b"*",
    b"/\xff",
)
METHODS = (b"POST", b"GET", b"PUT", b"OPTIONS", b"HEAD", b"get", b"", b"POST POST")
SECONDS = 30.0
PATIENCE = 15.0  # seconds for which a slow client keeps sending


def value(chance: random.Random, depth: int = 0) -> str:
    """Return a JSON value, or something like it."""
    kind = chance.randrange(9 if depth < 4 else 5)
    if kind == 0:
        return chance.choice(("null", "true", "false", "nul", "'a'", "undefined"))
    if kind == 1:
        return chance.choice(NUMBERS)
    if kind < 5:
        return json.dumps(chance.choice(WORDS) + chr(chance.randrange(1, 0x3000)))
    inner = [value(chance, depth + 1) for _ in range(chance.choice((0, 1, 1, 2, 3, 3 if depth else 40)))]
    if kind < 7:
        return f"[{','.join(inner)}]"
    return "{" + ",".join(f"{json.dumps(chance.choice(WORDS))}:{each}" for each in inner) + "}"


def body(chance: random.Random) -> bytes:
    """Return the body of a request; most are wrong in one place."""
    kind = chance.randrange(10)
    if kind == 0:
        return chance.randbytes(chance.randrange(60))
    if kind == 1:
        deep = chance.choice((50, 900, 1100, 50_000))
        return ('{"inputs":' + "[" * deep + "]" * deep + "}").encode()
    if kind == 2:
        return value(chance).encode("utf-8", "surrogatepass")
    inputs = ",".join(value(chance) for _ in range(chance.choice((1, 1, 1, 2, 3, 32, 33))))
    whole = ('{"inputs":[' + inputs + "]}").encode("utf-8", "surrogatepass")
    if kind == 3:
        place = chance.randrange(len(whole))
        return whole[:place] + chance.randbytes(1) + whole[place + 1 :]
    return whole[: chance.randrange(len(whole))] if kind == 4 else whole


def request(chance: random.Random) -> bytes:
    """Return a request; one in ten is no HTTP."""
    sent = body(chance)
    kind = chance.randrange(20)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 200)) + b"\r\n\r\n"
    method, path, media = b"POST", b"/predict", b"application/json"
    if kind < 4:
        method, path, media = chance.choice(METHODS), chance.choice(PATHS), chance.choice(KINDS)
    head = b"%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\n" % (method, path, media)
    if kind == 4:
        head += b"X: " + b"y" * chance.choice((100, 70_000)) + b"\r\n"
    if kind == 5:
        length = chance.choice((b"-1", b"a", b"999999999999", b"1, 1", str(len(sent)).encode()))
        return head + b"Content-Length: " + length + b"\r\n\r\n" + sent
    if kind == 6:
        size = b"%x" % len(sent) if chance.random() < 0.7 else b"zz"
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\n" + sent + b"\r\n0\r\n\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(sent) + sent


def status_of(sock: socket.socket) -> tuple[int, bool]:
    """Read a response; return its status, 0 for none, and whether the connection is still usable."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = sock.recv(65536)
        if not part:
            return 0, False
        received += part
    head, _, rest = received.lower().partition(b"\r\n\r\n")
    status = int(head[9:12])
    length = head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0]
    usable = length.isdigit() and b"connection: close" not in head
    left = int(length) - len(rest) if usable else 0
    while left > 0:
        part = sock.recv(65536)
        if not part:
            return status, False
        left -= len(part)
    return status, usable


def fuzz(port: int, count: int, most_seconds: float) -> dict[str, Any]:
    """Send broken requests over four threads; return how often each status came back, 0 for a closed connection."""
    statuses: Counter[int] = Counter()
    unanswered = sent_count = 0
    began = time.perf_counter()

    def send(seed: int) -> None:
        nonlocal unanswered, sent_count
        chance = random.Random(seed)
        sock = None
        for _ in range(count // 4):
            if time.perf_counter() - began > most_seconds:
                break
            sent_count += 1
            sent = request(chance)
            sock = sock or socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
            usable = False
            try:
                sock.sendall(sent)
                sock.settimeout(0.3 if b"999999999999" in sent[:400] else SECONDS)
                status, usable = status_of(sock)
                statuses[status] += 1
            except TimeoutError:
                unanswered += 1  # it waits for the rest of a body
            except OSError:
                statuses[0] += 1
            if not usable or sent.startswith(b"HEAD"):
                sock.close()
                sock = None
        if sock:
            sock.close()

    threads = [threading.Thread(target=send, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = round(time.perf_counter() - began, 1)
    return {"requests": sent_count, "statuses": tally(statuses), "unanswered": unanswered, "seconds": seconds}


def slow(port: int, clients: int, beside: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Send headers, and bodies, byte by byte; return when each was cut, and what a usual client measured meanwhile."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
    cut: dict[str, list[float]] = {"headers": [], "body": []}
    began = time.monotonic()
    waiting: dict[socket.socket, str] = {}
    for kind in cut:
        for _ in range(clients):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.sendall(head[:20] if kind == "headers" else head + b"\r\n")
            waiting[sock] = kind

    def drip() -> None:
        while waiting and time.monotonic() - began < PATIENCE:
            for sock in select.select(list(waiting), [], [], 0.2)[0]:
                cut[waiting.pop(sock)].append(round(time.monotonic() - began, 2))
                sock.close()
            for sock in waiting:
                try:
                    sock.sendall(b"x")
                except OSError:
                    continue

    thread = threading.Thread(target=drip)
    thread.start()
    usual = beside()
    thread.join()
    for sock in waiting:
        sock.close()
    longest = {kind: max(times, default=None) for kind, times in cut.items()}
    return {
        "clients_of_each": clients,
        "cut": {kind: len(times) for kind, times in cut.items()},
        "longest": longest,
        "beside": usual,
    }


def mixed(port: int, texts: list[str], seed: int, seconds: float = 5.0) -> dict[str, int]:
    """Send all kinds of requests for some seconds over eight threads; return how often each status came back."""
    statuses: Counter[int] = Counter()
    end = time.monotonic() + seconds

    def send(own: int) -> None:
        chance = random.Random(seed * 100 + own)
        while time.monotonic() < end:
            with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
                for _ in range(chance.randrange(1, 40)):
                    kind = chance.randrange(20)
                    given = json.dumps({"inputs": chance.choices(texts, k=chance.choice((1, 1, 1, 4, 32)))}).encode()
                    if kind == 0:
                        sent = request(chance)
                    else:
                        path = b"GET /metrics" if kind == 1 else b"POST /predict"
                        sent = (
                            path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                            b"Content-Length: %d\r\n\r\n" % len(given) + given
                        )
                    try:
                        if kind == 2:  # abandoned
                            sock.sendall(sent)
                            break
                        sock.sendall(sent)
                        sock.settimeout(0.3 if kind == 0 else SECONDS)
                        status, usable = status_of(sock)
                    except OSError:
                        statuses[0] += 1
                        break
                    statuses[status] += 1
                    if not usable:
                        break

    threads = [threading.Thread(target=send, args=(own,)) for own in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally(statuses)
