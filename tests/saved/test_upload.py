"""Pushing a model to a stand-in of the hub on this machine."""

import base64
import hashlib
import http.server
import json
import socket
import threading
from typing import ClassVar

import pytest
from huggingface_hub import constants

from headstart import cli
from headstart.checkpoints import manifest
from headstart.contenders.majority import Majority
from headstart.core.errors import CheckpointError, UsageError
from headstart.core.records import Rows, Run
from headstart.saved import model_folder, upload
from headstart.tasks.classification import Classification

GOOD = "Bearer hf_good"


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as an upload needs; files that end in .bin go through LFS, others through the commit."""

    repos: ClassVar[dict[str, dict[str, bytes]]] = {}
    blobs: ClassVar[dict[str, bytes]] = {}
    created: ClassVar[list[dict]] = []
    answers: ClassVar[dict[str, tuple[int, bytes]]] = {}  # path -> what it answers instead

    def do_GET(self):
        repo = "/".join(self.path.split("/")[3:5])
        if self.headers.get("Authorization") != GOOD:
            return self.answer(401, {"error": "Invalid username or password."})
        if repo not in self.repos:
            return self.answer(404, {"error": "Repository not found"})
        tree = [{"type": "file", "path": name, "size": len(b), "oid": "0" * 40} for name, b in self.repos[repo].items()]
        return self.answer(200, tree)

    def do_PUT(self):
        self.blobs[self.path.rpartition("/")[2]] = self.body()
        self.answer(200, {})

    def do_POST(self):
        body, path = self.body(), self.path.split("?")[0]
        for start, (status, content) in self.answers.items():
            if path.startswith(start):
                return self.send(status, content)
        if self.headers.get("Authorization") != GOOD and "objects" not in path:
            return self.answer(401, {"error": "Invalid username or password."})
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        repo, _, what = path.removeprefix("/api/models/").rpartition("/main")[0].rpartition("/")
        if what == "preupload":
            files = [
                {"path": f["path"], "uploadMode": "lfs" if f["path"].endswith(".bin") else "regular"}
                for f in json.loads(body)["files"]
            ]
            return self.answer(200, {"files": [{**file, "shouldIgnore": False} for file in files]})
        if path.endswith("/info/lfs/objects/batch"):
            url = f"http://127.0.0.1:{self.server.server_port}/blobs/"
            objects = [
                {**each, "actions": {"upload": {"href": url + each["oid"]}}} for each in json.loads(body)["objects"]
            ]
            return self.answer(200, {"transfer": "basic", "objects": objects})
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.repos[repo][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.repos[repo][value["path"]] = self.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del self.repos[repo][value["path"]]
        url = f"http://127.0.0.1:{self.server.server_port}/{repo}/commit/abc"
        return self.answer(200, {"success": True, "commitOid": "abc", "commitUrl": url, "hookOutput": ""})

    def create(self, asked):
        name = f"{asked['organization']}/{asked['name']}"
        if asked["organization"] == "others":
            return self.answer(403, {"error": "no right"})
        url = f"http://127.0.0.1:{self.server.server_port}/{name}"
        if name in self.repos:
            return self.answer(409, {"url": url})
        self.created.append(asked)
        self.repos[name] = {".gitattributes": b""}
        return self.answer(200, {"url": url})

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"]))

    def answer(self, status, value):
        self.send(status, json.dumps(value).encode())

    def send(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def is_private(created):
    """Say what a client asked for; older ones have another key."""
    return created["private"] if "private" in created else created["visibility"] == "private"


@pytest.fixture
def server(monkeypatch):
    Hub.repos, Hub.blobs, Hub.created, Hub.answers = {}, {}, [], {}
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", "hf_good\n")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        # huggingface_hub 1.0 parses some addresses by the endpoint that it was imported with.
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def model(tmp_path):
    """A folder of a comparison with a model in 'best', and what never leaves it beside and inside."""
    run = tmp_path / "run"
    rows = Rows(("a", "b"), ("A private text.", "Another."), ("spam", "ham"))
    task = Classification().fitted(rows)
    best = run / "best"
    Majority().fit(rows, rows, task, Run(0, tmp_path)).save(best)
    (best / "weights.bin").write_bytes(b"weights" * 9)
    manifest.relist(best)
    (best / manifest.CARD).write_text("---\nlicense: mit\n---\n# A model\n")
    (best / "notes.txt").write_text("private")
    (run / "trials").mkdir()
    (run / "trials" / "1.jsonl").write_text("A private text.")
    return best


def test_a_model_and_its_card_are_uploaded_and_nothing_else(server, model, tmp_path, capsys):
    assert cli.run(["push", str(model), "hf://owner/name"]) == 0
    assert capsys.readouterr().out == f"{server}/owner/name\n"
    files = Hub.repos["owner/name"]
    assert sorted(files) == sorted([".gitattributes", manifest.CARD, manifest.NAME, "majority.json", "weights.bin"])
    assert files["weights.bin"] == b"weights" * 9
    assert list(Hub.blobs) == [hashlib.sha256(b"weights" * 9).hexdigest()]
    assert not any(b"private" in content for content in files.values())
    assert is_private(Hub.created[0])
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, content in files.items():
        (copy / name).write_bytes(content)
    assert model_folder.open_model(copy).predict(["x"]).values == ("ham",)


def test_a_later_model_replaces_an_earlier_one(server, model):
    upload.push(model, "hf://owner/name", public=True)
    assert not is_private(Hub.created[0])
    manifest.remove(model, "weights.bin")
    upload.push(model, "hf://owner/name")
    assert "weights.bin" not in Hub.repos["owner/name"]
    assert len(Hub.created) == 1


def test_another_model_is_not_replaced(server, model):
    Hub.repos["owner/name"] = {"README.md": b"", "pytorch_model.bin": b"other"}
    with pytest.raises(CheckpointError, match=r"owner/name holds something else \('pytorch_model.bin'\); name a repo"):
        upload.push(model, "hf://owner/name")
    assert Hub.repos["owner/name"] == {"README.md": b"", "pytorch_model.bin": b"other"}


@pytest.mark.parametrize("address", ["owner/name", "hf://name", "hf://owner/name@v1", "hf://owner/name/more"])
def test_an_address_of_another_form_is_refused(model, address):
    with pytest.raises(UsageError, match=r"cannot push to '.*': write hf://owner/name\."):
        upload.push(model, address)


def test_without_a_token_nothing_is_asked(model, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(UsageError, match="needs a token with write access in the environment variable HF_TOKEN"):
        upload.push(model, "hf://owner/name")


@pytest.mark.parametrize(
    ("address", "answers", "token", "message"),
    [
        ("hf://owner/name", {}, "hf_bad", "does not accept the token in HF_TOKEN"),
        ("hf://others/name", {}, "hf_good", "HF_TOKEN may not write to others/name on http"),
        ("hf://owner/name", {"/api/repos": (404, b"{}")}, "hf_good", "no owner or repository owner/name on http"),
        ("hf://owner/name", {"/api/models/owner/name/commit": (418, b"{}")}, "hf_good", r"refused .* \(status 418\)"),
        ("hf://owner/name", {"/api/repos": (200, b"<html>")}, "hf_good", r"bad answer from http.* \(JSONDecodeError\)"),
    ],
)
def test_what_the_hub_refuses_is_explained(server, model, monkeypatch, address, answers, token, message):
    Hub.answers = answers
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(CheckpointError, match=message) as raised:
        upload.push(model, address)
    assert token not in str(raised.value)


def test_a_name_that_no_repository_can_have(server, model):
    with pytest.raises(UsageError, match=r"cannot push to hf://owner/-a\.\.b: no repository can have that name"):
        upload.push(model, "hf://owner/-a..b")


def test_a_hub_that_does_not_answer(server, model, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(
            CheckpointError, match=r"no answer from http://127\.0\.0\.1:\d+ \(ConnectError\): check the"
        ):
            upload.push(model, "hf://owner/name")


def test_offline_mode_is_named(server, model, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"no answer from http.*: unset HF_HUB_OFFLINE"):
        upload.push(model, "hf://owner/name")


def test_links_out_of_the_folder_are_not_followed(model, tmp_path):
    (tmp_path / "secret").write_text("a secret")
    (model / manifest.CARD).unlink()
    (model / manifest.CARD).symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match=r"README\.md' is a link to another folder; replace it by the file"):
        upload.push(model, "hf://owner/name")


def test_a_damaged_model_is_not_uploaded(server, model):
    (model / "weights.bin").write_bytes(b"other")
    with pytest.raises(CheckpointError, match=r"weights\.bin' is not the file that was saved"):
        upload.push(model, "hf://owner/name")
    assert Hub.created == []
