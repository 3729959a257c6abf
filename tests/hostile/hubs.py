"""Hubs that answer badly, slowly or not at all, each a server on this machine: what is asked of them ends and is named.

A hub behaves badly at one of three stages, and as it should at the others: 'list' (what a repository holds), 'head'
(what a file is) and 'file' (its content).
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import http.server
import json
import os
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from huggingface_hub import constants
from tests.hostile._common import Case, Outcome

from headstart.checkpoints import hub as models
from headstart.core.errors import CheckpointError, DataError
from headstart.data import _hub as data_sets

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "bert"}',
    "tokenizer.json": b"{}",
    "model.safetensors": b"weights" * 1000,
    "train.csv": b"text,label\ngood,pos\nbad,neg\n",
}
SECONDS = 1  # HF_HUB_DOWNLOAD_TIMEOUT
MOST_SECONDS = 6 * SECONDS  # until an answer: a silence, a slow stretch, and what a loaded machine adds
# Of no authority that anyone trusts, for `localhost`, with its key; good for a hundred years.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgUeUyOqihLMdf+UVZ
rijMrGFWyBZ0Ep0MXSGrtQ4DrKmhRANCAATI5Qw7ifI8qFuiqMwvspmQn9cNE37b
ukVq/JH7lkYsrnJIJrvSZ96EOkDyIwV/LwYMp5NBVRJ/oXuUZI1hXFkW
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBfjCCASWgAwIBAgIUTfTTj6JfmxzvDOT/n5jjqhYhIWMwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyODAyNDc1NloYDzIxMjYxMTA0
MDI0NzU2WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATI5Qw7ifI8qFuiqMwvspmQn9cNE37bukVq/JH7lkYsrnJIJrvSZ96E
OkDyIwV/LwYMp5NBVRJ/oXuUZI1hXFkWo1MwUTAdBgNVHQ4EFgQUaIb6S1+tggtV
qHeGiz3OS5bYiuYwHwYDVR0jBBgwFoAUaIb6S1+tggtVqHeGiz3OS5bYiuYwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAhxPsBPILRUYvsVEwAroNS
iKOEkxPG60lBGflgWU388AIgL5Rch00JPT8WCPXrAhfLKQaNplNCEviMVh/IMrgD
jbs=
-----END CERTIFICATE-----
"""


@functools.cache
def bomb() -> bytes:
    """A quarter of a gigabyte of zeros, packed twice."""
    return gzip.compress(gzip.compress(bytes(2**28), 1), 1)


def sha256_tag(content: bytes) -> str:
    """Name a large file as the hub does."""
    return hashlib.sha256(content).hexdigest()


def git_tag(content: bytes) -> str:
    """Name a small file as the hub does."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server(http.server.BaseHTTPRequestHandler):
    """A hub with one repository, `owner/name`, that behaves as `Hub.bad` says at one stage."""

    hub: Hub

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.stage = "list" if path.startswith("/api/") else "head" if self.command == "HEAD" else "file"
        self.name = path.partition("/resolve/")[2].partition("/")[2]
        with contextlib.suppress(OSError):  # the client has gone
            if self.stage == self.hub.stage and self.hub.wanted in self.name:
                self.hub.bad(self)
            else:
                self.good()

    do_HEAD = do_GET

    def good(self) -> None:
        """Answer as a hub does."""
        if self.stage == "list":
            self.send(json.dumps(listing()).encode())
        else:
            self.send(FILES[self.name], **self.file_headers())

    def file_headers(self) -> dict[str, str]:
        tag = sha256_tag if self.name.endswith((".safetensors", ".csv")) else git_tag
        return {"ETag": f'"{tag(FILES[self.name])}"', "X-Repo-Commit": COMMIT}

    def send(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Answer; '_' in a header's name is '-'."""
        self.head(status, **{"Content-Length": str(len(body)), **headers})
        if self.command == "GET":
            self.wfile.write(body)

    def head(self, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def drip(self, body: bytes) -> None:
        """Send a byte now and then, for a minute at most, as long as anyone listens."""
        end = time.monotonic() + 60
        for number in body:
            if time.monotonic() > end or self.hub.over.wait(SECONDS / 5):
                return
            self.wfile.write(bytes([number]))
            self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


@dataclass(frozen=True)
class Hub:
    """A bad hub.

    stage: where it is bad. wanted: in which files, by a part of their names. bad: how. says: what a clear error must
    name, as a regular expression; '' where the answer must be right all the same.
    """

    stage: str
    bad: Callable[[Server], object]
    says: str
    wanted: str = ""
    scheme: str = "http"
    over: threading.Event = field(default_factory=threading.Event)


def listing(**changed: Any) -> dict[str, Any]:
    """Say what the repository holds."""
    return {"id": "owner/name", "sha": COMMIT, "siblings": [{"rfilename": name} for name in FILES], **changed}


def says(value: object) -> Callable[[Server], None]:
    """Answer with JSON."""
    return lambda server: server.send(json.dumps(value).encode())


def silent(server: Server) -> None:
    """Say nothing at all."""
    server.hub.over.wait(60)


def drip_heads(server: Server) -> None:
    """Send a header that never ends."""
    server.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    server.drip(b"a" * 10_000)


def drip_body(server: Server) -> None:
    """Announce a megabyte, and send a byte now and then."""
    server.head(**{"Content-Length": str(2**20)}, **(server.file_headers() if server.name else {}))
    server.drip(b" " * 10_000)


def endless(server: Server) -> None:
    """Send more than any memory or disk holds."""
    server.head(**(server.file_headers() if server.name else {}))
    end = time.monotonic() + 60
    while time.monotonic() < end and not server.hub.over.is_set():
        server.wfile.write(bytes(2**20))


def cut(share: float) -> Callable[[Server], None]:
    """Announce all of the content, and hang up after a share of it."""

    def answer(server: Server) -> None:
        body = FILES.get(server.name, b"{" * 100)
        server.head(**{"Content-Length": str(len(body))}, **(server.file_headers() if server.name else {}))
        server.wfile.write(body[: int(len(body) * share)])
        server.wfile.flush()
        server.close_connection = True

    return answer


def page(server: Server) -> None:
    """Answer as a hotel's network does before one has logged in."""
    server.send(b"<html>Welcome to our guest network</html>", **{"Content-Type": "text/html; charset=utf-8"})


def status(code: int, **headers: str) -> Callable[[Server], None]:
    """Fail with a status."""
    return lambda server: server.send(b"no", code, **headers)


def raw(content: bytes) -> Callable[[Server], object]:
    """Send what is no HTTP, and hang up."""
    return lambda server: (server.wfile.write(content), setattr(server, "close_connection", True))


def redirect(target: str) -> Callable[[Server], None]:
    """Send the client elsewhere; `{self}` is the address that was asked for."""
    return lambda server: server.send(b"", 302, Location=target.replace("{self}", server.path))


def other(**headers: str) -> Callable[[Server], None]:
    """Answer a head with other headers; '' takes one away."""

    def answer(server: Server) -> None:
        whole = {"Content-Length": str(len(FILES[server.name])), **server.file_headers()}
        changed = {**whole, **{name.replace("_", "-"): value for name, value in headers.items()}}
        server.head(**{name: value for name, value in changed.items() if value})

    return answer


def content(change: Callable[[bytes], bytes]) -> Callable[[Server], None]:
    """Send another content under the name of the announced one."""
    return lambda server: server.send(change(FILES[server.name]), **server.file_headers())


def packed(server: Server) -> None:
    """Send a bomb of packed zeros."""
    server.send(bomb(), **{"Content-Encoding": "gzip"}, **(server.file_headers() if server.name else {}))


def once(bad: Callable[[Server], object]) -> Callable[[Server], None]:
    """Behave badly at the first request alone."""
    met: list[object] = []

    def answer(server: Server) -> None:
        if met:
            return server.good()
        met.append(bad(server))
        return None

    return answer


def in_pieces(server: Server) -> None:
    """Send the content in pieces with pauses, as a slow line does."""
    body = FILES[server.name]
    server.head(**{"Content-Length": str(len(body))}, **server.file_headers())
    piece = -(-len(body) // 5)
    for start in range(0, len(body), piece):
        server.wfile.write(body[start : start + piece])
        server.wfile.flush()
        time.sleep(SECONDS / 10)


LISTS = {
    "is silent": Hub("list", silent, r"no answer from.*silent for [\d.]+ seconds.*: check the network|gave up on"),
    "drips headers": Hub("list", drip_heads, r"gave up on.*0 bytes in [\d.]+ seconds"),
    "drips": Hub("list", drip_body, r"gave up on.*\d+ bytes in [\d.]+ seconds"),
    "answers with a page": Hub("list", page, "bad answer from.*no JSON but text/html"),
    "answers with nothing": Hub("list", lambda server: server.send(b""), "bad answer from.*no JSON"),
    "answers with a list": Hub("list", says([]), "bad answer from.*not what a hub answers"),
    "answers with null": Hub("list", says(None), "bad answer from.*not what a hub answers"),
    "answers with a number": Hub("list", says(3), "bad answer from.*not what a hub answers"),
    "nests": Hub("list", lambda server: server.send(b"[" * 10**6), "bad answer from.*JSON too deep"),
    "is no UTF-8": Hub("list", lambda server: server.send(b'{"id": "\xff\xfe\xfa'), "bad answer from.*no JSON"),
    "names no commit": Hub("list", says(listing(sha=None)), "bad answer from.*no commit's name"),
    "names a path as commit": Hub("list", says(listing(sha="../../../evil")), "bad answer from.*no commit's name"),
    "names a number as commit": Hub("list", says(listing(sha=7)), "bad answer from.*not what a hub answers"),
    "lists numbers": Hub("list", says(listing(siblings=[1, 2])), "bad answer from.*not what a hub answers"),
    "lists files without names": Hub("list", says(listing(siblings=[{}])), "bad answer from.*not what a hub answers"),
    "lists numbers as names": Hub("list", says(listing(siblings=[{"rfilename": 1}])), "bad answer from.*a file's name"),
    "lists nothing": Hub("list", says(listing(siblings=None)), "has no (model.safetensors|CSV)"),
    "lists files above the cache": Hub(
        "list",
        says(listing(siblings=[{"rfilename": name} for name in (*FILES, "../../../../evil.csv", "/evil/config.json")])),
        r"bad answer from.*a file's name that would leave the cache's folder, '\.\./",
    ),
    "fails": Hub("list", status(500), "bad answer from.*status 500, Internal Server Error"),
    "is being repaired": Hub("list", status(503, Retry_After="3600"), "bad answer from.*status 503.* 3,600 seconds"),
    "limits": Hub("list", status(429, Retry_After="86400"), "bad answer from.*status 429.* in 86,400 seconds"),
    "limits in a header of its own": Hub(
        "list", status(429, RateLimit='"api";r=0;t=4000'), "bad answer from.*status 429.* in 4,000 seconds"
    ),
    "forbids": Hub("list", status(403), "bad answer from.*status 403, Forbidden"),
    "asks for a login": Hub("list", status(401), "status 401, Unauthorized|or it is private"),
    "has nothing there": Hub("list", status(404), "status 404, Not Found|or it is private"),
    "is a teapot": Hub("list", status(418), "bad answer from.*status 418"),
    "has a status of its own": Hub("list", status(599), "bad answer from.*status 599"),
    "sends round in a circle": Hub("list", redirect("{self}"), "bad answer from.*redirections without an end"),
    "sends to this disk": Hub("list", redirect("file:///etc/passwd"), "bad answer.*a redirection out of the web"),
    "sends nowhere": Hub("list", redirect("http://"), r"no answer from.*\(no connection"),
    "packs a bomb": Hub("list", packed, "bad answer from.*packed as gzip, though asked not to"),
    "never ends": Hub("list", endless, "bad answer from.*more than 134,217,728 bytes"),
    "hangs up": Hub("list", raw(b""), "bad answer from.*broken off"),
    "hangs up in the middle": Hub("list", cut(0.5), "bad answer from.*broken off"),
    "speaks no HTTP": Hub("list", raw(b"220 smtp ESMTP\r\n"), "bad answer from.*broken off, or no HTTP"),
    "sends binary noise": Hub("list", raw(bytes(range(256)) * 50), "bad answer from.*broken off, or no HTTP"),
    "sends a header without an end": Hub("list", raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 10**6), "broken off, or no"),
    "speaks no TLS": Hub("list", silent, "bad answer from.*no TLS that can be trusted", scheme="https"),
    "signs for itself": Hub("list", Server.good, "bad answer from.*no TLS that can be trusted", scheme="https"),
}
HEADS = {
    "is silent": Hub("head", silent, r"no answer from.*silent for [\d.]+ seconds|gave up on"),
    "drips headers": Hub("head", drip_heads, r"gave up on.*bytes in [\d.]+ seconds"),
    "names a path as hash": Hub("head", other(ETag='"../../../../evil"'), "a header ETag that would leave the cache"),
    "names a path as linked hash": Hub("head", other(X_Linked_Etag='"/tmp/evil"'), "a header X-Linked-Etag that would"),
    "names a path as commit": Hub("head", other(X_Repo_Commit="../../evil"), "a header X-Repo-Commit that would leave"),
    "names no hash": Hub("head", other(ETag=""), "bad answer from.*a file without its commit or hash"),
    "names no commit": Hub("head", other(X_Repo_Commit=""), "bad answer from.*a file without its commit or hash"),
    "names another commit": Hub("head", other(X_Repo_Commit="f" * 40), "bad answer from.*another commit"),
    "has a length of words": Hub("head", other(Content_Length="many"), "bad answer from"),
    "has a length below zero": Hub("head", other(Content_Length="-5"), "bad answer from"),
    "announces a petabyte": Hub("head", other(Content_Length=str(10**15)), "bad answer from.*not what a hub answers"),
    "fails": Hub("head", status(500), "bad answer from.*status 500"),
    "limits": Hub("head", status(429, Retry_After="86400"), "bad answer from.*status 429.* in 86,400 seconds"),
    "lists what it has not": Hub("head", status(404, X_Error_Code="EntryNotFound"), "bad answer from.*status 404"),
    "sends round in a circle": Hub("head", redirect("{self}"), "bad answer from.*redirections without an end"),
    "sends to nobody": Hub("head", redirect("http://127.0.0.1:9/x"), "bad answer|no answer from.*no connection"),
    "fails once": Hub("head", once(status(503)), ""),
}
CONTENTS = {
    "is silent": Hub("file", silent, r"no answer from.*silent for [\d.]+ seconds|gave up on", "."),
    "drips": Hub("file", drip_body, r"gave up on.*bytes in [\d.]+ seconds"),
    "hangs up in the middle": Hub("file", cut(0.5), "bad answer from.*broken off|gave up on.*bytes in"),
    "hangs up at once": Hub("file", raw(b""), "bad answer from.*broken off|gave up on.*bytes in"),
    "sends too little": Hub("file", content(lambda body: body[:-3]), r"bad answer from.*\d+ bytes of \d+"),
    "sends too much": Hub("file", content(lambda body: body + b"more"), r"bad answer from.*\d+ bytes of \d+"),
    "sends another content": Hub(
        "file", content(lambda body: bytes(len(body))), "bad answer from.*has not the content that its hash announces"
    ),
    "sends other weights": Hub(
        "file",
        content(lambda body: bytes(len(body))),
        "bad answer from.*model.safetensors has not the content|",
        "model.safetensors",
    ),
    "sends a page": Hub("file", page, r"bad answer from.*\d+ bytes of \d+"),
    "packs a bomb": Hub("file", packed, "bad answer from.*packed as gzip"),
    "never ends": Hub("file", endless, "bad answer from.*(more than|bytes of)"),
    "fails": Hub("file", status(500), "bad answer from.*status 500"),
    "limits": Hub("file", status(429, Retry_After="86400"), "bad answer from.*status 429.* in 86,400 seconds"),
    "sends round in a circle": Hub("file", redirect("{self}"), "bad answer from.*redirections without an end"),
    "is slow": Hub("file", in_pieces, ""),
    "hangs up once": Hub("file", once(raw(b"")), ""),
}


def judge(hub: Hub, address: str, scratch: Path) -> Outcome:
    """Ask a hub for a repository, and judge what came of it."""
    hub = replace(hub, over=threading.Event())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Bad", (Server,), {"hub": hub}))
    server.daemon_threads = True
    if hub.bad is Server.good and hub.scheme == "https":
        (scratch / "certificate.pem").write_text(CERTIFICATE)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(scratch / "certificate.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    began = time.monotonic()
    try:
        with _client_at(f"{hub.scheme}://127.0.0.1:{server.server_port}", scratch / "in" / "the" / "cache"):
            local = data_sets.fetch(address) if "datasets" in address else models.find(address)
        outcome = Outcome("right") if not hub.says or hub.says.endswith("|") else Outcome("WRONG", "no error")
        files = [local] if local.is_file() else list(local.iterdir())
        if not files or any(file.read_bytes() != FILES[file.name] for file in files):
            outcome = Outcome("WRONG", "other content, in silence")
    except (CheckpointError, DataError) as error:
        named = hub.says and re.search(hub.says, str(error)) and "\n" not in str(error)
        outcome = Outcome("clear error" if named else "WRONG", str(error))
    except Exception as error:
        outcome = Outcome("WRONG", f"{type(error).__name__}: {error}")
    finally:
        took = time.monotonic() - began
        hub.over.set()
        server.shutdown()
        server.server_close()
    strays = [path.name for path in scratch.rglob("*") if "evil" in path.name]
    if strays or Path("/tmp/evil").exists():
        return Outcome("WRONG", f"wrote outside the cache: {strays}")
    if took > MOST_SECONDS:
        return Outcome("WRONG", f"answered after {took:.0f} seconds")
    return outcome


@contextlib.contextmanager
def _client_at(endpoint: str, cache: Path) -> Iterator[None]:
    """Let huggingface_hub ask this endpoint, with a cache of its own and short timeouts."""
    wanted = {"HF_HUB_OFFLINE": False, "HF_HUB_CACHE": str(cache), "HF_HUB_DOWNLOAD_TIMEOUT": SECONDS}
    before = {name: getattr(constants, name) for name in wanted}
    asked = os.environ.get("HF_ENDPOINT")
    os.environ["HF_ENDPOINT"] = endpoint
    try:
        for name, value in wanted.items():
            setattr(constants, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(constants, name, value)
        os.environ.pop("HF_ENDPOINT")
        if asked is not None:
            os.environ["HF_ENDPOINT"] = asked


def cases(seed: int = 0) -> Iterator[Case]:
    """Give each bad hub twice, with a model and with a data set; nothing is drawn, so the seed changes nothing."""
    for stage, hubs in (("list", LISTS), ("head", HEADS), ("file", CONTENTS)):
        for name, hub in hubs.items():
            for kind, address in (("model", "hf://owner/name"), ("data set", "hf://datasets/owner/name")):
                if kind == "model" or hub.wanted in ("", "."):
                    yield Case("hubs", f"{stage} of a {kind}: {name}", _run(hub, address))


def _run(hub: Hub, address: str) -> Callable[[Path], Outcome]:
    def run(scratch: Path) -> Outcome:
        if hub.bad is packed:
            bomb()  # packing takes longer than a client waits
        return judge(hub, address, scratch)

    return run
