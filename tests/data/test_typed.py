"""Values keep their type from file to file, and what is missing is missing, whatever holds it."""

import csv
import datetime
import decimal
import functools
import io
import json

import numpy as np
import pandas
import polars
import pyarrow
import pyarrow.compute
import pyarrow.feather
import pyarrow.parquet
import pytest
import torch
from tests.data.classified import extend, read

from headstart.core.errors import DataError
from headstart.core.records import ReadWarning
from headstart.data._files import records
from headstart.data._stream import Row
from headstart.data._texts import text_of
from headstart.data._values import cell, missing, plain
from headstart.data.corpus import of_files

TEXTS = ("a good lamp", "a bad lamp", "a good sofa", "a bad sofa")


def predict(source, out, **options):
    """Copy a file with its texts' lengths; return the messages."""
    reported = []

    def answers(texts):
        return [("long", float(len(text))) for text in texts]

    extend(source, out, ("label", "length"), answers, report=reported.append, **options)
    return [item.sentence if isinstance(item, ReadWarning) else item.reason for item in reported]


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


# --- what predict copies ---------------------------------------------------------------------------------------------

ODD = {
    "whole": 7,
    "large": 2**63 + 1,
    "half": 0.5,
    "verified": True,
    "tags": ["a", "b"],
    "meta": {"k": 0, "deep": [1, None]},
    "nothing": None,
    "code": "007",
}


def test_json_lines_keep_their_types(tmp_path):
    source = write_lines(tmp_path / "in.jsonl", [{"text": text, **ODD} for text in TEXTS])
    assert predict(source, tmp_path / "out.jsonl") == []
    assert lines(tmp_path / "out.jsonl") == [
        {"text": text, **ODD, "label": "long", "length": float(len(text))} for text in TEXTS
    ]


def test_not_a_number_becomes_null_in_json(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "one", "n": NaN, "list": [NaN, 1]}\n', encoding="utf-8")
    predict(source, tmp_path / "out.jsonl")
    assert "NaN" not in (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    assert lines(tmp_path / "out.jsonl")[0]["list"] == [None, 1]


def test_json_lines_become_parquet_of_the_same_types(tmp_path):
    rows = [
        {"text": text, "n": n if n < 3 else None, "mixed": n if n < 3 else "x", "f": n if n % 2 else n / 2, **ODD}
        for n, text in enumerate(TEXTS)
    ]
    late = [{"text": "later", "n": 2, "mixed": 1, "f": 1, "grown": 0.5, "empty": {}}] * 1100
    source = write_lines(tmp_path / "in.jsonl", [*rows, {"grown": 3, **rows[0]}, *late])
    predict(source, tmp_path / "out.parquet")
    copied = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    kinds = {field.name: str(field.type) for field in copied.schema}
    assert (kinds["n"], kinds["f"], kinds["verified"], kinds["grown"]) == ("int64", "double", "bool", "double")
    assert (kinds["mixed"], kinds["large"], kinds["empty"]) == ("string", "string", "string")
    first = copied.slice(0, 1).to_pylist()[0]
    assert (first["tags"], first["meta"], first["large"]) == (["a", "b"], ODD["meta"], str(ODD["large"]))
    assert copied["mixed"].to_pylist()[:4] == ["0", "1", "2", "x"]
    assert copied.num_rows == len(rows) + 1 + len(late)


COLUMNS = {
    "text": pyarrow.array(TEXTS, pyarrow.large_string()),
    "stamp": pyarrow.array([1, 2, None, 4], pyarrow.timestamp("ns")),
    "zoned": pyarrow.array([1, 2, None, 4], pyarrow.timestamp("ns", "Europe/Berlin")),
    "span": pyarrow.array([1, 2, None, 4], pyarrow.duration("ns")),
    "day": pyarrow.array([datetime.date(2026, 1, 1), None, None, None]),
    "price": pyarrow.array([decimal.Decimal("1.10"), None, None, None], pyarrow.decimal128(9, 2)),
    "small": pyarrow.array([1, -1, None, 3], pyarrow.int8()),
    "half": pyarrow.array(np.array([0.1, 0.2, 0.3, 0.4], dtype=np.float16)),
    "kind": pyarrow.array(["x", "y", None, "x"]).dictionary_encode(),
    "tags": pyarrow.array([["a"], [], None, ["b", None]], pyarrow.list_(pyarrow.string())),
    "stamps": pyarrow.array([[1], [], None, [2, None]], pyarrow.large_list(pyarrow.timestamp("ns"))),
    "meta": pyarrow.array([{"k": 1, "at": 5}, None, None, {"k": None, "at": None}],
        pyarrow.struct([("k", pyarrow.int32()), ("at", pyarrow.timestamp("ns"))])),
    "pairs": pyarrow.array([[("k", 1)], None, [], [("j", 2)]], pyarrow.map_(pyarrow.string(), pyarrow.int16())),
    "image": pyarrow.array([b"\xff\x00", None, b"", b"abc"]),
    "never": pyarrow.nulls(4),
}  # fmt: skip


def test_parquet_keeps_every_type(tmp_path):
    table = pyarrow.table(COLUMNS)
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=3)
    assert predict(tmp_path / "in.parquet", tmp_path / "out.parquet") == []
    copied = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert copied.schema.names == [*COLUMNS, "label", "length"]
    assert copied.drop_columns(["label", "length"]).equals(pyarrow.parquet.read_table(tmp_path / "in.parquet"))
    assert copied["length"].to_pylist() == [float(len(text)) for text in TEXTS]


NESTED = functools.reduce(lambda inner, _: pyarrow.list_(inner), range(50), pyarrow.int8())


HAS, LISTS = "has a column 'x' of type", pyarrow.array([[1], [2], [], None])


@pytest.mark.parametrize(
    ("reason", "column"),
    [
        (f"{HAS} 'run_end_encoded<run_ends: int32, values: double>", pyarrow.compute.run_end_encode([0.5] * 4)),
        (f"{HAS} 'month_day_nano_interval", pyarrow.nulls(4, pyarrow.month_day_nano_interval())),
        (f"{HAS} 'list<item: list<", pyarrow.nulls(4, NESTED)),
        ("cannot be written as Parquet", pyarrow.DictionaryArray.from_arrays(pyarrow.array([0, 1, 2, 3]), LISTS)),
    ],
    ids=["runs", "interval", "50 levels", "dictionary of lists"],
)
def test_a_type_that_parquet_lacks_is_refused_and_written_as_json(tmp_path, reason, column):
    table = pyarrow.table({"text": TEXTS, "x": column})
    pyarrow.feather.write_feather(table, tmp_path / "in.feather")
    with pytest.raises(DataError, match=rf"^in.feather {reason}.*: let the name of --out end in .jsonl.$"):
        predict(tmp_path / "in.feather", tmp_path / "out.parquet")
    assert not list(tmp_path.glob("out*"))
    predict(tmp_path / "in.feather", tmp_path / "out.jsonl")
    assert [row["text"] for row in lines(tmp_path / "out.jsonl")] == list(TEXTS)


def test_json_with_more_levels_than_parquet_becomes_text(tmp_path):
    nested = json.loads("[" * 50 + "]" * 50)
    write_lines(tmp_path / "in.jsonl", [{"text": "one", "x": nested}])
    predict(tmp_path / "in.jsonl", tmp_path / "out.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet")["x"].to_pylist() == [json.dumps(nested)]


def test_parquet_rows_that_cannot_be_read_are_left_out_of_the_copy(tmp_path):
    texts = ["first", "nul\0byte", None, *(f"text {number}" for number in range(3000)), "last\0"]
    table = pyarrow.table({"text": texts, "n": range(len(texts))})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet", row_group_size=700)
    reported = predict(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert reported == ["holds a NUL byte", "has no text: it gets no label", "holds a NUL byte"]
    copied = pyarrow.parquet.read_table(tmp_path / "out.parquet")
    assert copied["n"].to_pylist() == [0, *range(2, 3003)]
    assert copied["length"].to_pylist()[:3] == [5.0, None, 6.0]


def test_parquet_becomes_json_with_nanoseconds(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table(COLUMNS), tmp_path / "in.parquet")
    predict(tmp_path / "in.parquet", tmp_path / "out.jsonl")
    first, second = lines(tmp_path / "out.jsonl")[:2]
    assert (first["stamp"], first["day"], first["price"]) == ("1970-01-01 00:00:00.000000001", "2026-01-01", "1.10")
    assert (first["small"], first["kind"], first["tags"]) == (1, "x", ["a"])
    assert first["meta"] == {"k": 1, "at": "1970-01-01 00:00:00.000000005"}
    assert first["stamps"] == ["1970-01-01 00:00:00.000000001"]
    assert (first["image"], second["image"], second["meta"]) == ("/wA=", None, None)


def test_text_of_a_csv_stays_as_it_was_written(tmp_path):
    source = tmp_path / "in.csv"
    source.write_text("text,code,n,flag,none\na lamp,007,1.50,TRUE,NULL\n", encoding="utf-8")
    for out in ("out.csv", "out.jsonl", "out.parquet"):
        predict(source, tmp_path / out)
    expected = {"text": "a lamp", "code": "007", "n": "1.50", "flag": "TRUE", "none": "NULL"}
    assert (
        next(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8")))).items()
        >= expected.items()
    )
    assert lines(tmp_path / "out.jsonl")[0].items() >= expected.items()
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()[0].items() >= expected.items()


@pytest.mark.parametrize("kind", ["feather", "uncompressed", "stream"])
def test_feather_and_arrow_files(tmp_path, kind):
    path = tmp_path / "table.arrow"
    table = pyarrow.table({"text": TEXTS * 400, "label": pyarrow.array(["x", "y"] * 800).dictionary_encode()})
    if kind == "stream":
        with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=900)
    else:
        pyarrow.feather.write_feather(table, path, "lz4" if kind == "feather" else "uncompressed")
    opened = read(path)
    assert opened.rows.inputs == TEXTS * 400
    assert opened.rows.targets == ("x", "y") * 800
    predict(path, tmp_path / "out.parquet")
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").select(["text", "label"]).equals(table)


def test_feather_that_cannot_be_read(tmp_path):
    (tmp_path / "a.feather").write_bytes(b"FEA1 and so on")
    with pytest.raises(DataError, match=r"a.feather is Feather of the first version; save it as Parquet"):
        records(tmp_path / "a.feather")
    (tmp_path / "b.feather").write_bytes(b"ARROW1 and nothing else")
    with pytest.raises(DataError, match=r"b.feather is damaged Feather \("):
        records(tmp_path / "b.feather")


def test_hugging_face_names_of_classes(tmp_path):
    features = {
        "text": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
    }
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    table = pyarrow.table({"text": [*TEXTS, "no label here"], "label": [1, 0, 1, 0, -1]}).replace_schema_metadata(
        metadata
    )
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    read_table = read(tmp_path / "in.parquet")
    assert read_table.rows.targets == ("pos", "neg", "pos", "neg")
    assert [(row.line, row.reason) for row in read_table.rejected] == [(5, "has no label")]
    predict(tmp_path / "in.parquet", tmp_path / "out.parquet")
    copied = pyarrow.parquet.read_schema(tmp_path / "out.parquet")
    features_written = json.loads(copied.metadata[b"huggingface"])["info"]["features"]
    assert features_written["label"] == features["label"]
    assert features_written["predicted"]["dtype"] == "string"
    assert features_written["length"]["dtype"] == "float64"


@pytest.mark.parametrize("wrap", [lambda feature: [feature], lambda feature: {"feature": feature, "_type": "List"}])
def test_names_of_classes_inside_of_lists(tmp_path, wrap):
    features = {"label": wrap({"names": ["neg", "pos"], "_type": "ClassLabel"})}
    table = pyarrow.table({"text": TEXTS, "label": [[1], [0], [1], [0]]})
    metadata = {b"huggingface": json.dumps({"info": {"features": features}}).encode()}
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").rows.targets == ("pos", "neg", "pos", "neg")


@pytest.mark.parametrize("metadata", [b"{", b"[]", b'{"info": 3}', b'{"info": {"features": {"label": ["x"]}}}'])
def test_metadata_that_says_nothing(tmp_path, metadata):
    table = pyarrow.table({"text": TEXTS, "label": [1, 0, 1, 0]}).replace_schema_metadata({b"huggingface": metadata})
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    assert read(tmp_path / "in.parquet").rows.targets == ("1", "0", "1", "0")


# --- missing values --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "nothing",
    [
        None,
        float("nan"),
        *(kind("nan") for kind in (np.float16, np.float32, np.float64, np.longdouble)),
        np.datetime64("NaT"),
        pandas.NA,
        pandas.NaT,
        decimal.Decimal("NaN"),
        decimal.Decimal("sNaN"),
        np.ma.masked,
        pyarrow.scalar(None, pyarrow.int8()),
        torch.tensor(float("nan")),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_missing_is_missing(nothing):
    assert missing(plain(nothing))
    assert cell(nothing) == ""
    table = read(([*TEXTS[:3], nothing], [1, 0, nothing, 1]))
    assert table.rows.targets == ("1", "0")
    assert [row.reason for row in table.rejected] == ["has no label", "has no text"]


@pytest.mark.parametrize(
    "labels",
    [
        np.array([1, 0, np.nan, 1], dtype=np.float16),
        np.array([1, 0, np.nan, 1], dtype=np.float32),
        np.ma.masked_array([1, 0, 9, 1], mask=[False, False, True, False]),
        torch.tensor([1, 0, float("nan"), 1]),
        torch.tensor([1, 0, float("nan"), 1], dtype=torch.bfloat16),
        pandas.Series([1, 0, None, 1], dtype="Int8"),
        pandas.Series([1, 0, None, 1], dtype="float32"),
        pandas.Categorical([1, 0, None, 1]),
        polars.Series([1, 0, None, 1]),
        pyarrow.array([1, 0, None, 1]),
        pyarrow.array([1, 0, None, 1]).dictionary_encode(),
        [np.int8(1), decimal.Decimal(0), None, 1.0],
    ],
    ids=lambda labels: type(labels).__name__ + str(getattr(labels, "dtype", "")),
)
def test_labels_of_any_container_are_the_same_names(labels):
    assert read((TEXTS, labels)).rows.targets == ("1", "0", "1")


@pytest.mark.parametrize(
    "truths",
    [
        [True, False, True, False],
        np.array([True, False, True, False]),
        torch.tensor([True, False, True, False]),
        pandas.Series([True, False, True, False], dtype="boolean"),
        pyarrow.array([True, False, True, False]),
        ["TRUE", "FALSE", "TRUE", "FALSE"],
        ["true", "false", "true", "false"],
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_truth_values_have_one_name(truths):
    assert read((TEXTS, truths)).rows.targets == ("True", "False", "True", "False")


def test_truth_values_of_files(tmp_path):
    lines = [{"text": text, "label": n % 2 == 0} for n, text in enumerate(TEXTS)]
    json_lines = read(write_lines(tmp_path / "a.jsonl", lines))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(lines), tmp_path / "a.parquet")
    assert json_lines.rows.targets == read(tmp_path / "a.parquet").rows.targets == ("True", "False", "True", "False")


def test_nulls_of_large_strings_and_categories(tmp_path):
    table = pyarrow.table(
        {
            "text": pyarrow.array([*TEXTS, None], pyarrow.large_string()),
            "label": pyarrow.array(["x", "y", None, "x", "y"]).dictionary_encode(),
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "in.parquet")
    for table_read in (read(tmp_path / "in.parquet"), read(table.to_pandas())):
        assert table_read.rows.targets == ("x", "y", "x")
        assert [(row.line, row.reason) for row in table_read.rejected] == [(3, "has no label"), (5, "has no text")]


# --- texts that are none ---------------------------------------------------------------------------------------------


def test_lists_of_words_are_joined_and_said_to_be(tmp_path):
    source = write_lines(tmp_path / "a.jsonl", [{"text": t.split(), "label": t[2:5]} for t in TEXTS])
    table = read(source)
    assert table.rows.inputs == TEXTS
    assert table.warnings == ("column 'text' holds lists of words: they are joined by spaces.",)
    assert predict(source, tmp_path / "out.jsonl") == list(table.warnings)
    assert lines(tmp_path / "out.jsonl")[0]["text"] == TEXTS[0].split()
    messages = []
    assert tuple(of_files([source], tell=messages.append).walk()) == TEXTS
    assert messages == list(table.warnings)


def test_objects_are_no_texts(tmp_path):
    rows = [{"doc": {"title": "t", "body": text}, "label": text[2:5]} for text in TEXTS]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    message = r"column 'doc' of a.parquet holds objects with the keys 'title', 'body', where texts are expected; put"
    with pytest.raises(DataError, match=message):
        read(tmp_path / "a.parquet", text="doc")
    with pytest.raises(DataError, match=message):
        predict(tmp_path / "a.parquet", tmp_path / "out.jsonl", columns={"text": "doc"})
    with pytest.raises(DataError, match=message):
        list(of_files([tmp_path / "a.parquet"], text="doc").walk())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": 1}, "has an object with the keys 'a' where a text is expected"),
        ([["a"], ["b"]], "has a list of other things than words where a text is expected"),
        (b"\xff\xfe", "has bytes that are no UTF-8 where a text is expected"),
        ([], "has no text"),
        (float("nan"), "has no text"),
    ],
)
def test_a_row_without_a_text_says_why(value, reason):
    assert text_of(value) == ("", reason)


def test_other_values_as_texts():
    assert text_of(b"gr\xc3\xbc\xc3\x9fe") == ("grüße", "")
    assert text_of(5) == ("5", "")


def test_cells_of_a_parquet_file_are_pythons(tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"n": [1, None], "t": ["a", "b"]}), tmp_path / "a.parquet")
    assert list(records(tmp_path / "a.parquet").items) == [Row(1, {"n": 1, "t": "a"}), Row(2, {"n": None, "t": "b"})]
