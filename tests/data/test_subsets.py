"""The column by whose values scores are also given: read for every source that has it, and for nothing else."""

import numpy as np
import pandas
import pytest

import headstart
from headstart import tasks
from headstart.core.errors import UsageError
from headstart.core.records import NO_VALUE
from headstart.data.split import read_and_split

TASK = tasks.load("classification")


def frame(rows: int = 60, start: int = 0, **more) -> pandas.DataFrame:
    texts = [f"text number {n} of {n * 7919 % 1000} and {n * 104729 % 977}" for n in range(start, start + rows)]
    return pandas.DataFrame({"text": texts, "label": [("yes", "no")[n % 2] for n in range(rows)], **more})


def test_values_follow_their_rows_into_the_parts():
    languages = [("en", "de", " zh ", "")[n % 4] for n in range(60)]
    data = frame(language=languages)
    _, parts = read_and_split(data, TASK, by="language")
    known = dict(zip(data["text"], languages, strict=True))
    for part in (parts.train, parts.validation, parts.test):
        assert part.subsets == tuple(known[text].strip() or NO_VALUE for text in part.inputs)


def test_numbers_with_gaps_are_the_same_numbers():
    _, parts = read_and_split(frame(by=[1, 2] * 30), TASK, frame(2, start=90, by=[1.0, np.nan]), by="by")
    assert set(parts.train.subsets) == {"1", "2"}
    assert parts.test.subsets == ("1", NO_VALUE)


def test_only_the_source_of_the_test_rows_needs_the_column():
    other = frame(4, start=90, language=["en", "de", "zh", "zh"])
    _, parts = read_and_split(frame(), TASK, other, frame(4, start=80), by="language")
    assert (parts.train.subsets, parts.validation.subsets) == ((), ())
    assert parts.test.subsets == ("en", "de", "zh", "zh")
    with pytest.raises(UsageError, match=r"table has no column 'language' \(--by\); known: label, text"):
        read_and_split(other, TASK, frame(), by="language")
    with pytest.raises(UsageError, match=r"table has no column 'langage' \(--by\); did you mean 'language'"):
        read_and_split(frame(language="en"), TASK, by="langage")


def test_a_table_that_was_read_without_the_column():
    table, _ = read_and_split(frame(language="en"), TASK)
    with pytest.raises(
        UsageError, match=r"table was read without the column 'language' \(--by\); read it from its file"
    ):
        read_and_split(table, TASK, by="language")


def test_too_many_values():
    with pytest.raises(
        UsageError,
        match=r"column 'who' of table has 51 different values, and --by takes at most 50, such as languages; for "
        r"persons or documents use --group, for dates --time",
    ):
        read_and_split(frame(who=[n % 51 for n in range(60)]), TASK, by="who")
    read_and_split(frame(who=[n % 50 for n in range(60)]), TASK, by="who")


def test_no_model_reads_the_column(tmp_path):
    """A column that gives every label away changes neither the split nor any prediction; nor is it a label itself."""
    data = frame(120)
    data["category"] = [f"good {label}" for label in data["label"]]  # otherwise a second column of labels
    chosen = {"contenders": ["majority", "linear"], "sizes": [], "seeds": 1, "listener": lambda _: None}
    plain = headstart.compare(data[["text", "label"]], out=tmp_path / "plain", **chosen)
    found = headstart.compare(data, by="category", out=tmp_path / "by", **chosen)
    assert found.result.splits.sha256 == plain.result.splits.sha256
    assert [r.predictions.values for r in found.result.records] == [r.predictions.values for r in plain.result.records]
    assert plain.by == []
    assert {(line["contender"], line["value"]) for line in found.by} == {
        (name, value) for name in ("linear", "majority") for value in ("good no", "good yes")
    }
    assert headstart.read_result(tmp_path / "by")["by"]["column"] == "category"
    again = headstart.compare(data, by="category", out=tmp_path / "plain", **chosen)  # the same trainings
    assert [r.made for r in again.result.records] == [r.made for r in plain.result.records]
    openings = (tmp_path / "plain" / "test_openings.jsonl").read_text().splitlines()
    assert len(openings) == 2
    assert len(again.by) == 4
