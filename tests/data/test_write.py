"""A table that is copied keeps its rows and columns, gains the answers, and appears whole or not at all."""

import csv
import io
import json
import sys

import pyarrow
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.classified import extend

from headstart.core.errors import DiskError, UsageError
from headstart.core.records import ReadWarning
from headstart.data import write
from headstart.data.write import CHUNK, suffix_for, table, unused
from headstart.tasks.translation import Translation


def lengths(texts):
    return [("long" if len(text) > 9 else "short", float(len(text))) for text in texts]


def run(source, out=None, names=("label", "length"), **options):
    bad = []
    written = extend(source, out, names, lengths, report=bad.append, **options)
    return written, [(row.line, row.reason) for row in bad]


def test_columns_stay_and_answers_are_added(tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text('id,text\n007,"a, b"\n008,"<script>\nalert(1)"\n', encoding="utf-8")
    assert run(source, out) == (2, [])
    with out.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["id", "text", "label", "length"],
            ["007", "a, b", "short", "4.0"],
            ["008", "<script>\nalert(1)", "long", "17.0"],
        ]


def test_rows_without_text_stay_in_place_and_unreadable_ones_are_named(tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text,n\none,1\n  ,2\nthree,3,3\nfour,4\n", encoding="utf-8")
    written, bad = run(source, out)
    assert written == 3
    assert [line for line, _ in bad] == [3, 4]
    assert "gets no label" in bad[0][1]
    assert "too long" in bad[1][1]
    assert out.read_text(encoding="utf-8").splitlines()[1:] == ["one,1,short,3.0", "  ,2,,", "four,4,short,4.0"]


def test_more_rows_than_are_held_at_once(tmp_path):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    rows = 2 * CHUNK + 7
    lines = ["text,n", *(f"word {n},{n}" for n in range(rows)), "one,cell,more", ""]
    source.write_text("\n".join(lines), encoding="utf-8")
    seen = []

    def answer(texts):
        seen.append(len(texts))
        return [(text.upper(), 0.5) for text in texts]

    bad = []
    assert extend(source, out, ("label", "p"), answer, report=bad.append) == rows
    assert seen == [CHUNK, CHUNK, 7]
    assert [row.line for row in bad] == [rows + 2]
    written = out.read_text(encoding="utf-8").splitlines()[1:]
    assert written == [f"word {n},{n},WORD {n},0.5" for n in range(rows)]


def test_long_texts_are_held_a_few_at_a_time(tmp_path, monkeypatch):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text\n" + "".join(f"{'word ' * 20}{n}\n" for n in range(10)), encoding="utf-8")
    monkeypatch.setattr(write, "CHARACTERS", 250)
    seen = []
    extend(source, out, ("label",), lambda texts: seen.append(len(texts)) or [("x",)] * len(texts), report=print)
    assert seen == [3, 3, 3, 1]
    assert len(out.read_text(encoding="utf-8").splitlines()) == 11


def test_written_answers_appear_before_later_ones_are_asked_for(tmp_path, monkeypatch):
    source = tmp_path / "in.csv"
    source.write_text("source\none\ntwo\nthree\n", encoding="utf-8")
    monkeypatch.setattr(write, "WRITTEN", 1)
    seen, flushed = [], io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(flushed))

    def answer(sources):
        seen.append(flushed.getvalue().decode().splitlines()[1:])
        return [(source.upper(),) for source in sources]

    write.extend(source, None, ("prediction",), answer, task=Translation(), report=print)
    assert seen == [[], ["one,ONE"], ["one,ONE", "two,TWO"]]


def test_bad_rows_are_reported_as_they_come_and_not_kept(tmp_path, monkeypatch):
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text,n\n" + "one,1\nbad,1,1\n" * 5, encoding="utf-8")
    monkeypatch.setattr(write, "CHUNK", 2)
    seen = []
    extend(
        source, out, ("label",), lambda texts: seen.append(texts) or [("x",)], report=lambda row: seen.append(row.line)
    )
    assert seen == [["one"], 3, ["one"], 5, ["one"], 7, ["one"], 9, ["one"], 11]


def test_doubts_about_the_reading_are_reported(tmp_path):
    source = tmp_path / "in.csv"
    source.write_bytes("text,n\nun été très agréable,1\n".encode("cp1252"))
    reported = []
    extend(source, tmp_path / "out.csv", ("label",), lambda texts: [("x",)] * len(texts), report=reported.append)
    assert [type(item) for item in reported] == [ReadWarning]
    assert "it was read as cp1252" in reported[0].sentence


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("wanted", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_becomes_every_other(tmp_path, suffix, wanted):
    texts = ["tab\tand, comma", 'quote "here"', "line\nbreak", "表情"]
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{wanted}"
    if suffix == ".parquet":
        parquet.write_table(pyarrow.table({"text": texts, "number": [1.5] * 4}), source)
    else:
        with table(source, suffix, ["text", "number"]) as write:
            write([(text, 1.5) for text in texts])
    assert run(source, out) == (4, [])
    written, bad = run(out, tmp_path / "last.jsonl")
    assert (written, bad) == (4, [])
    last = [json.loads(line) for line in (tmp_path / "last.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["text"] for row in last] == texts
    assert [row["label"] for row in last] == [row["predicted"] for row in last]
    assert [float(row["length"]) for row in last] == [row["length 2"] for row in last] == [len(t) for t in texts]


def test_parquet_keeps_numbers_as_numbers(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("text\none\n\n\nthree words here\n", encoding="utf-8")
    run(source, tmp_path / "out.parquet")
    written = parquet.read_table(tmp_path / "out.parquet")
    assert written.column("length").to_pylist() == [3.0, 16.0]
    assert str(written.schema.field("length").type) == "double"


def test_standard_output_without_a_name(tmp_path, capsys):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "grüße", "n": "1"}\n', encoding="utf-8")
    run(source)
    assert json.loads(capsys.readouterr().out) == {"text": "grüße", "n": "1", "label": "short", "length": 5.0}


def test_an_error_leaves_the_old_file_and_no_part(tmp_path):
    out = tmp_path / "out.csv"
    out.write_text("old", encoding="utf-8")
    with pytest.raises(ZeroDivisionError), table(out, ".csv", ["a"]) as write:
        write([[str(1 / number)] for number in (1, 0)])
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert out.read_text(encoding="utf-8") == "old"


def test_a_place_that_cannot_be_written(tmp_path):
    with (
        pytest.raises(DiskError, match=r"cannot write .*nowhere.*\(No such file or directory\): name another place"),
        table(tmp_path / "nowhere" / "out.csv", ".csv", ["a"]),
    ):
        pass


def test_an_unknown_format(tmp_path):
    with pytest.raises(UsageError, match=r"cannot tell the format of 'a.xlsx'; let its name end in .csv, .tsv"):
        suffix_for(tmp_path / "in.csv", type(tmp_path)("a.xlsx"))


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    source = tmp_path / "in.csv"
    source.write_text("text\none\n", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"writing Parquet needs pyarrow: pip install 'headstart\[parquet\]'"):
        run(source, tmp_path / "out.parquet")


@given(
    st.lists(st.sampled_from(["label", "p(a)", "p(b)", "predicted", "x"]), unique=True), st.sets(st.text(max_size=3))
)
def test_new_names_collide_with_nothing(names, others):
    taken = ["label", "predicted", "p(a)", "p(a) 2", *others]
    assert not set(unused(names, taken)) & set(taken)
    assert len(set(unused(names, taken))) == len(names)
