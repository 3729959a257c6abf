"""Data sets of the hub, against a stand-in that answers on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.data.classified import read

from headstart.core.errors import DataError, DiskError, UsageError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ONE = b"text,label\ngood,pos\nbad,neg\n"
REPOS = {
    "someone/one": {"README.md": b"# One", "data/reviews.csv": ONE},
    "someone/many": {"train.csv": ONE, "test.jsonl": b""},
    "someone/none": {"README.md": b"# None"},
}


class StandIn(BaseHTTPRequestHandler):
    """The three requests of the hub that reading a data set needs: information, head and content of a file."""

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def answer(self, with_body: bool) -> None:
        parts = self.path.strip("/").split("/")
        owner = 2 if parts[0] == "api" else 1
        repo = "/".join(parts[owner : owner + 2])
        revision = parts[owner + 3] if len(parts) > owner + 3 else "main"
        files = REPOS.get(repo)
        if repo == "someone/gated":
            self.reply(403, b"", {"X-Error-Code": "GatedRepo"}, with_body)
        elif files is None:
            self.reply(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body)
        elif revision not in ("main", "v1", COMMIT):
            self.reply(404, b"", {"X-Error-Code": "RevisionNotFound"}, with_body)
        elif parts[0] == "api":
            siblings = [{"rfilename": name} for name in files]
            self.reply(200, json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode(), {}, with_body)
        else:
            content = files["/".join(parts[owner + 4 :])]
            tag = hashlib.sha1(content).hexdigest()
            self.reply(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}, with_body)

    def reply(self, status: int, content: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    import huggingface_hub.constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("rest", ["", "@main", "@v1", "/data/reviews.csv", "@v1/data/reviews.csv"])
def test_a_data_set_with_one_file(hub: ThreadingHTTPServer, rest: str) -> None:
    table = read(f"hf://datasets/someone/one{rest}")
    assert table.rows.inputs == ("good", "bad")
    assert table.rows.ids[0] == "reviews.csv:2"
    assert table.sha256 == hashlib.sha256(ONE).hexdigest()


def test_a_data_set_with_several_files(hub: ThreadingHTTPServer) -> None:
    with pytest.raises(
        UsageError, match=r"which file of someone/many\? It has test.jsonl, train.csv: write hf://datasets"
    ):
        read("hf://datasets/someone/many")
    assert len(read("hf://datasets/someone/many/train.csv").rows) == 2


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("someone/none", "data set someone/none has no CSV, TSV, JSON Lines or Parquet file"),
        ("someone/absent", "no data set someone/absent on http://127.0.0.1:.*, or it is private"),
        ("someone/gated", "data set someone/gated needs its terms accepted on http://.*, then 'hf auth login'"),
        ("someone/one@v2", "data set someone/one has no revision 'v2': check it, or leave it out"),
        ("someone/one@refs%2Fpr%2F1", "data set someone/one has no revision 'refs/pr/1'"),
        ("someone/one/data/review.csv", "has no file data/review.csv; did you mean 'data/reviews.csv'"),
    ],
)
def test_what_the_hub_does_not_have(hub: ThreadingHTTPServer, address: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(f"hf://datasets/{address}")


@pytest.mark.parametrize("address", ["hf://someone/one", "hf://datasets/one", "hf://datasets/a/b@", "hf://"])
def test_another_kind_of_address(address: str) -> None:
    with pytest.raises(UsageError, match=r"cannot read the address .*: write hf://datasets/owner/name"):
        read(address)


def test_without_a_network_the_cache_answers_and_else_a_quick_error(hub: ThreadingHTTPServer) -> None:
    address = "hf://datasets/someone/one/data/reviews.csv"
    read(address)
    hub.shutdown()
    hub.server_close()
    start = time.monotonic()
    assert len(read(address).rows) == 2
    for other in ("hf://datasets/someone/one", "hf://datasets/someone/many/train.csv"):
        with pytest.raises(DataError, match=r"no answer from http://127.0.0.1:.* \(no connection\): check the network"):
            read(other)
    assert time.monotonic() - start < 8


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_hub(
    hub: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    (tmp_path / "file").write_text("")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DiskError, match=r"cannot write '.*cache' \(Not a directory\): set HF_HUB_CACHE to a folder on"):
        read("hf://datasets/someone/one")


def test_a_name_that_no_repository_can_have() -> None:
    with pytest.raises(UsageError, match=r"cannot read the address .*na me: no repository can have that name"):
        read("hf://datasets/owner/na me")
