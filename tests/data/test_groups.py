"""Splits by groups and by time."""

import datetime

import numpy as np
import pytest
from tests.data.classified import read

from headstart import tasks
from headstart.core.errors import DataError, UsageError
from headstart.core.records import Rows
from headstart.data.audit import audit
from headstart.data.split import read_and_split, split

TASK = tasks.load("classification")


def made(rows: int, **more) -> Rows:
    texts = tuple(f"text {number} of {number * 7919 % 1000} and {number * 104729 % 977}" for number in range(rows))
    return Rows(tuple(map(str, range(rows))), texts, ("yes", "no", "no") * (rows // 3) + ("yes",) * (rows % 3), **more)


def test_rows_of_a_group_are_on_one_side():
    random = np.random.default_rng(0)
    groups = tuple(f"person {number}" for number in random.integers(0, 40, 300))
    parts = split(made(300, groups=groups), TASK)
    sides = [group for part in (parts.train, parts.validation, parts.test) for group in set(part.groups)]
    assert len(sides) == len(set(sides)) == 40
    assert 45 <= len(parts.test) <= 60
    assert not parts.leaked


def test_a_copy_joins_its_groups():
    rows = made(60, groups=tuple(str(number // 3) for number in range(60)))
    rows = Rows(rows.ids, (rows.inputs[59], *rows.inputs[1:]), rows.targets, rows.groups)  # of groups 0 and 19
    parts = split(rows, TASK)
    (side,) = [part for part in (parts.train, parts.validation, parts.test) if "0" in part.groups]
    assert {"0", "19"} <= set(side.groups)


def test_given_test_rows_of_a_known_group_leak():
    rows = made(60, groups=tuple(str(number // 3) for number in range(60)))
    other = Rows(("x", "y"), ("a new text by an old person", "a new text by a new person"), ("yes", "no"), ("0", "new"))
    assert split(rows, TASK, test=other, validation=rows.take(range(57, 60))).leaked == {"x"}


def test_the_newest_rows_are_the_test_rows_and_equal_times_stay_together():
    random = np.random.default_rng(1)
    times = tuple(random.integers(0, 30, 200).astype(float))
    parts = split(made(200, times=times), TASK)
    assert max(parts.train.times) < min(parts.validation.times)
    assert max(parts.validation.times) < min(parts.test.times)
    assert 30 <= len(parts.test) <= 50
    assert split(made(200, times=times), TASK, seed=1).test == parts.test


def test_columns_are_read_and_may_be_missing(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"text number {n},{'ab'[n % 2]},{'' if n == 3 else n // 2},2021-03-{n + 1:02}" for n in range(12)]
    path.write_text("\n".join(["text,label,who,when", *lines, "text x,a,9,3/4/2021", "text y,b,9,"]))
    table = read(path, group="who", time="when")
    assert table.rows.groups[:5] == ("0", "0", "1", "a.csv:5", "2")
    assert table.rows.times == tuple(sorted(table.rows.times))
    assert [row.reason for row in table.rejected] == [
        "has the time '3/4/2021', which is no number and no ISO date such as 2021-03-31",
        "has no time",
    ]
    assert "1 rows have nothing in column 'who': each is a group of its own." in table.warnings
    other = tmp_path / "test.csv"
    other.write_text("text,label,who\nanother text,a,1\na last text,b,new\n")
    _, parts = read_and_split(path, TASK, test=other, group="who")
    assert parts.test.groups == ("1", "new")
    assert parts.leaked == {"test.csv:2"}


@pytest.mark.parametrize(("option", "column"), [("group", "wo"), ("time", "wo")])
def test_an_unknown_column_is_named(option, column):
    with pytest.raises(UsageError, match=rf"table has no column 'wo' \(--{option}\)"):
        read((["a b", "c d"], ["x", "y"]), **{option: column})


def test_one_way_of_splitting():
    with pytest.raises(UsageError, match="--group and --time are two ways to split the data; use one of them"):
        split(made(9, groups=("a",) * 9, times=(1.0,) * 9), TASK)


def test_too_few_times():
    with pytest.raises(DataError, match="the 30 rows have only 2 different times: too few to set some apart"):
        split(made(30, times=(1.0,) * 20 + (2.0,) * 10), TASK)


def test_a_past_of_one_class():
    rows = Rows(
        tuple("abcdefghij"),
        tuple(f"t {n}" for n in "abcdefghij"),
        ("x",) * 8 + ("y",) * 2,
        (),
        (*map(float, range(10)),),
    )
    with pytest.raises(DataError, match="the 6 oldest rows all have the label 'x'; training needs two classes"):
        split(rows, TASK)


def test_times_of_a_data_frame():
    import pandas

    days = [datetime.date(2020, 1, 1) + datetime.timedelta(days=n) for n in range(4)]
    frame = pandas.DataFrame({"text": ["a b", "c d", "e f", "g h"], "label": ["x", "y", "x", "y"], "when": days})
    assert np.diff(read(frame, time="when").rows.times).tolist() == [86400.0] * 3
    frame["when"] = pandas.to_datetime(frame["when"])
    assert np.diff(read(frame, time="when").rows.times).tolist() == [86400.0] * 3


def test_the_audit_says_whether_groups_are_in_two_parts():
    rows = made(60, groups=tuple(str(number // 3) for number in range(60)))
    (finding,) = [found for found in audit(split(rows, TASK), TASK).findings if found.kind == "groups"]
    assert finding.severity == "fine"
    assert finding.sentence.startswith("No group of rows is in two parts of the split: ")
    given = split(rows, TASK, test=rows.take(range(6)), validation=rows.take(range(57, 60)))
    (finding,) = [found for found in audit(given, TASK).findings if found.kind == "groups"]
    assert finding.sentence.startswith("3 of 20 groups are in more than one part, such as '0'")
    assert not [found for found in audit(split(made(60), TASK), TASK).findings if found.kind == "groups"]
