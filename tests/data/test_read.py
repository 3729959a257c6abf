"""Reading: what is accepted, what is refused, and that every rejected row is reported with its line."""

from __future__ import annotations

import builtins
import csv
import functools
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.classified import read

from headstart.core.errors import DataError, UsageError
from headstart.data import _arrow
from headstart.data._files import records

Write = Callable[..., Path]
GOOD = "text,label\nI liked it,pos\nI did not,neg\nNot bad,pos\nAwful,neg\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: str | bytes, name: str = "reviews.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding, "surrogatepass"))
        return path

    return to_file


ADVICE = "(a text with commas in it needs quotation marks around it)"


def reasons(path: Path) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in read(path).rejected]


# --- what is accepted ----------------------------------------------------------------------------------------


def test_ids_are_file_and_line_where_the_row_starts(write: Write) -> None:
    table = read(write('text,label\n"two\nlines",pos\nsecond,neg\n\nafter a blank line,pos\n'))
    assert table.rows.ids == ("reviews.csv:2", "reviews.csv:4", "reviews.csv:6")
    assert table.rows.inputs[0] == "two\nlines"
    assert (table.columns, table.rejected, table.warnings) == (
        *({"text": ("text",), "label": ("label",)}, ()),
        ("class 'neg' has one example: it is used for training, and no score can measure it.",),
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_line_ends_and_unicode_encodings_change_nothing(write: Write, end: str, encoding: str) -> None:
    table = read(write((GOOD + "déjà vu 🙂,pos\n").replace("\n", end), encoding=encoding))
    assert table.rows.inputs[-1] == "déjà vu 🙂"
    assert table.rows.ids[-1] == "reviews.csv:6"
    assert bool(table.warnings) is (encoding == "utf-16-le")  # which has no mark that names it


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("C'était très bon, à refaire dès que possible, même l'été.", "cp1252"),
        ("Zażółć gęślą jaźń, świetny film, polecam każdemu.", "cp1250"),
        ("Отличный фильм, рекомендую всем посмотреть его.", "cp1251"),
        ("Отличный фильм, рекомендую всем посмотреть его.", "koi8_r"),
        ("这家酒店的服务非常好，下次还会再来的。房间很干净", "gb18030"),
        ("この映画はとても面白かったです。また見たいと思います。", "cp932"),
        ("この映画はとても面白かったです。また見たいと思います。", "iso2022_jp"),
        ("这家酒店的服务非常好，下次还会再来的。房间很干净", "utf-16-le"),
        ("Отличный фильм, рекомендую всем посмотреть его.", "utf-16-be"),
        ("It’s fine", "cp1252"),
        ("이 영화는 정말 재미있었습니다. 다시 보고 싶어요.", "cp949"),
    ],
)
def test_other_encodings_are_detected_with_a_warning(write: Write, text: str, encoding: str) -> None:
    table = read(write("text;label\n" + f"{text};pos\nok;neg\n" * 5, encoding=encoding))
    assert table.rows.inputs[0] == text
    assert f"it was read as {encoding}, such as '" in table.warnings[0]


def test_text_that_was_encoded_twice_is_reported(write: Write) -> None:
    text = "text,label\n" + "Très bon café,pos\nÇa va déjà,neg\n" * 5
    assert read(write(text)).warnings == ()
    table = read(write(text.encode().decode("cp1252")))
    assert "it holds 'TrÃ¨s bon cafÃ©,pos' where 'Très bon café,pos' may be meant" in table.warnings[0]
    late = "text,label\n" + ("word " * 30 + "très bon,neg\nfine,pos\n") * 5
    (warning,) = read(write(late.encode().decode("cp1252"), "c.csv")).warnings
    assert "it holds 'rd word word word trÃ¨s bon,neg' where 'rd word word word très bon,neg' may be meant" in warning


@pytest.mark.parametrize(("mark", "name"), [(";", "a.csv"), ("\t", "a.tsv"), ("\t", "a.csv"), ("|", "a.txt")])
def test_the_delimiter_is_found(write: Write, mark: str, name: str) -> None:
    assert read(write(GOOD.replace(",", mark), name)).rows.targets == ("pos", "neg", "pos", "neg")


def test_quotation_marks_in_unquoted_tsv_are_text(write: Write) -> None:
    table = read(write('text\tlabel\n"Hello there\tpos\nA 5" disk\tneg\n"Quoted" word\tpos\nbye"\tneg\n', "a.tsv"))
    assert table.rows.inputs == ('"Hello there', 'A 5" disk', '"Quoted" word', 'bye"')
    assert "are read as part of the text" in table.warnings[0]


def test_quoted_tsv_stays_quoted(write: Write) -> None:
    table = read(write('text\tlabel\n"He said ""no"""\tpos\n"a\ttab"\tneg\n', "a.tsv"))
    assert table.rows.inputs == ('He said "no"', "a\ttab")


def test_words_for_nothing_and_leading_zeros_are_kept(write: Write) -> None:
    table = read(write("text,label\nNA,01\nnull,1\nnan,001\nNone,1\n"))
    assert table.rows.inputs == ("NA", "null", "nan", "None")
    assert table.rows.targets == ("01", "1", "001", "1")


printable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(printable, min_size=2, max_size=8))
def test_whatever_is_written_as_csv_is_read_back(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "written.csv"
    labels = [str(number % 2) for number in range(len(texts))]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *zip(texts, labels, strict=True)])
    table = read(path)
    assert (table.rows.inputs, table.rows.targets, table.rejected) == (tuple(texts), tuple(labels), ())


def test_json_lines(write: Write) -> None:
    rows = [{"review": "fine, thanks", "stars": 5, "tags": ["a"]}, {"stars": 1, "review": "no\nway"}]
    path = write("\n".join(map(json.dumps, rows)) + "\n", "a.jsonl")
    assert [item.cells for item in records(path).items] == [
        {"review": "fine, thanks", "stars": 5, "tags": ["a"]},
        {"review": "no\nway", "stars": 1, "tags": None},
    ]
    assert read(path).rows.targets == ("5", "1")


def test_a_late_key_in_json_lines_is_kept(write: Write) -> None:
    lines = [json.dumps({"text": f"text {i}", "label": i % 2}) for i in range(1001)]
    opened = records(write("\n".join([*lines, json.dumps({"text": "last", "label": 1, "new": 1})]), "a.jsonl"))
    rows = [item.cells for item in opened.items]
    assert opened.columns == ("text", "label", "new")
    assert (rows[0]["new"], rows[-1]["new"]) == (None, 1)


JSON_ROWS = [{"text": f"text, number {i}", "label": "ab"[i % 2]} for i in range(12)]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a"])
@pytest.mark.parametrize(
    "document",
    [
        JSON_ROWS,
        {"data": JSON_ROWS},
        {"version": 1, "rows": JSON_ROWS},
        {str(number): row for number, row in enumerate(JSON_ROWS)},
        {key: [row[key] for row in JSON_ROWS] for key in ("text", "label")},
        {key: {str(i): row[key] for i, row in enumerate(JSON_ROWS)} for key in ("text", "label")},
        {"columns": ["text", "label"], "index": list(range(12)), "data": [list(row.values()) for row in JSON_ROWS]},
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_json_documents_that_hold_a_table(write: Write, name: str, document: object, indent: int | None) -> None:
    table = read(write(json.dumps(document, indent=indent), name))
    assert table.rows.inputs == tuple(row["text"] for row in JSON_ROWS)
    assert table.rows.targets == tuple(row["label"] for row in JSON_ROWS)


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.txt", "a.csv"])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ("[\n", "\n]\n"), ("[", ",\n]"), ("", ",\n")])
def test_a_list_with_an_object_on_every_line(write: Write, name: str, opening: str, closing: str) -> None:
    table = read(write(opening + ",\n".join(map(json.dumps, JSON_ROWS)) + closing, name))
    assert table.rows.inputs == tuple(row["text"] for row in JSON_ROWS)
    assert table.rejected == ()


def test_a_comma_behind_the_last_row_of_a_document(write: Write) -> None:
    table = read(write(json.dumps(JSON_ROWS, indent=1).removesuffix("\n]") + ",\n]", "a.json"))
    assert len(table.rows) == len(JSON_ROWS)


@pytest.mark.parametrize(("between", "indent"), [(",\n", None), ("\n", 1), ("", 1)])
def test_json_objects_one_after_another(write: Write, between: str, indent: int | None) -> None:
    table = read(write(between.join(json.dumps(row, indent=indent) for row in JSON_ROWS), "a.jsonl"))
    assert table.rows.inputs == tuple(row["text"] for row in JSON_ROWS)


def test_a_key_twice_is_reported_once(write: Write) -> None:
    lines = [f'{{"text": "draft", {json.dumps(row)[1:]}\n' for row in JSON_ROWS]
    table = read(write("".join(lines), "a.jsonl"))
    assert table.rows.inputs[0] == "text, number 0"
    assert table.warnings == ("line 1 of a.jsonl holds a key twice ('text'): the last value counts.",)


def test_objects_as_python_prints_them(write: Write) -> None:
    table = read(write("\n".join(map(str, JSON_ROWS)), "a.jsonl"))
    assert table.rows.inputs == tuple(row["text"] for row in JSON_ROWS)
    assert table.warnings == ("a.jsonl is not JSON from line 1 on, but is read as Python writes such objects.",)


def test_json_that_is_no_table(write: Write) -> None:
    with pytest.raises(DataError, match=r"a.json is one JSON document but no table: give a list of objects"):
        read(write("[1, 2]", "a.json"))
    with pytest.raises(DataError, match=r"columns of different lengths: 'label' has no value for every row"):
        read(write('{"text": ["a", "b"], "label": ["x"]}', "a.json"))


def test_json_lines_without_a_number_have_no_label(write: Write) -> None:
    path = write("\n".join(['{"text": "a", "label": NaN}', *map(json.dumps, JSON_ROWS)]), "a.jsonl")
    assert reasons(path) == [(1, "has no label")]


def test_parquet_and_whole_number_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    columns = {"text": ["a", "b", None, "d", b"e".decode()], "label": [1.0, 0.0, 1.0, None, 1.0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    table = read(path)
    assert table.rows.ids == ("a.parquet:1", "a.parquet:2", "a.parquet:5")
    assert table.rows.targets == ("1", "0", "1")
    assert any(
        "the labels '0.0', '1.0' of column 'label' are read as '0', '1'" in warning for warning in table.warnings
    )
    assert [(row.line, row.reason) for row in table.rejected] == [(3, "has no text"), (4, "has no label")]


def test_half_numbers_stay_as_they_are() -> None:
    assert read((["a", "b", "c"], [1.0, 1.5, 1.0])).rows.targets == ("1.0", "1.5", "1.0")


@pytest.mark.parametrize("kind", [pandas.DataFrame, polars.DataFrame, polars.LazyFrame, pyarrow.table])
def test_any_dataframe(kind: Callable[[dict[str, list[object]]], object]) -> None:
    table = read(kind({"review": ["good", "bad", None, ""], "sentiment": [1, 0, 1, 1]}))
    assert table.rows.inputs == ("good", "bad")
    assert table.rows.targets == ("1", "0")
    assert table.rows.ids == ("row:1", "row:2")
    assert [row.line for row in table.rejected] == [3, 4]


def test_missing_values_of_pandas_turn_no_label_into_nan() -> None:
    frame = pandas.DataFrame({"text": ["a", "b", "c", "d"], "label": pandas.array([1, None, 0, 1], dtype="Int64")})
    assert read(frame).rows.targets == ("1", "0", "1")
    assert read(frame.astype({"label": "float64"})).rows.targets == ("1", "0", "1")


def test_two_sequences() -> None:
    assert read((np.array(["a", "b"]), pandas.Series([True, False]))).rows.targets == ("True", "False")


def test_the_hash_tells_contents_apart(write: Write) -> None:
    assert read(write(GOOD)).sha256 != read(write(GOOD.replace("Awful", "Dreadful"))).sha256
    assert read((["a", "b"], [0, 1])).sha256 != read((["a", "b"], [1, 0])).sha256


def test_without_labels_one_column_is_enough(write: Write) -> None:
    table = read(write("anything\nfirst\nsecond\n"), labelled=False)
    assert (table.rows.inputs, table.rows.targets, table.columns) == (("first", "second"), (), {"text": ("anything",)})


def test_records_take_constant_memory(write: Write) -> None:
    path = write("text,label\n" + f"{'word ' * 40},pos\n" * 20000)
    tracemalloc.start()
    opened = records(path)
    assert sum(1 for _ in opened.items) == 20000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < path.stat().st_size  # 4 MB: the first thousand rows, one chunk of a megabyte, and no more


# --- which columns -------------------------------------------------------------------------------------------

LONG = ["See you at the station tonight", "You have won a long holiday", "Call me when you are there", "Where is it"]


@pytest.mark.parametrize(
    ("columns", "places"),
    [
        ({"id": ["1", "2", "3", "4"], "Review Text": LONG, "Sentiment": ["p", "n", "p", "n"]}, (1, 2)),
        ({"text": LONG, "label": ["p", "n", "p", "n"], "rating": ["1", "2", "1", "2"]}, (0, 1)),
        ({"v1": ["ham", "spam", "ham", "ham"], "v2": LONG}, (1, 0)),
        ({"when": ["2024-01-01 10:00", "b", "c", "d"], "what": LONG, "kind": ["x", "y", "x", "x"]}, (1, 2)),
        ({"内容": ["质量非常好", "非常不满意", "很好用", "包装很仔细"], "类": ["正", "负", "正", "正"]}, (0, 1)),
    ],
)
def test_columns_are_found_by_name_then_by_values(columns: dict[str, list[str]], places: tuple[int, int]) -> None:
    table = read(pandas.DataFrame(columns))
    names = list(columns)
    assert table.columns == {"text": (names[places[0]],), "label": (names[places[1]],)}


def test_unclear_columns_are_asked_for(write: Write) -> None:
    path = write("title,content,label\na b c,d e f,x\ng h i,j k l,y\n")
    assert read(path).columns["text"] == ("content",)
    path = write("review,content,label\na b c,d e f,x\ng h i,j k l,y\n")
    with pytest.raises(
        UsageError, match=r"which column holds the text. reviews.csv has columns review, content, label"
    ):
        read(path)
    assert read(path, text="review").rows.inputs == ("a b c", "g h i")
    path = write("text,topic,class\na b c,d,x\ng h i,d,y\na,e,y\nb,e,x\n")
    with pytest.raises(UsageError, match=r"which column holds the label\? .*: use --label NAME"):
        read(path)
    assert read(path, label="topic").rows.targets == ("d", "d", "e", "e")


def test_numbers_are_no_text_though_nothing_else_is_left() -> None:
    frame = pandas.DataFrame({"n": range(8), "label": ["a", "b"] * 4})
    with pytest.raises(UsageError, match=r"which column holds the text. table has columns n, label: use --text NAME"):
        read(frame)
    assert read(frame, text="n").rows.inputs[:2] == ("0", "1")


def test_messages_list_columns_in_short() -> None:
    frame = pandas.DataFrame({f"column number {n}": ["a b c", "d e f"] for n in range(100)})
    with pytest.raises(UsageError, match=r"which column holds the text") as caught:
        read(frame)
    assert len(str(caught.value)) < 300


def test_one_column_is_not_both(write: Write) -> None:
    with pytest.raises(UsageError, match="the text and the label are both read from column 'label'; name two columns"):
        read(write(GOOD), text="label", label="label")


def test_an_unknown_column(write: Write) -> None:
    with pytest.raises(UsageError, match=r"reviews.csv has no column 'lable' \(--label\); did you mean 'label'"):
        read(write(GOOD), label="lable")


# --- rows that are refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",pos", "has no text"),
        ("   ,pos", "has no text"),
        ("lonely,", "has no label"),
        (
            "a,b,c",
            f"is too long: 3 cells where the header has 2 {ADVICE}",
        ),
        ("a", "is too short: 1 cell where the header has 2"),
        ("a\0b,pos", "holds a NUL byte"),
        ('"hello" there,pos', "continues after a closing quotation mark (inside a cell, marks are doubled)"),
        ('"never closed,pos', "continues after a closing quotation mark (inside a cell, marks are doubled)"),
    ],
)
def test_a_bad_row_costs_itself_alone(write: Write, row: str, reason: str) -> None:
    path = write(f'text,label\n"first\nrow",pos\n{row}\n"second",neg\n"third",pos\nfourth,neg\n')
    assert reasons(path) == [(4, reason)]
    assert len(read(path).rows) == 4


def test_a_quote_open_to_the_end_costs_one_row(write: Write) -> None:
    path = write('text,label\nfirst,pos\n"second, but open,neg\nthird,neg\nfourth,pos\n')
    assert reasons(path) == [(3, "opens a quotation mark that is never closed")]
    assert read(path).rows.inputs == ("first", "third", "fourth")


def test_bad_bytes_in_utf8_cost_their_row(write: Write) -> None:
    path = write("text,label\nschön äöü,pos\n".encode() + b"caf\xff,neg\n" + "größer,neg\n".encode())
    assert reasons(path) == [(3, "holds a byte that is not valid in the file's encoding (0xff)")]


def test_lone_surrogates_cost_their_row(write: Write) -> None:
    lines = ['{"text": "a\\ud800b", "label": "x"}', '{"text": "b", "label": "x"}', '{"text": "c", "label": "y"}']
    assert reasons(write("\n".join(lines), "a.jsonl")) == [(1, "holds half of a surrogate pair, which is no character")]
    assert reasons(write("text,label\na\ud800,x\nb,x\nc,y\n", encoding="utf-16")) == [
        (2, "holds half of a surrogate pair, which is no character")
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_cells_over_ten_megabytes_cost_their_row(write: Write, name: str) -> None:
    rows = [("x" * (10 * 2**20 + 1), "pos"), ("y" * (10 * 2**20), "pos"), ("z", "neg")]
    if name == "a.csv":
        content = "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows)
    else:
        content = "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
    table = read(write(content, name))
    assert [row.reason for row in table.rejected] == ["has a cell over 10 MB"]
    assert [len(text) for text in table.rows.inputs] == [10 * 2**20, 1]


def test_bad_json_lines_are_told(write: Write) -> None:
    lines = ['{"text": "a", "label": "x"}', "{broken", "", "[1]", '{"text": "b", "label": "y"}', "[" * 100_000]
    rejected = reasons(write("\n".join(lines), "a.jsonl"))
    assert [line for line, _ in rejected] == [2, 4, 6]
    assert rejected[0][1].startswith("is not valid JSON (Expecting")
    assert rejected[1][1] == "is not a JSON object"


# --- files that are refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "reviews.csv is empty"),
        (b"\xef\xbb\xbf \n\n", "reviews.csv is empty"),
        (b"text,label\n", "reviews.csv has no usable row below its column names"),
        (b"text,label\n,pos\n,neg\n", "no usable row: all 2 were rejected, the first, on line 2, because it has no"),
        (b"PK\x03\x04rest", "is no table but an Excel workbook or a zip archive: save the sheet as CSV"),
        (b'<?xml version="1.0"?>\n<rows>', "is no table but an XML document: save its rows as CSV or JSON Lines"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer to a file that Git LFS has not fetched"),
        (b"@RELATION reviews\n", "is no table but a Weka file"),
        (b"\n<!DOCTYPE html><html>", "is no table but an HTML page: download the data itself"),
        (bytes(range(256)) * 20, "is no table but binary data; give CSV, TSV, JSON Lines or Parquet"),
        (b"PAR1 but nothing else", r"reviews.csv is damaged Parquet \("),
        (b"text,text\na,b\n", "reviews.csv has two columns named 'text'; rename one"),
        (b"te\0xt,label\na,b\n", "does not begin with column names: a name holds a NUL byte"),
        (
            b'"te"xt,label\n' + b'"a, b",c\n' * 9,
            "the first line of reviews.csv does not hold column names: it continues after",
        ),
        (
            b"text,label\na,pos\nb,pos\n",
            "all 2 rows of reviews.csv have the label 'pos'; at least two classes are needed",
        ),
        ("text,label\na,pos\n".encode("utf-16")[:-1], "reviews.csv is damaged: it stops being utf-16"),
    ],
)
def test_whole_files_are_refused_with_a_reason(write: Write, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write(content))


def test_a_single_column_is_no_labelled_table(write: Write) -> None:
    with pytest.raises(DataError, match="has a single column, 'text', where a text and a label are needed"):
        read(write("text\na\nb\n"))


def test_labels_that_all_differ_are_no_classes(write: Write) -> None:
    path = write("text,label\n" + "".join(f"some text,{number}\n" for number in range(30)))
    with pytest.raises(DataError, match=r"column 'label' of reviews.csv has 30 different values in 30 rows"):
        read(path)


def test_broken_json_is_not_json_lines(write: Write) -> None:
    with pytest.raises(DataError, match=r"a.json is not JSON Lines .an object on every line.: line 1 is not valid"):
        read(write('[{"text"\n: "a"},\n{"text": "b"', "a.json"))
    with pytest.raises(DataError, match=r"not JSON Lines .*: it holds only empty objects"):
        read(write("{}\n{}\n", "a.jsonl"))


def test_missing_files(write: Write, tmp_path: Path) -> None:
    write(GOOD)
    with pytest.raises(DataError, match=r"no file revews.csv in .*; did you mean 'reviews.csv'"):
        read(tmp_path / "revews.csv")
    with pytest.raises(DataError, match=r"and no folder .*nowhere either"):
        read(tmp_path / "nowhere" / "a.csv")
    with pytest.raises(DataError, match="is a folder; name one file in it"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"https:/.* is an address, which is not fetched: download the file"):
        read("https://example.org/a.csv")
    with pytest.raises(DataError, match=r"no file 'text,label.*; give a path, not the text itself"):
        read(GOOD * 100)


def test_parquet_without_pyarrow_says_what_to_install(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *rest: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *rest)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'headstart\[parquet\]'"):
        read(write(b"PAR1", "a.parquet"))


def test_parquet_without_columns(tmp_path: Path) -> None:
    pyarrow.parquet.write_table(pyarrow.table({}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match="has no columns; it should have a text and a label"):
        read(tmp_path / "a.parquet")


def test_parquet_that_is_damaged_inside(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    texts = [f"text {number * 7919}" for number in range(5000)]
    pyarrow.parquet.write_table(pyarrow.table({"text": texts, "label": ["a", "b"] * 2500}), path)
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a.parquet is damaged Parquet after row 0 \("):
        read(path)


@pytest.mark.parametrize(
    ("levels", "sentence"),
    [
        (49, None),
        (
            50,
            r"^a.parquet has a column with more levels than .* \(.*too deeply nested.*\): flatten it or leave it",
        ),
    ],
)
def test_parquet_that_is_nested_too_deeply_is_not_called_damaged(
    tmp_path: Path, levels: int, sentence: str | None
) -> None:
    deep = functools.reduce(lambda inner, _: pyarrow.list_(inner), range(levels), pyarrow.int32())
    columns = {"text": ["one", "two"], "label": ["a", "b"], "deep": pyarrow.nulls(2, deep)}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    if sentence is None:
        assert len(read(tmp_path / "a.parquet").rows) == 2
        return
    with pytest.raises(DataError, match=sentence):
        read(tmp_path / "a.parquet")


def test_feather_that_is_nested_too_deeply_is_not_called_damaged(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow writes no such file, but others may."""

    def deep(*_: object) -> None:
        raise pyarrow.ArrowInvalid("Max recursion depth reached")

    monkeypatch.setattr(_arrow, "_schema", deep)
    with pytest.raises(DataError, match=r"levels than can be read \(Max recursion depth reached\): flatten it"):
        read(write(b"ARROW1"))


def test_other_sources() -> None:
    with pytest.raises(UsageError, match="cannot read data from int: give a path, a DataFrame, or a tuple"):
        read(3)
    with pytest.raises(UsageError, match="2 texts but 3 labels: give one label for each text"):
        read((["a", "b"], [1, 2, 3]))
    with pytest.raises(UsageError, match=r"the texts are given as ndarray of shape \(2, 1\), where one dimension"):
        read((np.array([["a"], ["b"]]), [1, 0]))
    with pytest.raises(UsageError, match=r"the labels are given as set, where a list with one for each row"):
        read((["a", "b"], {1, 0}))
    with pytest.raises(UsageError, match=r"a list of two pairs may be two rows.*: give a tuple \(texts, labels\)"):
        read([("a good phone", "x"), ("a bad phone", "y")])
    with pytest.raises(DataError, match="the DataFrame has no columns"):
        read(pandas.DataFrame())
    with pytest.raises(UsageError, match="cannot read data from Series: give a path, a DataFrame"):
        read(pandas.Series(["a"]))


def test_names_of_columns_in_a_dataframe() -> None:
    rows = [("a good phone", "x"), ("a bad phone", "y")]
    assert read(pandas.DataFrame(rows), text=0, label=1).rows.targets == ("x", "y")
    with pytest.raises(DataError, match=r"two columns of one name \(.*'a' 2 times\); rename one"):
        read(pandas.DataFrame(rows, columns=["a", "a"]))
    with pytest.raises(DataError, match="two columns named '1', one by a number and one by text; rename one"):
        read(pandas.DataFrame(rows, columns=[1, "1"]))
    levels = pandas.MultiIndex.from_tuples([("text", ""), ("label", "")])
    with pytest.raises(DataError, match=r"names of more than one level; flatten them, as in frame.columns ="):
        read(pandas.DataFrame(rows, columns=levels))


def test_an_encoding_that_cannot_be_told(write: Write) -> None:
    with pytest.raises(DataError, match=r"the encoding of reviews.csv is not known; use --encoding NAME, or save"):
        read(write(b"text,label\nc\xff \x81\xff a\x81 \x8f\xff,pos\n" * 5))


def test_an_encoding_the_caller_names_is_believed(write: Write) -> None:
    path = write("text,label\nПривет,а\nМир,б\n", encoding="cp866")
    table = read(path, encoding="cp866")
    assert (table.rows.inputs, table.rows.targets) == (("Привет", "Мир"), ("а", "б"))
    assert not any("UTF-8" in warning for warning in table.warnings)
    assert read(write("\ufeff" + GOOD), encoding="utf8").columns["text"] == ("text",)
    with pytest.raises(UsageError, match=r"no encoding 'latin-99'; give a name such as utf-8"):
        read(path, encoding="latin-99")
    with pytest.raises(UsageError, match=r"no encoding 'hex'"):
        read(path, encoding="hex")


def test_messages_show_the_beginning_of_long_values_and_no_control_characters(write: Write) -> None:
    name = "\x1b[31m" + "n" * 1000
    with pytest.raises(DataError, match=r"has a single column, '\\x1b\[31mn{55}\.\.\.', where"):
        read(write(f"{name}\na\nb\n"))


@pytest.mark.parametrize("total", ["Total", "TOTAL:", "total 40", "Sum", "合计", "Итого", "Gesamt: 1.234"])
def test_a_row_that_sums_up_is_warned_about(write: Write, total: str) -> None:
    table = read(write(f"text,label\na film,pos\na plot,neg\na lamp,pos\na desk,neg\n{total},4\n"))
    assert len(table.rows) == 5
    assert [warning for warning in table.warnings if "looks like a total below the table" in warning]


@pytest.mark.parametrize("last", ["Total disaster,pos", "Total,pos", "Summary,4", "A count,4"])
def test_a_last_row_like_others_is_no_total(write: Write, last: str) -> None:
    table = read(write(f"text,label\na film,pos\na plot,neg\na lamp,pos\na desk,neg\n{last}\n"))
    assert not [warning for warning in table.warnings if "total" in warning and "looks like" in warning]


@pytest.mark.parametrize("text", ["la forêt a été très belle", "电影很好，推荐", "schöne Grüße für dich"])
def test_utf_7_is_warned_about(write: Write, text: str) -> None:
    content = "text,label\n" + "".join(f"{text[place:]},{'ab'[place % 2]}\n" for place in range(6))
    path = write(content.encode("utf-7"))
    assert [warning for warning in read(path).warnings if "looks like UTF-7: " in warning]
    assert read(path, encoding="utf-7").rows.inputs[0] == text


@pytest.mark.parametrize("text", ["C++ and +49-30 is +foo", "a+tag@example.com b+abcdefgh@x.org", "+good- yes"])
def test_a_plus_is_no_utf_7(write: Write, text: str) -> None:
    warnings = read(write(f"text,label\n{text},pos\na plot,neg\n{text} 2,pos\n")).warnings
    assert not [warning for warning in warnings if "UTF-7" in warning]


@pytest.mark.parametrize("encoding", ["undefined", "punycode", "idna", "hex", "rot13"])
def test_a_codec_that_reads_no_files_is_refused(write: Write, encoding: str) -> None:
    with pytest.raises(UsageError, match=f"no encoding '{encoding}'; give a name such as"):
        read(write("text,label\na film,pos\na plot,neg\n"), encoding=encoding)


def test_an_encoding_that_cannot_go_on_is_damage(write: Write) -> None:
    with pytest.raises(DataError, match=r"is damaged: it stops being utf-16 \(.*tream does not start with BOM\)"):
        read(write("text,label\na film,pos\na plot,neg\n"), encoding="utf-16")


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
def test_utf_32_is_known_without_its_mark(write: Write, encoding: str) -> None:
    assert read(write("text,label\na film 好,pos\na plot,neg\n".encode(encoding))).rows.inputs == (
        "a film 好",
        "a plot",
    )


def test_blank_lines_above_a_table_are_no_empty_file(write: Write) -> None:
    assert len(read(write("\r\n" * 5000 + "text,label\na film,pos\na plot,neg\n")).rows) == 2


def test_pandas_split_form_with_rows_of_other_lengths_is_refused(write: Write) -> None:
    for data in ("[1, 2]", '[["a"]]', '[["a", "b", "c"]]'):
        with pytest.raises(DataError, match="has 'columns' and 'data', but not a list of as many values for each row"):
            read(write(f'{{"columns": ["text", "label"], "data": {data}}}', "a.json"))
