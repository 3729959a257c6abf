"""The command: what is checked before anything is loaded, and a server as a process of its own."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
import urllib.request
from contextlib import ExitStack

import pytest

from headstart import cli
from headstart.contenders.majority import FittedMajority
from headstart.serve import run
from headstart.tasks.classification import Classification


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews") / "best"
    FittedMajority(Classification(("bad", "good")), (0.25, 0.75)).save(folder)
    return folder


def token_file(folder, text="0123456789abcdef\n", mode=0o600):
    path = folder / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--host", "0.0.0.0"], "others could use the model at '0.0.0.0'; give --token-file FILE with a token"),
        (["--host", "model.example"], "others could use the model at 'model.example'; give --token-file"),
        (["--host", "::"], "others could use the model at '::'; give --token-file"),
        (["--queue", "8"], "--queue 8 is below --max-inputs 32, so a full request could never wait"),
        (["--token-file", "no-such-file"], "cannot read the token in 'no-such-file': No such file or directory."),
        (["--max-body", "0"], "Invalid value for '--max-body'"),
        (["--abstain", "confidence=2"], "cannot parse --abstain 'confidence=2'; write coverage=0.9"),
        (["--port", "70000"], "Invalid value for '--port'"),
    ],
)
def test_options_that_cannot_be_are_refused(model, capsys, options, sentence):
    assert cli.run(["serve", str(model), *options]) == 2
    assert capsys.readouterr().err.startswith(f"headstart: {sentence}")


@pytest.mark.parametrize(
    ("text", "mode", "sentence"),
    [
        ("0123456789abcdef", 0o604, "every user of this machine can read the token in '{}': run chmod 600 on it."),
        ("short", 0o600, "the token in '{}' must be at least 16 letters, digits or signs without spaces"),
        ("0123456789 abcdef", 0o600, "the token in '{}' must be at least 16 letters, digits or signs without spaces"),
        ("0123456789äbcdef", 0o600, "the token in '{}' must be at least 16 letters, digits or signs without spaces"),
    ],
)
def test_a_token_that_is_no_secret_is_refused(model, tmp_path, capsys, monkeypatch, text, mode, sentence):
    monkeypatch.chdir(tmp_path)
    token_file(tmp_path, text, mode)
    assert cli.run(["serve", str(model), "--token-file", "token"]) == 2
    assert capsys.readouterr().err.startswith(f"headstart: {sentence.format('token')}")


def test_a_missing_package_is_named(model, capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.run(["serve", str(model)]) == 2
    sentence = "serving needs FastAPI, uvicorn and prometheus-client: pip install 'headstart[serve]'."
    assert capsys.readouterr().err == f"headstart: {sentence}\n"


def test_no_model_and_a_port_that_is_taken(model, tmp_path, capsys):
    assert cli.run(["serve", str(tmp_path)]) == 1
    assert "is not a model folder" in capsys.readouterr().err
    with run.listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.run(["serve", str(model), "--port", str(port)]) == 2
    assert capsys.readouterr().err == (
        f"headstart: cannot listen at '127.0.0.1', port {port} (Address already in use); choose others with --host and "
        "--port.\n"
    )


def test_the_model_is_named_after_its_comparison(tmp_path):
    (tmp_path / "runs" / "reviews" / "models" / "1").mkdir(parents=True)
    best = tmp_path / "runs" / "reviews" / "best"
    best.symlink_to("models/1")
    assert run.model_name(best) == "reviews"
    assert run.model_name(tmp_path / "runs") == "runs"
    (tmp_path / "a {b}/c").mkdir(parents=True)
    assert run.model_name(tmp_path / "a {b}") == "a-b"


def test_a_process_serves_until_a_signal(model, tmp_path):
    command = [sys.executable, "-m", "headstart.cli", "serve", str(model), "--port", "0", "--threads", "1"]
    command += ["--host", "0.0.0.0", "--token-file", str(token_file(tmp_path))]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server, ExitStack() as stack:
        stack.callback(server.kill)
        line = server.stderr.readline()
        found = re.fullmatch(r"Serving reviews\d* at http://0\.0\.0\.0:(\d+) \(stop with Ctrl-C\)\.\n", line)
        assert found, line
        asked = urllib.request.Request(
            f"http://127.0.0.1:{found[1]}/predict",
            json.dumps({"inputs": ["a"]}).encode(),
            {"Content-Type": "application/json", "Authorization": "Bearer 0123456789abcdef"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            assert json.load(answer)["predictions"][0]["predicted"] == "good"
        server.send_signal(signal.SIGTERM)
        assert server.wait(10) == 0
        assert server.stderr.read() == ""
