"""Equal labels have one name, and doubtful ones are warned about."""

import json

import pandas
import pytest
from tests.data.classified import read

from headstart.core.errors import DataError
from headstart.data._labels import doubts, named_alike
from headstart.data.split import read_and_split
from headstart.tasks.classification import Classification

TEXTS = ("a good lamp", "a bad lamp", "a good sofa", "a bad sofa")


def lines(tmp_path, labels):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": "a lamp", "label": label}) + "\n" for label in labels))
    return path


@pytest.mark.parametrize(
    ("written", "names"),
    [
        (["1.0", "0.0", "1"], ["1", "0", "1"]),
        (["1.0", "nan", "0.0"], ["1", "nan", "0"]),
        (["-1.0", "10.00", "2.0"], ["-1", "10", "2"]),
        (["0.5", "1.0", "2"], ["0.5", "1.0", "2"]),
        (["0.5", "1.0", "1"], ["0.5", "1.0", "1.0"]),
        (["01", "1", "001"], ["01", "1", "001"]),
        (["1.10", "1.1", "a"], ["1.10", "1.1", "a"]),
        (["TRUE", "false", "True"], ["True", "False", "True"]),
        (["TRUE", "false", "mostly true"], ["TRUE", "false", "mostly true"]),
        (["nan", "none"], ["nan", "none"]),
    ],
)
def test_numbers_and_truth_values_have_one_name(written, names):
    renamed, warnings = named_alike(written, "label")
    assert renamed == names
    assert len(warnings) == (renamed != written)


def test_a_test_file_has_the_names_of_the_training_file():
    stars = ["0.5", "1.0", "2.5", "5.0"]
    table = read((TEXTS * 2, stars * 2))
    assert table.rows.targets[:4] == tuple(stars)
    test = read((TEXTS, [5, 1, 2.5, 0.5]), like=table)
    assert test.rows.targets == ("5.0", "1.0", "2.5", "0.5")
    assert (
        test.warnings == ("the labels '5' and '1' ",) or "read as '1.0', '5.0', as in the training" in test.warnings[0]
    )
    assert read((TEXTS, ["5", "7", "01", "1"]), like=table).rows.targets == ("5.0", "7", "01", "1.0")


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ([1, 0, 1, 0], [1.0, None, 0.0, 1.0]),
        ([1.0, None, 0.0, 1.0], [1, 0, 1, 0]),
        ([True, False, True, False], ["TRUE", "FALSE", "TRUE", "false"]),
        (["TRUE", "FALSE", "unknown", "TRUE"], [True, False, True, False]),
        (["01", "1", "01", "1"], ["01", "1", "01", "1"]),
    ],
)
def test_labels_of_two_files_meet(train, test):
    table, splits = read_and_split(
        pandas.DataFrame({"text": [f"text {n} here" for n in range(40)], "label": train * 10}),
        Classification(),
        pandas.DataFrame({"text": [f"another {n} there" for n in range(4)], "label": test}),
    )
    assert set(splits.test.targets) <= set(table.rows.targets)


def test_a_pair_has_no_names_of_columns_that_could_differ():
    frame = pandas.DataFrame({"body": TEXTS, "stars": ["x", "y"] * 2})
    table = read(frame, text="body", label="stars")
    test = read((["another text"], ["x"]), text="body", label="stars", like=table)
    assert (test.rows.inputs, test.rows.targets, test.warnings) == (("another text",), ("x",), ())


def test_a_test_file_may_have_one_class():
    table = read((TEXTS, ["x", "y"] * 2))
    assert set(read((TEXTS, ["x"] * 4), like=table).rows.targets) == {"x"}


@pytest.mark.parametrize("label", [["pos"], ("pos",), [["pos"]], {"pos"}, frozenset(["pos"])])
def test_a_list_of_one_label_is_that_label(label):
    assert read((TEXTS, [label, ["neg"], [], label])).rows.targets == ("pos", "neg", "pos")


def test_lists_written_as_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na lamp,['pos']\nb lamp,\"['neg']\"\nc lamp,[5]\n")
    assert read(path).rows.targets == ("pos", "neg", "5")
    path.write_text("text,label\na lamp,['pos']\nb lamp,\"['neg', 'pos']\"\n")
    with pytest.raises(
        DataError, match=r"a.csv has several labels \('neg', 'pos'\): texts with several labels are for"
    ):
        read(path)


def test_several_labels_name_the_task_that_reads_them(tmp_path):
    path = lines(tmp_path, [["pos"], ["neg"], ["pos", "neg"]])
    with pytest.raises(
        DataError,
        match=r"rows.jsonl:3 has several labels \('pos', 'neg'\): texts with several labels are for the task "
        r"'multilabel' \(--task multilabel\); give one label for each row",
    ):
        read(path)


def test_a_set_of_several_labels_names_the_task():
    with pytest.raises(DataError, match=r"row:1 has several labels \('a', 'b'\): .* the task 'multilabel'"):
        read((TEXTS, [{"b", "a"}] * 4))


def test_an_object_is_no_label(tmp_path):
    table = read(lines(tmp_path, ["a", "b", {"name": "a"}]))
    assert [(row.line, row.reason) for row in table.rejected] == [(3, "has an object where a label is expected")]


# --- warnings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "warnings"),
    [
        (["Pos", "pos", "pos"], ["labels 'Pos' (1 row) and 'pos' (2 rows) look alike and differ only in capitals"]),
        (["été", "e\u0301te\u0301"], ["'e\\u0301te\\u0301' (1 row) and 'été'"]),
        (["ﬁne", "fine"], ["look alike and differ only in their Unicode form"]),
        (["hiver", "hiver\u200b"], [r"'hiver\u200b' (1 row) look alike and differ only in capitals, white"]),
        (["très bon", "très\u00a0bon"], ["only in their Unicode form"]),
        (["a b", "a  b"], ["only in white space"]),
        (["a", "\x1b[31ma"], ["label '\\x1b[31ma' (1 row) holds control characters"]),
        (["a\x07", "a"], ["'a\\x07' (1 row) look alike"]),
        (["yes", "nan", "nan"], ["label 'nan' (2 rows) looks like a missing value, but counts as a class"]),
        (["yes", "N/A", "None", "null", "-", "?"], ["'-'", "'?'", "'N/A'", "'None'", "'null'"]),
        (["1", "0", "-1", "-1"], ["label '-1' (2 rows) often marks rows without a label, but counts as a class"]),
        (["1", "-1"], []),
        (["1", "0", "-1", "-2"], []),
        (["1", "0", "-3"], []),
        (["yes", "no", "ja"], []),
        (["01", "1", "10"], ["labels '01' (1 row) and '1' (1 row) look alike and differ only in leading zeros"]),
    ],
)  # fmt: skip
def test_doubtful_labels(labels, warnings):
    doubtful = list(doubts(labels))
    assert len(doubtful) == len(warnings)
    for sentence, part in zip(doubtful, warnings, strict=True):
        assert part in sentence


def test_truth_values_and_numbers_mixed():
    warnings = read((TEXTS * 2, [True, 1, 0, False] * 2)).warnings
    assert warnings == (
        "labels '0', '1', 'False', 'True' mix truth values with numbers: each counts as a class of its own.",
    )


def test_labels_that_look_like_those_of_training():
    doubtful = list(doubts(["Pos", "neg", "Pos"], ["pos", "neg"]))
    assert len(doubtful) == 1
    assert "labels 'pos' in training and 'Pos' (2 rows) look alike and differ only in capitals" in doubtful[0]


def test_long_labels_are_shown_in_short():
    assert f"'{'x' * 37}...'" in next(doubts(["x" * 99 + "\x07", "y"]))


def test_reading_passes_the_warnings_on(tmp_path):
    warnings = read((TEXTS, ["pos", "Pos", "nan", "Pos"])).warnings
    assert any("look alike" in warning for warning in warnings)
    assert any("looks like a missing value" in warning for warning in warnings)
