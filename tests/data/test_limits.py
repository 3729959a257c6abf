"""What is beyond a limit of reading ends in one sentence, and what is within it does not."""

import gzip
import os
import time

import pyarrow
import pytest
from tests.data.classified import read

from headstart.core import memory
from headstart.core.errors import DataError
from headstart.data import _arrow, _csv, _encoding, _json, _labels, _layout, _limits, _spool, _stream
from headstart.data import read as reading
from headstart.data._columns import _holds_numbers, is_prose

ROWS = "".join(f"text number {number},{'ab'[number % 2]}\n" for number in range(20))


def test_lines_and_documents_have_a_longest(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + ROWS + "x" * 3000)
    monkeypatch.setattr("headstart.data._files.LINE", 2000)
    with pytest.raises(DataError, match=r"line 22 of a.csv has over 0 million characters: give each row a line"):
        read(path)
    monkeypatch.setattr(_limits, "DOCUMENT", 2000)
    with pytest.raises(DataError, match=r"a.csv has a line of over 0 MB: write a row on each line"):
        read(path)
    monkeypatch.setattr(_json, "DOCUMENT", 20)
    path = tmp_path / "a.json"
    path.write_text("[\n" + "1,\n" * 50 + "1]")
    with pytest.raises(DataError, match=r"a.json is one JSON document of over 0 MB: write an object on each line"):
        read(path)


def test_line_ends_are_counted_across_chunks():
    assert _encoding.after_line_end(b"abc", 4) == 7
    assert _encoding.after_line_end(b"a\nbc", 4) == 2
    assert _encoding.after_line_end(b"a\rb\r", 4) == 0


def test_a_table_has_a_widest():
    with pytest.raises(DataError, match=r"a.csv has 16,385 columns, of which at most 16,384 are read: keep the text"):
        _limits.check_columns("a.csv", range(16_385))


def test_an_archive_that_unpacks_to_far_more_than_text_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_limits, "UNPACKED", 10_000)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\n" + b"good,a\n" * 300_000))
    with pytest.raises(DataError, match=r"a.csv.gz unpacks to over 200 times its [\d,]+ bytes, which no text does"):
        read(path)


def test_a_pipe_has_a_most_and_needs_a_writer(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(_spool, "WRITER_SECONDS", 0.05)
    began = time.monotonic()
    with pytest.raises(DataError, match=r"nothing came through the pipe .*pipe: start what writes to it"):
        read(tmp_path / "pipe")
    assert time.monotonic() - began < 5
    monkeypatch.setattr(_spool, "PIPE", 10)
    with pytest.raises(DataError, match="stdin gives over 0 MB: write that to a file and name the file"):
        list(_spool._bearable("stdin", [b"text,label\n"]))
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="standard input is closed: give a file, or a pipe as in"):
        list(_spool._from_stdin())


def test_the_sample_is_cut_by_characters_and_by_number(monkeypatch):
    items = iter(["a", "", "bb", "c"])
    assert _stream.beginning(items, len) == (["a", "", "bb", "c"], True)
    monkeypatch.setattr(_stream, "SAMPLE", 3)
    items = iter(["a", "", "bb", "c"])
    assert _stream.beginning(items, len) == (["a", "", "bb"], False)
    assert list(items) == ["c"]
    monkeypatch.setattr(_stream, "PEEK", 2)
    assert _stream.beginning(iter(["", "a", "b"]), lambda _: 0, bool) == (["", "a", "b"], False)


def test_rows_that_fill_the_memory_end_in_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + ROWS)
    monkeypatch.setattr(reading, "MEMORY_STEP", 10)
    monkeypatch.setattr(memory, "available", lambda: 0)
    with pytest.raises(DataError, match=r"the rows of a.csv up to line 2 fill the memory: take fewer of them"):
        read(path)
    assert memory.resident() > 0


def test_a_batch_of_parquet_fits_the_memory(tmp_path):
    import pyarrow.parquet as parquet

    def size_for(values, dictionary):
        path = tmp_path / "a.parquet"
        table = pyarrow.table({"text": values})
        parquet.write_table(table, path, use_dictionary=dictionary, dictionary_pagesize_limit=2**26)
        return _arrow._batch_size(parquet.ParquetFile(path).metadata.row_group(0))

    short = [f"a text of some words, {number}" for number in range(2000)]
    assert size_for(short, False) == size_for(short, True) == _limits.PEEK
    assert size_for(["x" * 2_000_000] * 50, False) < 40
    assert size_for(["x" * 8_000_000] * 50, True) < 40


def test_what_was_quadratic_is_linear():
    began = time.process_time()
    assert not _csv._is_rule("-" * 1_000_000 + "x")
    assert _csv._is_rule("--- ---")
    assert not _csv._is_rule("- -")
    assert not _holds_numbers(["1" * 1_000_000 + "x"])
    assert not is_prose("x" * 5_000_000)
    assert _labels._skeleton("0" * 200_000 + "x").endswith("x")
    assert (_labels._skeleton("-007"), _labels._skeleton("00")) == ("-7", "0")
    lines = ["text,label\n", ", 'a" * 50_000 + "\n"]
    assert _layout._in_single_quotes(lines, _csv.Dialect(","), True) is None
    assert time.process_time() - began < 5


def test_infinity_is_text_in_json(tmp_path):
    from headstart.data.write import _line

    assert _line({"a": float("inf"), "b": [float("-inf"), float("nan")]}) == '{"a": "inf", "b": ["-inf", null]}\n'


def test_parquet_that_fills_the_memory_ends_in_a_sentence():
    def batches():
        raise MemoryError
        yield

    file = _arrow.ArrowFile(pyarrow.schema([("text", pyarrow.string())]), batches)
    with pytest.raises(
        DataError, match=r"a.parquet needs more memory after row 0 than there is: split it into smaller"
    ):
        list(_arrow._rows(file, "a.parquet", "Parquet", (OSError,)))
