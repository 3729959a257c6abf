"""Pipes, standard input and packed files are read as plain files are."""

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import threading

import pytest
from tests.data.classified import extend, read

from headstart import cli
from headstart.core.errors import DataError
from headstart.data import corpus

CONTENT = "text,label\n" + "I like the lamp,pos\nthe desk is broken,neg\n" * 5
LINES = "".join(json.dumps({"text": f"text {n}", "label": "ab"[n % 2]}) + "\n" for n in range(9))


def fifo(path, content):
    """Make a pipe that gives a content once."""
    os.mkfifo(path)
    threading.Thread(target=path.write_text, args=(content,), daemon=True).start()
    return path


def answer(texts):
    return [("x",)] * len(texts)


def test_a_pipe_is_read_once_and_given_as_often_as_needed(tmp_path):
    path = fifo(tmp_path / "pipe", CONTENT)
    assert [read(path).rows.targets for _ in range(2)] == [("pos", "neg") * 5] * 2
    documents = corpus.of_files([fifo(tmp_path / "texts.txt", "one\ntwo\n")])
    assert [list(documents.walk()) for _ in range(2)] == [["one", "two"]] * 2


def test_a_command_reads_a_pipe(tmp_path, capsys):
    rows = "".join(f"lamp {n:x} is {n * n},{'ab'[n % 2]}\n" for n in range(20))
    assert cli.run(["check", str(fifo(tmp_path / "pipe", f"text,label\n{rows}")), "--json"]) == 0
    assert sum(json.loads(capsys.readouterr().out)["rows"].values()) == 20


def test_a_pipe_of_json_lines_stays_json_lines(tmp_path, capsys):
    extend(fifo(tmp_path / "pipe", LINES), None, ("label",), answer, report=pytest.fail)
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == {"text": "text 0", "label": "a", "predicted": "x"}


def test_standard_input(monkeypatch):
    from headstart.data import _spool

    _spool._copy.cache_clear()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + CONTENT.encode())))
    table = read("-")
    assert (table.name, table.rows.targets) == ("stdin", ("pos", "neg") * 5)
    _spool._copy.cache_clear()


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz")])
def test_packed_files(tmp_path, pack, ending, capsys):
    path = tmp_path / f"a.jsonl.{ending}"
    path.write_bytes(pack(LINES.encode()))
    assert len(read(path).rows) == 9
    extend(path, None, ("label",), answer, report=pytest.fail)
    assert json.loads(capsys.readouterr().out.splitlines()[1])["label"] == "b"
    path.write_bytes(pack(LINES.encode())[:-20])
    with pytest.raises(DataError, match=rf"a.jsonl.{ending} is a damaged archive"):
        read(path)


def test_packing_is_told_by_the_first_bytes(tmp_path):
    (tmp_path / "a.csv.gz").write_text(CONTENT)
    (tmp_path / "b.csv").write_bytes(gzip.compress(CONTENT.encode()))
    assert read(tmp_path / "a.csv.gz").rows.targets == read(tmp_path / "b.csv").rows.targets == ("pos", "neg") * 5


def test_zstd_is_read_whole(tmp_path):
    import zstandard

    path = tmp_path / "a.csv.zst"
    packed = [zstandard.compress(part.encode()) for part in (CONTENT, "more text here,pos\n" * 20_000)]
    path.write_bytes(b"".join(packed))  # as pzstd writes several frames
    assert len(read(path).rows) == 20_010
    for size in (len(packed[0]) - 9, len(packed[0]) + 9):
        path.write_bytes(b"".join(packed)[:size])
        with pytest.raises(DataError, match=r"a.csv.zst is a damaged archive \(it ends inside a frame\)"):
            read(path)
