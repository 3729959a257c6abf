"""The audit finds what was planted, says 'fine' where nothing was, and finds what is known of real data sets."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from tests.data.classified import read

from headstart.core.records import Finding, Rows, Splits
from headstart.data import audit as auditing
from headstart.data import split as splitting
from headstart.tasks.classification import Classification
from headstart.tasks.qa import QuestionAnswering

split = partial(splitting.split, task=Classification())
audit = partial(auditing.audit, task=Classification())


KINDS = [
    "duplicates",
    "near-duplicates",
    "leakage",
    "conflicts",
    "imbalance",
    "unseen-labels",
    "unmeasured-classes",
    "small-classes",
]
LONG = "the quick brown fox jumps over the lazy dog and runs away from the very angry bear"
DATA = Path(os.environ.get("HEADSTART_DATA", "../shared/data"))


def rows(name: str, *pairs: tuple[str, str]) -> Rows:
    ids = tuple(f"{name}:{i}" for i in range(len(pairs)))
    return Rows(ids, tuple(text for text, _ in pairs), tuple(label for _, label in pairs))


def findings(train: Rows, validation: Rows, test: Rows) -> dict[str, Finding]:
    audited = audit(split(train, validation=validation, test=test)).findings
    assert [finding.kind for finding in audited] == KINDS
    return {finding.kind: finding for finding in audited}


def balanced(count: int) -> list[tuple[str, str]]:
    return [(f"text {i}", "ab"[i % 2]) for i in range(count)]


def test_clean_data_gets_eight_fine_findings() -> None:
    checked = findings(
        rows("train", *balanced(40)), rows("v", ("x", "a"), ("w", "b")), rows("test", ("y", "a"), ("z", "b"))
    )
    assert {finding.severity for finding in checked.values()} == {"fine"}
    assert checked["imbalance"].sentence == (
        "The classes have similar sizes: the largest, 'b', has 1.0 times the training rows of the smallest, 'a'."
    )


def test_questions_about_one_context_are_no_copies_of_each_other() -> None:
    def asked(*pairs: tuple[str, str]) -> Rows:
        inputs = tuple({"question": question, "context": context} for question, context in pairs)
        ids = tuple(f"{question} {context}" for question, context in pairs)
        return Rows(ids, inputs, ((),) * len(inputs))

    train = asked(("Who?", LONG), ("Where?", LONG), ("Who?", f"{LONG}!"), ("When?", "elsewhere"))
    assert len(LONG) > 40
    parts = Splits(train, asked(("Why?", "x")), asked(("What?", "y")), frozenset(), "")
    (near,) = [f for f in auditing.audit(parts, QuestionAnswering()).findings if f.kind == "near-duplicates"]
    assert (near.count, near.examples) == (1, ((f"Who? {LONG}", f"Who? {LONG}!"),))


def test_what_was_planted_is_found() -> None:
    train = rows("train", *balanced(40), ("Text  1", "b"), ("text 1", "a"), (LONG, "a"), (f"{LONG}!", "a"))
    test = rows("test", ("TEXT 7", "a"), (f"{LONG}?", "a"), ("new", "c"), ("other", "b"))
    checked = findings(train, rows("v", ("x", "a")), test)

    assert (checked["duplicates"].severity, checked["duplicates"].count) == ("note", 2)
    assert "2 of 49 rows (4.1%)" in checked["duplicates"].sentence
    assert "(train 2), 1 of them exactly" in checked["duplicates"].sentence
    assert checked["duplicates"].examples == (("train:1", "train:40", "train:41"),)

    assert (checked["near-duplicates"].severity, checked["near-duplicates"].count) == ("note", 1)
    assert checked["near-duplicates"].examples == (("train:42", "train:43"),)

    assert (checked["leakage"].severity, checked["leakage"].count, checked["leakage"].share) == ("warning", 2, 0.5)
    assert "1 exactly and 1 nearly" in checked["leakage"].sentence
    assert checked["leakage"].examples == (("test:0", "train:7"), ("test:1", "train:42"))

    assert (checked["conflicts"].severity, checked["conflicts"].count) == ("warning", 5)
    assert "2 texts occur with different labels" in checked["conflicts"].sentence
    assert ("train:1", "train:41") in checked["conflicts"].examples

    assert (checked["unseen-labels"].severity, checked["unseen-labels"].count) == ("warning", 1)
    assert "('c')" in checked["unseen-labels"].sentence


@pytest.mark.parametrize(("large", "severity"), [(30, "fine"), (31, "note"), (100, "note"), (101, "warning")])
def test_imbalance(large: int, severity: str) -> None:
    train = rows("train", *((f"text {i}", "large" if i < large else "small") for i in range(large + 10)))
    checked = findings(train, rows("v", ("x", "large")), rows("test", ("y", "small")))
    assert checked["imbalance"].severity == severity
    assert ("read macro-F1" in checked["imbalance"].sentence) == (severity != "fine")


def test_small_classes_are_named() -> None:
    checked = findings(rows("train", *balanced(40), ("rare", "c")), rows("v", ("x", "a")), rows("test", ("y", "b")))
    assert (checked["small-classes"].severity, checked["small-classes"].count) == ("note", 1)
    assert "1 class has fewer than 10 training rows ('c' 1)" in checked["small-classes"].sentence


def test_counts_by_split_and_label() -> None:
    report = audit(split(rows("train", *balanced(100))))
    assert report.rows == {"train": 60, "validation": 20, "test": 20}
    assert report.labels["test"] == {"a": 10, "b": 10}


def real(name: str) -> Rows:
    path = DATA / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no {path}: set HEADSTART_DATA to the folder with the benchmark data")
    return read(path).rows


def by_kind(splits: Splits) -> dict[str, Finding]:
    return {finding.kind: finding for finding in audit(splits).findings}


def test_sms_spam_holds_403_repeats() -> None:
    divided = split(real("sms_spam"))
    assert "403 of them exactly" in by_kind(divided)["duplicates"].sentence
    assert not divided.leaked


def test_trec_holds_71_repeats() -> None:
    assert "71 of them exactly" in by_kind(split(real("trec_train")))["duplicates"].sentence


def test_sst2_leaks_two_test_texts() -> None:
    divided = split(real("sst2_train"), validation=real("sst2_dev"), test=real("sst2_test"))
    assert by_kind(divided)["leakage"].count == len(divided.leaked) == 2


def test_imdb_leaks_123_test_texts() -> None:
    divided = split(real("imdb_train"), test=real("imdb_test"))
    assert "123 exactly and 2 nearly" in by_kind(divided)["leakage"].sentence


@pytest.mark.parametrize(
    ("validation", "test", "severity", "expected"),
    [
        ("ab", "ab", "warning", "1 class has no row in test ('c'); 1 class has no row in validation ('c')"),
        ("ab", "abc", "note", "1 class has no row in validation ('c'): no score can show"),
        ("abc", "a", "warning", "All test rows (1) have the label 'a': no score can show how well"),
        ("abc", "abc", "fine", "Every class of train has rows in test and in validation."),
    ],
)
def test_classes_that_nothing_is_measured_on(validation: str, test: str, severity: str, expected: str) -> None:
    def part(name: str, labels: str) -> Rows:
        return rows(name, *((f"text {name} {label} here", label) for label in labels))

    parts = part("train", "aabbcc"), part("validation", validation), part("test", test)
    finding = findings(*parts)["unmeasured-classes"]
    assert finding.severity == severity
    assert expected in finding.sentence
